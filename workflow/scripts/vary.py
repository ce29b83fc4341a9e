"""Rule vary: means of one row and fold in each combination of choices of the evaluation."""

from uad.base import devices, logs, tsv
from uad.evaluation import scores, variants

with logs.job(snakemake.log[0]):
    params, fold = snakemake.params, int(snakemake.wildcards.fold)
    row = params.row
    devices.set_up_cpu(snakemake.threads)
    stored = scores.stored(snakemake.input, params.datasets, row["networks"], row["reconstructing"])
    varied = {
        name: variants.VariedScore(
            scores.Cohort(stored[name], fold), row["networks"], row["reconstructing"]
        )
        for name in stored
    }
    patients = {test_set: varied[dataset] for test_set, dataset in params.test_sets.items()}
    table = variants.measured(patients, varied[params.healthy], params.choices)
    table = table.assign(row=snakemake.wildcards.row, fold=fold)
    tsv.write(table, snakemake.output[0], sealed=True)
