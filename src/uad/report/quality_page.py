"""Quality of a data set's preprocessing: outliers by robust z-scores, and a page to look at them.

The score is Iglewicz and Hoaglin's (1993): distance from the median in units of the scaled median
absolute deviation; beyond 3.5 a value is an outlier. An outlier is something to look at, not an
error: nothing is excluded by it.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from uad.base import colours, tsv
from uad.report import pages
from uad.report.numbers import DASH, number

OUTLIER = 3.5
SHOWN = 60  # pictures in a page, which has to stay below 5 MB

# Name, unit and decimals of the numbers that `quality.measure` and the registration write; others,
# should the registration report more, are shown under their key.
NUMBERS = {
    "similarity": ("similarity", "", 3),
    "coverage": ("coverage", "", 3),
    "scale_min": ("least stretch", "", 3),
    "scale_max": ("greatest stretch", "", 3),
    "starts": ("searches", "", 0),
    "brain_ml": ("brain", "ml", 0),
    "dice_atlas": ("Dice with atlas", "", 3),
    "noise_percent": ("noise", "%", 2),
    "field_ratio": ("bias field ratio", "", 2),
    "lesion_ml": ("lesion", "ml", 2),
    "lesion_inside": ("lesion in brain", "", 3),
    "lesion_contrast": ("lesion contrast", "%", 1),
    "lesion_kept": ("lesion kept", "%", 1),
}
LOGARITHMIC = ("lesion_ml",)  # from some mm³ to hundreds of ml: outliers only on this scale
# Outliers only when low.
HIGH_IS_GOOD = ("similarity", "coverage", "dice_atlas", "lesion_inside", "lesion_kept")


def _about(name: str) -> tuple[str, str, int]:
    return NUMBERS.get(name, (name.replace("_", " "), "", 3))


def heading(name: str) -> str:
    """What a number is called, with its unit."""
    title, unit, _ = _about(name)
    return f"{title}, {unit}" if unit else title


def shown(name: str, value: float) -> str:
    """A value of a number, with its decimals."""
    return number(value, _about(name)[2])


def sentence(name: str, value: float) -> str:
    """What a number is called, its value and its unit."""
    title, unit, _ = _about(name)
    return f"{title} {shown(name, value)} {unit}".rstrip()


def robust_z(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Distance from the median in robust standard deviations.

    The deviation is 1.4826 times the median absolute deviation; where more than half of the values
    are equal, 1.2533 times the mean one; never below 0.5 % of the median, so that subjects which
    are all but equal flag nobody.

    Parameters
    ----------
    values : ndarray of float, shape (N,)
        NaN where missing, minus infinity allowed.
    reference : ndarray of bool, shape (N,)
        Subjects that median and deviation are taken of.

    Returns
    -------
    ndarray of float, shape (N,)
        NaN where the value is missing.
    """
    known = values[reference & ~np.isnan(values)]
    if not len(known) or not np.isfinite(median := np.median(known)):
        return np.full(len(values), np.nan)
    away = np.abs(known - median)
    deviation = 1.4826 * np.median(away) or 1.2533 * away[np.isfinite(away)].mean()
    # Where all others are equal, even if zero, a different value still stands out.
    return (values - median) / max(deviation, 0.005 * abs(median), 1e-9)


def with_lesion_kept(
    rows: Sequence[Mapping[str, Any]], packed: pd.DataFrame
) -> list[dict[str, Any]]:
    """Rows with `lesion_kept`, what cropping and downsampling keep of the lesion's volume.

    Parameters
    ----------
    rows : list of dict
        As for `table`; `lesion_ml` is that of the registered scan.
    packed : DataFrame
        `subjects.tsv` of the packed data set: `subject` and `lesion_ml`, ml.

    Returns
    -------
    list of dict
        Per cent, somewhat above 100 where rounding to larger voxels adds some; None without a
        lesion and for subjects that are not packed.
    """
    after = dict(zip(packed["subject"], packed["lesion_ml"]))
    found = []
    for row in rows:
        before, kept = row.get("lesion_ml"), after.get(row["subject"])
        known = before and kept is not None
        found.append({**row, "lesion_kept": 100 * kept / before if known else None})
    return found


class Quality(NamedTuple):
    """Numbers of all subjects, worst first, as `table` makes them."""

    subjects: pd.DataFrame
    scores: pd.DataFrame
    excluded: pd.DataFrame


