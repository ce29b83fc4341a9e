"""Rule plot_precision_recall: precision against recall of the pooled test voxels."""

import pandas as pd

from uad.base import colours, logs, tsv
from uad.report import canvas, plots

with logs.job(snakemake.log[0]):
    params = snakemake.params
    curves = map(tsv.read, snakemake.input)
    table = pd.concat(
        [curve.assign(row=row) for row, curve in zip(params.labels, curves)], ignore_index=True
    )
    figure = plots.precision_recall(
        table,
        {row: canvas.row_label(row, label) for row, label in params.labels.items()},
        dict(zip(params.unhealthy, colours.COLOURS)),
    )
    canvas.heading(figure, "Precision and recall, pooled voxels", params.simulated)
    canvas.save(figure, snakemake.output.figure)
    tsv.write(table, snakemake.output.table)
