"""Rule plot_training: training and validation loss of every model, one line per fold."""

import itertools
import math

from uad import figures, logs, packed

with logs.job(snakemake.log[0]):
    models, folds = snakemake.params.models, snakemake.params.folds
    columns = min(4, len(models))
    figure, axes = figures.grid(math.ceil(len(models) / columns), columns, (2.6, 2.1))
    histories = iter(snakemake.input)
    for panel in axes.ravel()[len(models) :]:
        panel.set_axis_off()
    for panel, model in zip(axes.ravel(), models):
        for fold, colour in zip(folds, itertools.cycle(figures.COLOURS)):
            history = packed.read_table(next(histories))
            panel.plot(
                history["epoch"], history["train_loss"], color=colour, alpha=0.35, linewidth=1
            )
            validated = history.dropna(subset=["val_loss"])
            best = validated.loc[validated["val_loss"].idxmin()]
            panel.plot(
                validated["epoch"], validated["val_loss"], color=colour, label=f"fold {fold}"
            )
            panel.plot(best["epoch"], best["val_loss"], "o", color=colour, markersize=4)
        panel.set(title=model, yscale="log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter(figures.sparse_labels)
    for panel in axes[-1]:
        panel.set_xlabel("epoch")
    for line in axes:
        line[0].set_ylabel("loss")
    axes[0, 0].legend(frameon=False)
    figures.heading(
        figure, "Training (pale) and validation (full) loss", snakemake.params.simulated
    )
    figures.save(figure, snakemake.output[0])
