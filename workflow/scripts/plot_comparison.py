"""Rule plot_comparison: the same cases for every row of the table (paper Fig. 3)."""

from uad.base import logs
from uad.evaluation import cases
from uad.report import canvas, pictures

with logs.job(snakemake.log[0]):
    params = snakemake.params
    collected = dict(zip(params.test_sets, map(cases.read, snakemake.input)))
    labels = {row: canvas.row_label(row, label) for row, label in params.labels.items()}
    figure = pictures.comparison(collected, labels)
    canvas.heading(figure, "Anomaly scores of all rows", params.simulated)
    canvas.save(figure, snakemake.output[0])
