"""Rule plot_training: training and validation loss of every model, one line per fold."""

from uad.base import logs
from uad.report import canvas, joined, plots

with logs.job(snakemake.log[0]):
    params = snakemake.params
    histories = joined.histories(snakemake.input, params.epochs, params.folds)
    figure = plots.training(histories, params.folds)
    canvas.heading(figure, "Training (pale) and validation (full) loss", params.simulated)
    canvas.save(figure, snakemake.output[0])
