"""Pages of single test subjects.

A subject's page has its scan in three planes with the maps of every row, and where its values are
among those of all test subjects. Maps and reconstructions are those of one fold, numbers in tables
are means over folds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uad.base.errors import InputError
from uad.data.packed import Pack, PackedVolume
from uad.evaluation import map_pictures
from uad.evaluation.map_pictures import Kept
from uad.imaging import mosaic
from uad.report import pages
from uad.report.details import COLUMNS, WIDTH, Run, strip, top_of
from uad.report.numbers import DASH, number, percent


def write(
    folder: str | Path,
    run: Run,
    test_set: str,
    per_subject: pd.DataFrame,
    chosen: Mapping[str, Sequence[tuple[str, str]]],
    kept: Mapping[str, Kept],
    pack: Pack,
    metrics: pd.DataFrame,
) -> None:
    """Write the pages of a test set's chosen subjects.

    Parameters
    ----------
    folder : path-like
    run, test_set, per_subject
        As for `subjects_page.write`.
    chosen : mapping
        Subjects and why, from `chosen.choose`.
    kept : dict of str to Kept
        Maps of every row that is not a control.
    pack : Pack
        Of the test set's data set.
    metrics : DataFrame
        Per row, subject and fold.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    lines = per_subject.xs(test_set, level="test_set")
    of_fold = metrics[(metrics["test_set"] == test_set) & (metrics["fold"] == run.fold)]
    thresholds = of_fold.set_index(["row", "subject"])[["threshold", "dice_val"]]
    names = list(chosen)
    top = top_of(lines)
    by_row = {row: lines.loc[row] for row in run.rows}
    for position, subject in enumerate(names):
        volume = pack.volume(subject)
        pages.write(
            Path(folder) / f"{subject}.html",
            "subject_page.html.j2",
            title=f"{subject}, {test_set.upper()}",
            home="../../index.html",
            simulated=run.simulated,
            subject=subject,
            test_set=test_set,
            fold=run.fold,
            n_folds=len(run.folds),
            n_subjects=len(by_row[next(iter(run.rows))]),
            lesion=number(float(by_row[next(iter(run.rows))].loc[subject, "lesion_ml"]), 2),
            quality=f"../../qc/{run.test_sets[test_set]}.html"
            if test_set in run.registered
            else "",
            reasons=_reasons(run, chosen[subject]),
            before=names[position - 1] if position else "",
            after=names[position + 1] if position + 1 < len(names) else "",
            viewer=viewer(run, test_set, volume, kept, thresholds, _best(by_row, subject, kept)),
            columns=[heading for heading, _ in COLUMNS.values()],
            rows=[_row(run, row, by_row[row], subject, top) for row in run.rows],
            top=percent(top, 0),
            width=WIDTH,
        )


def _reasons(run: Run, reasons: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Why a subject has a page: rows by rank, with their labels, and a remark."""
    found = []
    for kind in dict.fromkeys(kind for kind, _ in reasons):
        about = [of for of_kind, of in reasons if of_kind == kind]
        rows = [] if kind == "flagged" else [(row, run.label(row)) for row in about]
        found.append({"kind": kind, "rows": rows, "text": about[0] if not rows else ""})
    return found


def _best(by_row, subject, kept):
    """The row with a map that does best on a subject: what one wants to see first."""
    dice = pd.Series({row: by_row[row].loc[subject, "dice_best"] for row in kept})
    return next(iter(kept)) if dice.isna().all() else dice.idxmax()


def _row(run, row, values, subject, top):
    """A row of a subject's table."""
    line, dice = values.loc[subject], values["dice_best"]
    here = line["dice_best"]
    rank = f"{(dice > here).sum() + 1} of {dice.notna().sum()}" if pd.notna(here) else DASH
    return {
        "row": row,
        "label": run.label(row),
        "cells": [show(line[column]) for column, (_, show) in COLUMNS.items()],
        "rank": rank,
        "strip": strip(dice, here, top),
    }


def viewer(
    run: Run,
    test_set: str,
    volume: PackedVolume,
    kept: Mapping[str, Kept],
    thresholds: pd.DataFrame,
    first: str,
) -> dict[str, Any]:
    """What `viewer.html.j2` shows of a subject.

    Parameters
    ----------
    run, test_set, kept
        As for `write`.
    volume : PackedVolume
    thresholds : DataFrame
        `threshold` and `dice_val` by row and subject, of the fold whose maps are shown.
    first : str
        Row whose map the page begins with.
    """
    subject = volume.subject
    scan, lesion = (
        map_pictures.boxed(array, volume.brain)
        for array in (volume.image * volume.brain, volume.lesion)
    )
    pictures = {"scan": ("scan", mosaic.encode(map_pictures.scaled(scan, 1)))}
    alone = {}  # models whose reconstruction is there
    for row, of_row in kept.items():
        healthy = of_row.picture(test_set, subject, "healthy")
        if healthy:
            alone[run.rows[row]["maps"][0]] = row
            pictures[row] = (f"reconstruction by {run.label(row)}", healthy)
    maps = []
    for row, of_row in kept.items():
        about = of_row.about(test_set, subject)
        if about.shape != list(scan.shape):
            raise InputError(
                f"The map of {row} for {test_set} {subject} has the shape {about.shape}, its scan "
                f"{list(scan.shape)}; delete figures/data/maps/{row}.zip and run again"
            )
        models = run.rows[row]["maps"]
        maps.append(
            {
                "label": run.label(row) + (", zero everywhere" if not about.peak else ""),
                "url": mosaic.url(of_row.picture(test_set, subject)),
                "peak": about.peak or 1,
                "picture": next((alone[m] for m in models if m in alone), None),
                "cuts": _cuts(about, thresholds.loc[(row, subject)]),
                "dice": about.dice,
            }
        )
    there = volume.lesion if volume.lesion.any() else volume.brain
    z = int(map_pictures.boxed(there, volume.brain).sum(axis=(0, 1)).argmax())
    plane = np.argwhere(map_pictures.boxed(there, volume.brain)[..., z])
    middle = plane[len(plane) // 2] if len(plane) else [n // 2 for n in scan.shape[:2]]
    outline = mosaic.encode(lesion.astype(np.uint8) * 255, "PNG") if lesion.any() else None
    return {
        "shape": list(scan.shape),
        "columns": mosaic.columns(scan.shape),
        "start": [int(middle[0]), int(middle[1]), z],
        "pictures": {
            name: {"label": label, "url": mosaic.url(picture)}
            for name, (label, picture) in pictures.items()
        },
        "maps": maps,
        "chosen": list(kept).index(first),
        "lesion": mosaic.url(outline) if outline else None,
    }


def _cuts(about: map_pictures.MapPicture, known: pd.Series) -> list[dict[str, Any]]:
    """Thresholds to go to at once: that of the validation subjects, and the best of the steps."""
    found = []
    if pd.notna(known["threshold"]):
        dice = None if pd.isna(known["dice_val"]) else float(known["dice_val"])
        found.append({"name": "validation threshold", "value": known["threshold"], "dice": dice})
    if about.dice:
        best = int(np.argmax(about.dice))
        value = float(map_pictures.thresholds(about.peak)[best])
        found.append({"name": "best Dice", "value": value, "dice": about.dice[best]})
    return found
