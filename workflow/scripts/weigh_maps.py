"""Rule weigh_maps: [DICE] against the weight of the residual map, for one row and fold."""

from uad.base import logs, tsv
from uad.evaluation import curves, scores

with logs.job(snakemake.log[0]):
    params, fold = snakemake.params, int(snakemake.wildcards.fold)
    row = params.row
    stored = scores.stored(
        snakemake.input, list(params.test_sets.values()), row["networks"], row["reconstructing"]
    )
    cohorts = {
        test_set: scores.Cohort(stored[dataset], fold)
        for test_set, dataset in params.test_sets.items()
    }
    table = curves.weight_table(
        snakemake.wildcards.row, params.branches, cohorts, row["residual"], params.seed
    )
    tsv.write(table, snakemake.output[0], sealed=True)
