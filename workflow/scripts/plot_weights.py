"""Rule plot_weights: [DICE] against the weight of the residual map (paper Fig. 5)."""

from uad.base import colours, logs, tsv
from uad.report import canvas, joined, plots

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    tested = joined.Tested(inputs.test_splits, params.test_sets, params.folds)
    table = plots.mean_weights(joined.weights(inputs.weights, params.rows, params.folds, tested))
    figure = plots.weights(table, dict(zip(params.test_sets, colours.COLOURS)), params.ends)
    canvas.heading(figure, "Weight of the residual map", params.simulated)
    canvas.save(figure, snakemake.output.figure)
    tsv.write(table, snakemake.output.table)
