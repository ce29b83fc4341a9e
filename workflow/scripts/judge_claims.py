"""Rule judge_claims: whether what the paper says of its results holds in this run."""

from uad.base import logs
from uad.report import judged

with logs.job(snakemake.log[0]):
    params = snakemake.params
    judged.write_all(
        dict(snakemake.input.items()),
        dict(snakemake.output.items()),
        judged.Judged(
            content=params.content,
            labels=params.labels,
            folds=params.folds,
            test_sets=params.test_sets,
            weighted=params.weighted,
            seed=params.seed,
            simulated=params.simulated,
        ),
    )