def table(rows: Sequence[Mapping[str, Any]], excluded: pd.DataFrame) -> Quality:
    """Numbers, scores and remarks of all subjects, worst first.

    Parameters
    ----------
    rows : list of dict
        What `measure_quality` wrote: `subject` and numbers; texts and other values are left out.
    excluded : DataFrame
        `subject` and `status`, the reason; also of subjects that were excluded before they could be
        measured, and of files that were left out before registration.

    Returns
    -------
    subjects : DataFrame
        `subject`, the numbers, `excluded` (reason or empty), `worst_z` (largest absolute score) and
        `remarks` (outliers in words), sorted: excluded ones, then by `worst_z`.
    scores : DataFrame
        Robust z-score of each number, in the same order.
    excluded : DataFrame
        As given.
    """
    reasons = dict(zip(excluded["subject"], excluded["status"]))
    subjects = pd.DataFrame({"subject": [row["subject"] for row in rows]})
    reason = subjects["subject"].map(reasons).fillna("")
    kept = (reason == "").to_numpy()
    scores = pd.DataFrame(index=subjects.index)
    remarks = [[] for _ in rows]
    for name in _numbers(rows):
        values = np.array([_number(row.get(name)) for row in rows])
        subjects[name] = values
        scale = values
        if name in LOGARITHMIC:
            with np.errstate(divide="ignore"):
                scale = np.log10(values)
        scores[name] = robust_z(scale, kept)
        if name in HIGH_IS_GOOD:
            scores[name] = scores[name].clip(upper=0)
        median = shown(name, np.nanmedian(values[kept])) if kept.any() else DASH
        for i in np.flatnonzero(scores[name].abs() > OUTLIER):
            side = "above" if scores[name][i] > 0 else "below"
            remarks[i].append(f"{sentence(name, values[i])} is far {side} the median {median}")
    subjects["excluded"] = reason
    subjects["worst_z"] = scores.abs().max(axis=1).fillna(0)
    subjects["remarks"] = ["; ".join(sentences) for sentences in remarks]
    order = subjects.assign(kept=kept).sort_values(
        ["kept", "worst_z"], ascending=[True, False], kind="stable"
    )
    return Quality(
        subjects.loc[order.index].reset_index(drop=True),
        scores.loc[order.index].reset_index(drop=True),
        excluded,
    )


