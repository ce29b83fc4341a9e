"""Rule evaluate: metrics of one row of the table on every test subject of one fold."""

from pathlib import Path

from uad.base import logs, tsv
from uad.evaluation import row_metrics

with logs.job(snakemake.log[0]):
    evaluated = row_metrics.evaluate_row(
        root=Path(snakemake.output.subjects).parents[2],
        maps=snakemake.params.maps,
        reconstruction=snakemake.params.reconstruction,
        test_sets=snakemake.params.test_sets,
        healthy=snakemake.params.healthy,
        spacing_mm=snakemake.params.spacing_mm,
        fold=int(snakemake.wildcards.fold),
        seed=snakemake.params.seed,
        min_component=snakemake.params.min_component,
        threshold=snakemake.params.threshold,
    )
    for table, path in zip(evaluated, snakemake.output):
        tsv.write(table, path)
