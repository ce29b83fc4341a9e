"""Rule whom: whom the rows fail, on one page."""

from uad.base import logs
from uad.report import whom

with logs.job(snakemake.log[0]):
    params = snakemake.params
    whom.write_all(
        dict(snakemake.input.items()),
        dict(snakemake.output.items()),
        whom.Whom(
            rows=params.rows,
            folds=params.folds,
            test_sets=params.test_sets,
            fewest=params.fewest,
            seed=params.seed,
            simulated=params.simulated,
        ),
    )
