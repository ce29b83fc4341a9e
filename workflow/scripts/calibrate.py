"""Rule calibrate: whether rates and probabilities of one row and fold are what they say."""

import pandas as pd

from uad.base import devices, logs, tsv
from uad.evaluation import calibration, reliability, scores

with logs.job(snakemake.log[0]):
    inputs, params, fold = snakemake.input, snakemake.params, int(snakemake.wildcards.fold)
    row = params.row
    if row["reconstructing"]:
        devices.set_up_cpu(snakemake.threads)
    stored = scores.stored(inputs, params.datasets, row["networks"], row["reconstructing"])

    def of(dataset):
        cohort = scores.Cohort(stored[dataset], fold)
        return scores.RowScore(row["maps"], cohort, row["residual"], params.seed)

    pooled = tsv.read(inputs.pooled).iloc[0]
    cuts = {rate: pooled[f"threshold_{rate}"] for rate in reliability.RATES}
    rates = calibration.rates(of(params.healthy), cuts)
    bins = pd.DataFrame(columns=["row", "test_set"])
    if params.is_probability:
        bins = pd.concat(
            [
                calibration.bins(of(dataset)).assign(test_set=test_set)
                for test_set, dataset in params.test_sets.items()
            ]
        )
    for table, path in zip((rates, bins), snakemake.output):
        tsv.write(table.assign(row=snakemake.wildcards.row), path, sealed=True)
