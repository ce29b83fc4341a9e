"""Rule simulate_atlas: the phantom head, and atlas templates made from it."""

from pathlib import Path

import nibabel as nib

from uad import logs
from uad.simulation import phantom, scans
from uad.volumes import replacing

with logs.job(snakemake.log[0]):
    head = phantom.build()
    for name, image in scans.atlas(head).items():
        with replacing(Path(snakemake.output.head).with_name(f"{name}.nii")) as temporary:
            nib.save(image, temporary)
    with replacing(snakemake.output.phantom) as temporary:
        head.save(temporary)
