"""Rules simulate_ixi, simulate_brats21 and so on: one raw scan in its native layout."""

import nibabel as nib

from uad.base import logs
from uad.base.files import replacing
from uad.simulation import names, phantom, scans

with logs.job(snakemake.log[0]):
    scan = snakemake.wildcards.scan
    seed = snakemake.params.seed
    result = scans.simulate(
        dataset=snakemake.params.dataset,
        scan=scan,
        age=names.age(scan, seed),
        seed=seed,
        head=phantom.Phantom.load(snakemake.input.phantom),
        contrast=snakemake.params.contrast,
    )
    for image, path in zip((result.image, result.lesion), snakemake.output):
        with replacing(path) as temporary:
            nib.save(image, temporary)
