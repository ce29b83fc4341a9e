"""Rule judge_claims: whether what the paper says of its results holds in this run."""

import pandas as pd

from uad.base import logs, tsv
from uad.evaluation import claims
from uad.report import canvas, claims_page, joined

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    tested = joined.Tested(inputs.test_splits, params.test_sets, params.folds)
    weights = None
    if inputs.weights:
        weights = joined.weights(inputs.weights, params.weighted, params.folds, tested)
    comparisons = claims.compare(
        joined.metrics(inputs.metrics, params.labels, params.folds, tested),
        params.content["claims"],
        table1=pd.read_csv(inputs.table1),
        seed=params.seed,
        weights=weights,
    )
    verdicts = claims.judge(comparisons, params.content["claims"])
    tsv.write(verdicts, snakemake.output.table)
    tsv.write(comparisons, snakemake.output.numbers)
    figure = claims_page.forest(comparisons, verdicts, params.simulated)
    canvas.heading(figure, "The paper's claims", params.simulated)
    canvas.save(figure, snakemake.output.figure)
    claims_page.write(
        snakemake.output.page,
        params.content,
        comparisons,
        verdicts,
        params.labels,
        params.simulated,
    )
