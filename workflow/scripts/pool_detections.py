"""Rule pool_detections: precision and recall of the pooled test voxels, for one fold."""

from pathlib import Path

from uad.base import logs, tsv
from uad.evaluation import curves

with logs.job(snakemake.log[0]):
    table = curves.precision_table(
        root=Path(snakemake.output[0]).parents[1],
        rows=snakemake.params.rows,
        test_sets=snakemake.params.test_sets,
        fold=snakemake.params.fold,
        seed=snakemake.params.seed,
    )
    tsv.write(table, snakemake.output[0])
