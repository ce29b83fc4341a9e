"""Simulated counterparts of the data sets: one module each, on which only its own scans depend.

A module has

`SITES`
    places that names of scans may have,
`MOST`
    most subjects that the names allow,
`scan(i, number, site, serial)`
    native name of a scan: `i` counts from 1, `number` grows with gaps, `serial` has no order,
`files(scan, site, contrast)`
    native paths in the data set's folder: the image of a contrast, then the lesion mask; `site` is
    the folder of a site, by default the one in the name,
`AGES`
    whether the data set has a spreadsheet of ages,
`GEOMETRY`
    how its volumes are stored: fields of `uad.simulation.scans.Native`, in plain values.

Standard library only, since runs are planned with the names.
"""

Matrix = tuple[tuple[float, ...], ...]

IDENTITY: Matrix = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))


def grid(spacing_mm: tuple[float, ...], shape: tuple[int, ...]) -> Matrix:
    """Affine of a grid with voxel axes R, A, S about a point of the brain's middle."""
    rows = []
    for axis, (centre, step, n) in enumerate(zip((0, -18, 10), spacing_mm, shape)):
        turned = [step if axis == other else 0.0 for other in range(3)]
        rows.append((*turned, centre - step * (n - 1) / 2))
    return (*rows, (0, 0, 0, 1))
