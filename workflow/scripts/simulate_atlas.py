"""Rule simulate_atlas: the phantom head, and atlas templates made from it."""

from pathlib import Path

import nibabel as nib

from uad.base import logs
from uad.base.files import replacing
from uad.simulation import phantom, scans

with logs.job(snakemake.log[0]):
    head = phantom.build()
    for name, image in scans.atlas(head, snakemake.params.contrast).items():
        with replacing(Path(snakemake.output.head).with_name(f"{name}.nii")) as temporary:
            nib.save(image, temporary)
    with replacing(snakemake.output.phantom) as temporary:
        head.save(temporary)
