"""Simulated raw scans: stand-ins for patient data that cannot be shipped.

`phantom` builds one head from the MNI152 template, `lesions` grows gliomas and strokes in it,
`scans` makes a subject of it (anatomy, pose, scanner) and writes it in a data set's native layout.
Nothing downstream knows that these scans are simulated; the report says so wherever it shows them.
"""
