"""Rule judge_claims: whether what the paper says of its results holds in this run."""

import pandas as pd

from uad.base import logs, tsv
from uad.evaluation import claims
from uad.report import canvas, claims_page

with logs.job(snakemake.log[0]):
    params = snakemake.params
    rows = [row for row in params.labels for _ in params.folds]
    subjects = [tsv.read(p).assign(row=row) for row, p in zip(rows, snakemake.input.metrics)]
    weights = [tsv.read(path) for path in snakemake.input.weights]
    comparisons = claims.compare(
        pd.concat(subjects, ignore_index=True),
        params.content["claims"],
        table1=pd.read_csv(snakemake.input.table1),
        seed=params.seed,
        weights=pd.concat(weights, ignore_index=True) if weights else None,
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
