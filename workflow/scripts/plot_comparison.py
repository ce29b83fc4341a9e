"""Rule plot_comparison: the same cases for every row of the table (paper Fig. 3)."""

from uad.base import logs
from uad.report import canvas, joined, pictures

with logs.job(snakemake.log[0]):
    paths, params = snakemake.input, snakemake.params
    collected = {name: joined.cases(paths, params.labels, name) for name in params.test_sets}
    labels = {row: canvas.row_label(row, label) for row, label in params.labels.items()}
    figure = pictures.comparison(collected, labels)
    canvas.heading(figure, "Anomaly scores of all rows", params.simulated)
    canvas.save(figure, snakemake.output[0])
