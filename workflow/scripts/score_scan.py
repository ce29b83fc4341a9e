"""Rule score_scan: a scan's anomaly maps by every fold of a bundle."""

import tempfile
from types import SimpleNamespace

import numpy as np

from uad.base import devices, logs
from uad.base.files import replacing
from uad.predict import bundle, maps, refusals

with logs.job(snakemake.log[0]):
    prepared, params = snakemake.input.prepared, snakemake.params

    def score() -> None:
        with np.load(prepared) as stored:
            # (X, Y, Z) -> (Z, X, Y)
            image, brain = (stored[name].transpose(2, 0, 1) for name in ("image", "brain"))
        machine = SimpleNamespace(
            device=devices.claim(params.accelerator, params.local_gpus), threads=snakemake.threads
        )
        with tempfile.TemporaryDirectory() as folder:
            manifest = bundle.unpack(snakemake.input.bundle, folder)
            scores, healthy = maps.compute(image, brain > 0, manifest, folder, machine)
        made = {} if healthy is None else {"reconstruction": healthy}
        with replacing(snakemake.output[0]) as temporary, open(temporary, "wb") as file:
            np.savez(file, maps=scores, **made)

    refusals.run(score, [prepared], snakemake.output)
