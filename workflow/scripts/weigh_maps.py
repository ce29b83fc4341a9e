"""Rule weigh_maps: [DICE] against the weight of the residual map, for one fold."""

from pathlib import Path

from uad import curves, logs, packed

with logs.job(snakemake.log[0]):
    table = curves.weight_table(
        root=Path(snakemake.output[0]).parents[2],
        rows=snakemake.params.rows,
        test_sets=snakemake.params.test_sets,
        fold=int(snakemake.wildcards.fold),
        seed=snakemake.params.seed,
    )
    packed.write_table(table, snakemake.output[0])
