"""The plot of trainings: losses, the best epoch, steps, time and Dice."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from uad.report import plots


def history(seconds, dice=None, **more):
    """Four epochs, validated in every second."""
    columns = {
        "epoch": [1, 2, 3, 4], "steps": [250] * 4, "train_loss": [0.9, 0.7, 0.6, 0.5],
        "val_loss": [np.nan, 0.4, np.nan, 0.45], "val_dice": [np.nan] * 4,
        "seconds": [seconds / 4] * 4,
    }  # fmt: skip
    if dice:
        columns["val_dice"] = [np.nan, dice[0], np.nan, dice[1]]
    return pd.DataFrame(columns | more)


@pytest.fixture
def drawn():
    figures = []

    def draw(histories):
        figures.append(plots.training(histories, [0, 1]))
        return {panel.get_title(): panel for panel in figures[-1].axes if panel.axison}

    yield draw
    for figure in figures:
        plt.close(figure)


def test_headings_have_steps_and_mean_time(drawn):
    panels = drawn({"ae": [history(60), history(120)], "unet": [history(7200), history(7200)]})
    assert set(panels) == {"ae\n1,000 steps, 1 min 30 s", "unet\n1,000 steps, 2 h 0 min"}


def test_losses_and_the_epoch_in_use(drawn):
    (panel,) = drawn({"ae": [history(1), history(1)]}).values()
    training, validation, best = panel.lines[:3]
    assert list(training.get_ydata()) == [0.9, 0.7, 0.6, 0.5]
    assert list(validation.get_ydata()) == [0.4, 0.45]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (2, 0.4)


def test_dice_of_validation_has_an_axis_of_its_own(drawn):
    histories = [history(1, (0.25, 0.5)), history(1)]  # the second fold has no lesion to validate
    panels = drawn({"unet-brats": histories, "ae": [history(1), history(1)]})
    assert len(panels) == 3
    right = panels[""]
    (line,) = right.lines
    assert list(line.get_xdata()) == [2, 4] and list(line.get_ydata()) == [25, 50]
    assert right.get_ylim() == (0, 100) and right.get_ylabel() == "Dice, %"
    first = panels["unet-brats\n1,000 steps, 1 s"]
    assert line.get_color() == first.lines[0].get_color()


def test_an_imported_model_has_no_steps(drawn):
    imported = history(0, steps=np.nan)
    assert set(drawn({"cddpm": [imported, imported]})) == {"cddpm\n0 s"}
