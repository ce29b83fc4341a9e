"""Rule plot_lesion_volume: Dice of every test subject against the volume of its lesion."""

from uad.base import logs
from uad.report import canvas, joined, plots

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    tested = joined.Tested(inputs.test_splits, params.test_sets, params.folds)
    metrics = joined.metrics(inputs.metrics, params.labels, params.folds, tested)
    labels = {row: canvas.subscript(label) for row, label in params.labels.items()}
    tables = {
        test_set: {
            labels[row]: metrics[(metrics["row"] == row) & (metrics["test_set"] == test_set)]
            for row in rows
        }
        for test_set, rows in params.rows.items()
    }
    figure = plots.lesion_volume(tables)
    canvas.heading(figure, "Dice against lesion volume", params.simulated)
    canvas.save(figure, snakemake.output[0])
