"""Rule weigh_maps: [DICE] against the weight of the residual map, for one fold."""

from pathlib import Path

from uad.base import logs, tsv
from uad.evaluation import curves

with logs.job(snakemake.log[0]):
    table = curves.weight_table(
        root=Path(snakemake.output[0]).parents[2],
        rows=snakemake.params.rows,
        test_sets=snakemake.params.test_sets,
        fold=int(snakemake.wildcards.fold),
        seed=snakemake.params.seed,
    )
    tsv.write(table, snakemake.output[0])