def _numbers(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys that hold a number other than zero somewhere; healthy data sets have no lesions."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return [k for k in keys if any(np.nan_to_num(_number(row.get(k))) for row in rows)]


def _number(value: Any) -> float:
    """A finite number as float, anything else as NaN."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and np.isfinite(value) else np.nan


def write(
    path: str | Path,
    quality: Quality,
    pictures: Mapping[str, str | Path],
    title: str,
    simulated: bool,
) -> None:
    """Summary, distributions, pictures of the worst and a table of all, as one page.

    Parameters
    ----------
    path : path-like
        The page links pictures relative to its folder.
    quality : Quality
        From `table`.
    pictures : dict of str to path-like
        Picture of each subject.
    title : str
        Of the data set.
    simulated : bool
    """
    subjects, scores, excluded = quality
    names, flagged = list(scores.columns), scores.abs() > OUTLIER
    lines = [
        _line(line, flags, pictures[line["subject"]], Path(path).parent)
        for (_, line), (_, flags) in zip(subjects.iterrows(), flagged.iterrows())
    ]
    pages.write(
        path,
        "quality_page.html.j2",
        title=f"Quality of preprocessing: {title}",
        simulated=simulated,
        counts={
            "subjects": len(lines),
            "excluded": len(excluded),
            "flagged": sum(line["state"] == "flagged" for line in lines),
        },
        excluded=list(zip(excluded["subject"], excluded["status"])),
        charts=[_chart(name, subjects, flagged[name].to_numpy()) for name in names],
        cards=[_card(line, pictures[line["name"]]) for line in lines[:SHOWN]],
        rows=lines,
        columns=[
            ("subject", False),
            ("largest |z|", True),
            *((heading(name), True) for name in names),
            ("remarks", False),
        ],
        outlier=OUTLIER,
        colours=colours,
    )


def write_table(subjects: pd.DataFrame, path: str | Path) -> None:
    """Subjects, worst first, as TSV."""
    tsv.write(subjects.replace({"excluded": {"": None}, "remarks": {"": None}}), path)


def _line(line: pd.Series, flags: pd.Series, picture: str | Path, folder: Path) -> dict[str, Any]:
    """A subject as the templates take it: texts, and which numbers are flagged."""
    state = "excluded" if line["excluded"] else "flagged" if line["remarks"] else "unremarkable"
    return {
        "name": line["subject"],
        "state": state,
        "link": Path(os.path.relpath(picture, folder)).as_posix(),
        "z": number(line["worst_z"]) if line["worst_z"] < 1000 else "∞",
        "remarks": "; ".join(text for text in (line["excluded"], line["remarks"]) if text),
        "numbers": [
            {
                "text": shown(name, line[name]),
                "flagged": flag,
                "sentence": sentence(name, line[name]),
            }
            for name, flag in flags.items()
        ],
    }


def _card(line: Mapping[str, Any], picture: str | Path) -> dict[str, Any]:
    """A subject with its picture and, in words, the numbers that it has."""
    data = base64.b64encode(Path(picture).read_bytes()).decode()
    return {
        **line,
        "picture": f"data:image/jpeg;base64,{data}",
        "numbers": [
            {"text": n["sentence"], "flagged": n["flagged"]}
            for n in line["numbers"]
            if n["text"] != DASH
        ],
    }


WIDTH, HEIGHT, BASE = 270, 120, 96  # of a chart, and where its bars stand; pixels


class Bar(NamedTuple):
    """A bar of a chart, in pixels; `kind` is `plain` or `marked`."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str


class Tick(NamedTuple):
    """A number below the axis of a chart; `anchor` as SVG has it."""

    x: float
    anchor: str
    text: str


class Chart(NamedTuple):
    """A histogram, which the template draws; `most` subjects in one bar."""

    heading: str
    logarithmic: bool
    n_flagged: int
    most: int
    bars: list[Bar]
    ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    base: int = BASE


def _chart(name: str, subjects: pd.DataFrame, flagged: np.ndarray) -> Chart:
    """Histogram of a number; flagged subjects on top of the bars, named when pointed at."""
    values, names = subjects[name].to_numpy(), subjects["subject"].to_numpy()
    there = np.isfinite(values)
    values, names, flagged = values[there], names[there], flagged[there]
    logarithmic = name in LOGARITHMIC
    scale = np.log10(np.maximum(values, values[values > 0].min())) if logarithmic else values
    # Values far off stand at the end of the axis, or the rest would share one bar.
    low, high = np.percentile(scale, (1, 99))
    margin = max(high - low, 0.005 * abs(high), 1e-6)
    ends = max(scale.min(), low - margin), min(scale.max(), high + margin)
    if ends[0] == ends[1]:
        ends = ends[0] - margin, ends[1] + margin
    edges = np.linspace(*ends, int(np.clip(2 * np.sqrt(len(scale)), 8, 30)) + 1)
    bins = np.clip(np.searchsorted(edges, scale, "right") - 1, 0, len(edges) - 2)
    counts = np.bincount(bins, minlength=len(edges) - 1)
    beyond = "≤ " if scale.min() < ends[0] else "", "", "≥ " if scale.max() > ends[1] else ""
    places = zip((10, WIDTH / 2, WIDTH - 10), ("start", "middle", "end"), np.linspace(*ends, 3))
    return Chart(
        heading(name),
        logarithmic,
        int(flagged.sum()),
        counts.max(),
        _bars(counts, [names[(bins == i) & flagged] for i in range(len(counts))]),
        [
            Tick(x, anchor, sign + shown(name, 10**value if logarithmic else value))
            for sign, (x, anchor, value) in zip(beyond, places)
        ],
    )


def _bars(counts: np.ndarray, flagged: Sequence[np.ndarray]) -> list[Bar]:
    """Bars of subjects without a flag, and on top of them those of the named ones."""
    unit, width = (BASE - 22) / counts.max(), (WIDTH - 20) / len(counts)
    bars = []
    for i, (n, names) in enumerate(zip(counts, flagged)):
        plain = n - len(names)
        x, top = 10 + i * width, BASE - unit * plain
        if plain:
            title = f"{plain} subject(s)"
            bars.append(Bar("plain", x, top, max(width - 1, 1), unit * plain, title))
        if len(names):
            title = f"flagged: {', '.join(names[:8])}" + (" …" if len(names) > 8 else "")
            height = max(unit * len(names), 4)  # one of thousands is still seen
            bars.append(Bar("marked", x, top - height, max(width - 1, 1), height, title))
    return bars
