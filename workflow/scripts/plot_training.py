"""Rule plot_training: training and validation loss of every model, one line per fold."""

from uad import figures, logs, packed, plots

with logs.job(snakemake.log[0]):
    folds = snakemake.params.folds
    paths = iter(snakemake.input)
    histories = {
        model: [packed.read_table(next(paths)) for _ in folds] for model in snakemake.params.models
    }
    figure = plots.training(histories, folds)
    figures.heading(
        figure, "Training (pale) and validation (full) loss", snakemake.params.simulated
    )
    figures.save(figure, snakemake.output[0])
