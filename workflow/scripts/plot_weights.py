"""Rule plot_weights: [DICE] against the weight of the residual map (paper Fig. 5)."""

import pandas as pd

from uad.base import colours, logs, tsv
from uad.report import canvas, plots

with logs.job(snakemake.log[0]):
    subjects = pd.concat(map(tsv.read, snakemake.input), ignore_index=True)
    table = plots.mean_weights(subjects)
    figure = plots.weights(table, dict(zip(snakemake.params.unhealthy, colours.COLOURS)))
    canvas.heading(figure, "Weight of the residual map", snakemake.params.simulated)
    canvas.save(figure, snakemake.output.figure)
    tsv.write(table, snakemake.output.table)
