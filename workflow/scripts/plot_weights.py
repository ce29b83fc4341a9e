"""Rule plot_weights: [DICE] against the weight of the residual map (paper Fig. 5)."""

import pandas as pd

from uad import figures, logs, packed, plots

with logs.job(snakemake.log[0]):
    table = pd.concat(map(packed.read_table, snakemake.input), ignore_index=True)
    figure = plots.weights(table, dict(zip(snakemake.params.unhealthy, figures.COLOURS)))
    figures.heading(figure, "Weight of the residual map", snakemake.params.simulated)
    figures.save(figure, snakemake.output.figure)
    packed.write_table(table, snakemake.output.table)
