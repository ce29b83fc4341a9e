"""Rule compare: the controls, Table 1 beside the published values, intervals, tests and Table 3."""

from uad.base import logs
from uad.report import tables

with logs.job(snakemake.log[0]):
    params = snakemake.params
    comparison = tables.Comparison(
        rows=params.rows,
        folds=params.folds,
        test_sets=params.test_sets,
        seed=params.seed,
        simulated=params.simulated,
        threshold=params.threshold,
        registered=params.registered,
        random_extractors=params.random_extractors,
        references=params.references,
        min_component=params.min_component,
    )
    tables.write_all(dict(snakemake.input.items()), dict(snakemake.output.items()), comparison)
