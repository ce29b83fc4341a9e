"""Rule plot_lesion_volume: Dice of every test subject against the volume of its lesion."""

import pandas as pd

from uad.base import logs, tsv
from uad.report import canvas, plots

with logs.job(snakemake.log[0]):
    params, paths = snakemake.params, iter(snakemake.input)
    metrics = {}
    for row in params.labels:
        metrics[row] = pd.concat([tsv.read(next(paths)) for _ in params.folds])
    labels = {row: canvas.subscript(label) for row, label in params.labels.items()}
    tables = {
        test_set: {labels[row]: metrics[row][metrics[row]["test_set"] == test_set] for row in rows}
        for test_set, rows in params.rows.items()
    }
    figure = plots.lesion_volume(tables)
    canvas.heading(figure, "Dice against lesion volume", params.simulated)
    canvas.save(figure, snakemake.output[0])
