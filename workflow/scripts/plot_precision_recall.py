"""Rule plot_precision_recall: precision against recall of the pooled test voxels."""

from uad.base import colours, logs, tsv
from uad.report import canvas, joined, plots

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    folds = [params.fold]
    tested = joined.Tested(inputs.test_splits, params.test_sets, folds)
    table = joined.metrics(inputs.curves, params.labels, folds, tested, "curve")
    figure = plots.precision_recall(
        table,
        {row: canvas.row_label(row, label) for row, label in params.labels.items()},
        dict(zip(params.test_sets, colours.COLOURS)),
        params.single,
    )
    canvas.heading(figure, "Precision and recall, pooled voxels", params.simulated)
    canvas.save(figure, snakemake.output.figure)
    tsv.write(table, snakemake.output.table)
