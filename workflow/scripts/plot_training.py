"""Rule plot_training: training and validation loss of every model, one line per fold."""

from uad.base import logs, tsv
from uad.report import canvas, plots

with logs.job(snakemake.log[0]):
    folds = snakemake.params.folds
    paths = iter(snakemake.input)
    histories = {model: [tsv.read(next(paths)) for _ in folds] for model in snakemake.params.models}
    figure = plots.training(histories, folds)
    canvas.heading(figure, "Training (pale) and validation (full) loss", snakemake.params.simulated)
    canvas.save(figure, snakemake.output[0])
