"""Rule plot_comparison: the same cases for every row of the table (paper Fig. 3)."""

from uad import cases, figures, logs, pictures

with logs.job(snakemake.log[0]):
    params = snakemake.params
    collected = dict(zip(params.test_sets, map(cases.read, snakemake.input)))
    labels = {row: figures.row_label(row, label) for row, label in params.labels.items()}
    figure = pictures.comparison(collected, labels)
    figures.heading(figure, "Anomaly scores of all rows", params.simulated)
    figures.save(figure, snakemake.output[0])
