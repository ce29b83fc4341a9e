"""Rule plot_precision_recall: precision against recall of the pooled test voxels."""

from uad.base import colours, logs, tsv
from uad.report import canvas, plots

with logs.job(snakemake.log[0]):
    params = snakemake.params
    figure = plots.precision_recall(
        tsv.read(snakemake.input[0]),
        {row: canvas.row_label(row, label) for row, label in params.labels.items()},
        dict(zip(params.unhealthy, colours.COLOURS)),
    )
    canvas.heading(figure, "Precision and recall, pooled voxels", params.simulated)
    canvas.save(figure, snakemake.output[0])
