"""Rule pool_healthy: subjects of several healthy data sets, and their roles, as one data set."""

from pathlib import Path

from uad.base import logs, tsv
from uad.data import pooling, splits

with logs.job(snakemake.log[0]) as log:
    names, inputs, outputs = snakemake.params.datasets, snakemake.input, snakemake.output
    split = pooling.pooled_split(dict(zip(names, inputs.splits)))
    splits.check(split)
    folders = [Path(path).parent for path in inputs.subjects]
    table = pooling.pool(dict(zip(names, folders)), Path(outputs.subjects).parent)
    tsv.write(split, outputs.split, sealed=True)
    log.info("%d subjects of %s", len(table), ", ".join(names))
