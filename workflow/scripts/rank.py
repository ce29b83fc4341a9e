"""Rule rank: the order of the rows in all combinations of choices, on one page."""

from uad.base import logs
from uad.report import multiverse_page

with logs.job(snakemake.log[0]):
    params = snakemake.params
    multiverse_page.write_all(
        list(snakemake.input.means),
        dict(snakemake.output.items()),
        multiverse_page.Multiverse(
            labels=params.labels,
            test_sets=params.test_sets,
            folds=params.folds,
            claims=params.claims,
            headline=params.headline,
            usual=params.usual,
            simulated=params.simulated,
        ),
    )
