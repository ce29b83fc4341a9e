"""Rule evaluate: metrics of one row of the table on every test subject of one fold."""

from pathlib import Path

from uad import evaluation, logs, packed

with logs.job(snakemake.log[0]):
    metrics = evaluation.evaluate_row(
        root=Path(snakemake.output[0]).parents[2],
        maps=snakemake.params.maps,
        test_sets=snakemake.params.test_sets,
        fold=int(snakemake.wildcards.fold),
        seed=snakemake.params.seed,
        min_component=snakemake.params.min_component,
    )
    packed.write_table(metrics, snakemake.output[0])
