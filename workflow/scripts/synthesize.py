"""Rule synthesize: the synthetic (DRAEM) test set from healthy test and validation volumes."""

from pathlib import Path

from uad.base import logs, settings, tsv
from uad.data import drawing, packed
from uad.models.anomalies import draem
from uad.models.settings import Anomalies

with logs.job(snakemake.log[0]) as log:
    healthy = packed.Pack(Path(snakemake.input.image).parent)
    split = drawing.of_synthetic(tsv.read(snakemake.input.split))
    block = settings.build(Anomalies, snakemake.params.settings, "synthetic")
    table, volumes = draem.synthetic_set(
        healthy, set(split["subject"]), snakemake.params.seed, block
    )
    folder = Path(snakemake.output.subjects).parent
    packed.write(folder, table, volumes, len(table), healthy.image.shape[1:])
    tsv.write(split, snakemake.output.split, sealed=True)
    log.info("%d synthetic volumes", len(table))
