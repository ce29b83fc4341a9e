"""Rule evaluate: metrics of one row of the table on every test subject of one fold."""

from uad.base import logs, tsv
from uad.evaluation import row_metrics, scores

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    row, fold = params.row, int(snakemake.wildcards.fold)
    if row["reconstructing"]:
        from uad.base import devices  # needs torch

        devices.set_up_cpu(snakemake.threads)
    tables = row_metrics.evaluate_row(
        row_metrics.Row(
            name=snakemake.wildcards.row,
            maps=row["maps"],
            reconstruction=next(iter(row["reconstructing"]), None),
            residual=row["residual"],
            fold=fold,
            seed=params.seed,
        ),
        scores.stored(inputs, params.datasets, row["networks"], row["reconstructing"]),
        test_sets=params.test_sets,
        healthy=params.healthy,
        spacing_mm=params.spacing_mm,
        **params.settings,
    )
    for table, path in zip(tables, snakemake.output):
        tsv.write(table, path, sealed=True)
