"""Rule score_scan: a scan's anomaly maps by every fold of a bundle."""

from pathlib import Path

import numpy as np

from uad.base import devices, exclusion, logs
from uad.base.files import replacing
from uad.predict import bundle, maps

# Beside the output, so that the same job finds what it left when it was killed.
folder = Path(snakemake.output[0]).with_name("models")

with logs.job(snakemake.log[0]):
    prepared, params = snakemake.input.prepared, snakemake.params
    device = devices.claim(params.accelerator, params.local_gpus)
    with (
        bundle.unpacked(snakemake.input.bundle, folder) as manifest,
        exclusion.recorded(snakemake.output),
    ):
        exclusion.pass_on(prepared)
        with np.load(prepared) as stored:
            # (X, Y, Z) -> (Z, X, Y)
            image, brain = (stored[name].transpose(2, 0, 1) for name in ("image", "brain"))
        scores, healthy = maps.compute(image, brain > 0, manifest, folder, device)
        made = {} if healthy is None else {"reconstruction": healthy}
        with replacing(snakemake.output[0]) as temporary, open(temporary, "wb") as file:
            np.savez(file, maps=scores, **made)
