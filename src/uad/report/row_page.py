"""The page of a row of Table 1: every subject's scores, examples, training, thresholds, costs."""

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

from uad.base import colours
from uad.data.packed import Pack
from uad.evaluation import map_pictures
from uad.evaluation.map_pictures import Kept
from uad.imaging import mosaic
from uad.report import canvas, chosen, method_page, pages, plots
from uad.report.blocks import BLOCKS
from uad.report.costs import measured
from uad.report.details import COLUMNS, WIDTH, Run, strip, top_of
from uad.report.numbers import DASH, duration, memory, number, percent
from uad.report.pictures import SCORE

# Thresholds of the pooled metrics: column, and what they are chosen by.
THRESHOLDS = {
    "threshold_val": "best Dice of validation subjects",
    "threshold_fpr1": "1 % of healthy voxels above",
    "threshold_fpr5": "5 %",
    "threshold_fpr10": "10 %",
}
MEANS = ("dice_best", "auprc", "dice_val")
QUALITY = 60  # of the examples, WebP


def write(
    path: str | Path,
    run: Run,
    row: str,
    per_subject: pd.DataFrame,
    pooled: pd.DataFrame,
    linked: Mapping[str, Mapping[str, Sequence]],
    kept: Kept | None,
    packs: Mapping[str, Pack],
    histories: Mapping[str, Sequence[pd.DataFrame]],
    models: Sequence[str],
    root: str | Path,
) -> None:
    """Write the page of a row.

    Parameters
    ----------
    path : path-like
    run : Run
    row : str
    per_subject : DataFrame
        From `chosen.means`.
    pooled : DataFrame
        Pooled metrics of all rows and folds.
    linked : dict of str to mapping
        Subjects that have a page, by test set.
    kept : Kept or None
        Pictures of its maps; a control has none.
    packs : dict of str to Pack
        By test set.
    histories : dict of str to list of DataFrame
        `history.tsv` of each of its models that learns, by fold.
    models : sequence of str
        Its own, and those that they stand on.
    root : path-like
        Results folder, for the benchmark files.
    """
    lines = per_subject.loc[row]
    values = {name: lines.loc[name] for name in run.test_sets}
    of_row = pooled[pooled["row"] == row]
    block = run.rows[row]
    pages.write(
        path,
        "row_page.html.j2",
        title=run.label(row),
        simulated=run.simulated,
        row=row,
        block=BLOCKS.get(block["block"], block["block"]),
        maps=block["maps"],
        methods=list(dict.fromkeys(model.partition("-")[0] for model in models)),
        n_folds=len(run.folds),
        fold=run.fold,
        sets=[
            _set(run, row, name, values[name], linked.get(name, {}), kept, packs[name])
            for name in run.test_sets
        ],
        width=WIDTH,
        columns=[heading for heading, _ in COLUMNS.values()],
        curves=canvas.inline_svg(plots.training(histories, run.folds)) if histories else "",
        thresholds=[
            [line["test_set"].upper(), line["fold"], *(number(line[key], 4) for key in THRESHOLDS)]
            for _, line in of_row.iterrows()
        ],
        ways=list(THRESHOLDS.values()),
        costs=_costs(root, row, models, run.folds),
        DASH=DASH,
    )


def _set(run, row, test_set, values, linked, kept, pack):
    """What the page says of a test set."""
    dice, top = values["dice_best"], top_of(values)
    examples = chosen.ranked(values) if kept else {}
    return {
        "name": test_set,
        "n": len(values),
        "means": [percent(values[key].mean()) for key in MEANS],
        "strip": strip(dice, np.nan, top)._asdict() | {"top": percent(top, 0)},
        "examples": [
            {
                "rank": rank,
                "subject": subject,
                "dice": percent(dice[subject]),
                "source": example(kept, test_set, subject, pack),
                "page": f"../subjects/{test_set}/{subject}.html" if subject in linked else "",
            }
            for rank, subject in examples.items()
        ],
        "lines": [
            {
                "subject": subject,
                "page": f"../subjects/{test_set}/{subject}.html" if subject in linked else "",
                "lesion": number(line["lesion_ml"], 2),
                "cells": [show(line[column]) for column, (_, show) in COLUMNS.items()],
            }
            for subject, line in values.iterrows()
        ],
    }


def example(kept: Kept, test_set: str, subject: str, pack: Pack) -> str:
    """The slice with the largest lesion: scan, and the row's map; the lesion outlined in both.

    Returns
    -------
    str
        A URL that holds the picture.
    """
    volume = pack.volume(subject)
    about = kept.about(test_set, subject)
    lesion = map_pictures.boxed(volume.lesion, volume.brain)
    z = int(lesion.sum(axis=(0, 1)).argmax())
    scan = map_pictures.boxed(volume.image * volume.brain, volume.brain)[..., z]
    score = mosaic.decode(kept.picture(test_set, subject), about.shape)[..., z]
    inside = lesion[..., z]
    padded = np.pad(inside, 1)
    core = padded[1:-1, 2:] & padded[1:-1, :-2] & padded[2:, 1:-1] & padded[:-2, 1:-1]
    edge = inside & ~core
    pair = []
    for values, name, colour in ((scan, "gray", colours.LESION), (score / 255, SCORE, "#ffffff")):
        rgb = matplotlib.colormaps[name](np.clip(values, 0, 1))[..., :3]
        rgb[edge] = matplotlib.colors.to_rgb(colour)
        pair.append(rgb.transpose(1, 0, 2))  # y downwards
    buffer = io.BytesIO()
    picture = Image.fromarray(np.round(255 * np.hstack(pair)).astype(np.uint8))
    larger = (2 * picture.width, 2 * picture.height)
    picture.resize(larger, Image.Resampling.NEAREST).save(buffer, "WEBP", quality=QUALITY)
    return mosaic.url(buffer.getvalue())


def _costs(
    root: str | Path, row: str, models: Sequence[str], folds: Sequence[int]
) -> list[list[Any]]:
    """Time and memory of its models and of its evaluation, by fold."""
    found = []
    for model, fold in itertools.product(models, folds):
        jobs = method_page.costs(root, model, fold).values()
        texts = [text for s, mib in jobs for text in (duration(s), memory(mib / 1024))]
        found.append([model, fold, *texts, DASH, DASH])
    for fold in folds:
        seconds, mebibytes = measured([Path(root) / f"benchmarks/evaluate/{row}/fold-{fold}.tsv"])
        texts = [duration(seconds), memory(mebibytes / 1024)]
        found.append([f"row {row}", fold, *[DASH] * 6, *texts])
    return found
