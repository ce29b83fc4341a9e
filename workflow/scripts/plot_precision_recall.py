"""Rule plot_precision_recall: precision against recall of the pooled test voxels."""

from uad import figures, logs, packed, plots

with logs.job(snakemake.log[0]):
    params = snakemake.params
    figure = plots.precision_recall(
        packed.read_table(snakemake.input[0]),
        {row: figures.row_label(row, label) for row, label in params.labels.items()},
        dict(zip(params.unhealthy, figures.COLOURS)),
    )
    figures.heading(figure, "Precision and recall, pooled voxels", params.simulated)
    figures.save(figure, snakemake.output[0])
