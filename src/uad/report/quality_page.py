"""Quality of a data set's preprocessing: outliers by robust z-scores, and a page to look at them.

The score is Iglewicz and Hoaglin's (1993): distance from the median in units of the scaled median
absolute deviation; beyond 3.5 a value is an outlier. An outlier is something to look at, not an
error: nothing is excluded by it.
"""

import base64
import json
import os
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from uad.base import colours, tsv
from uad.report import pages

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
}
LOGARITHMIC = ("lesion_ml",)  # from some mm³ to hundreds of ml: outliers only on this scale
HIGH_IS_GOOD = ("similarity", "coverage", "dice_atlas", "lesion_inside")  # outliers only when low


def _about(number):
    return NUMBERS.get(number, (number.replace("_", " "), "", 3))


def heading(number):
    """Name of a number, with its unit."""
    name, unit, _ = _about(number)
    return f"{name}, {unit}" if unit else name


def shown(number, value):
    """A value as text, a dash if it is missing."""
    return f"{value:.{_about(number)[2]}f}" if np.isfinite(value) else "–"


def sentence(number, value):
    """Name, value and unit."""
    name, unit, _ = _about(number)
    return f"{name} {shown(number, value)} {unit}".rstrip()


def robust_z(values, reference):
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
    # A data set of equal values still tells a different one, even if they are all zero.
    return (values - median) / max(deviation, 0.005 * abs(median), 1e-9)


def table(rows, excluded):
    """Numbers, scores and remarks of all subjects, worst first.

    Parameters
    ----------
    rows : list of dict
        What `measure_quality` wrote: `subject` and numbers; texts and other values are left out.
    excluded : DataFrame
        `subject` and `status`, the reason.

    Returns
    -------
    subjects : DataFrame
        `subject`, the numbers, `excluded` (reason or empty), `worst_z` (largest absolute score) and
        `remarks` (outliers in words), sorted: excluded ones, then by `worst_z`.
    scores : DataFrame
        Robust z-score of each number, in the same order.
    """
    reasons = dict(zip(excluded["subject"], excluded["status"]))
    subjects = pd.DataFrame({"subject": [row["subject"] for row in rows]})
    reason = subjects["subject"].map(reasons).fillna("")
    kept = (reason == "").to_numpy()
    scores = pd.DataFrame(index=subjects.index)
    remarks = [[] for _ in rows]
    for number in _numbers(rows):
        values = np.array([_number(row.get(number)) for row in rows])
        subjects[number] = values
        scale = values
        if number in LOGARITHMIC:
            with np.errstate(divide="ignore"):
                scale = np.log10(values)
        scores[number] = robust_z(scale, kept)
        if number in HIGH_IS_GOOD:
            scores[number] = scores[number].clip(upper=0)
        median = shown(number, np.nanmedian(values[kept])) if kept.any() else "–"
        for i in np.flatnonzero(scores[number].abs() > OUTLIER):
            side = "above" if scores[number][i] > 0 else "below"
            remarks[i].append(f"{sentence(number, values[i])} is far {side} the median {median}")
    subjects["excluded"] = reason
    subjects["worst_z"] = scores.abs().max(axis=1).fillna(0)
    subjects["remarks"] = ["; ".join(sentences) for sentences in remarks]
    order = subjects.assign(kept=kept).sort_values(
        ["kept", "worst_z"], ascending=[True, False], kind="stable"
    )
    return (
        subjects.loc[order.index].reset_index(drop=True),
        scores.loc[order.index].reset_index(drop=True),
    )


def _numbers(rows):
    """Keys that hold a number other than zero somewhere; healthy data sets have no lesions."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return [k for k in keys if any(np.nan_to_num(_number(row.get(k))) for row in rows)]


def _number(value):
    """A finite number as float, anything else as NaN."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and np.isfinite(value) else np.nan


def read_rows(paths):
    """The JSON files of all subjects."""
    return [json.loads(Path(path).read_text()) for path in paths]


def write(subjects, scores, pictures, excluded, title, simulated, path):
    """Summary, distributions, pictures of the worst and a table of all, as one page.

    Parameters
    ----------
    subjects, scores : DataFrame
        From `table`.
    pictures : dict of str to path-like
        Picture of each subject.
    excluded : DataFrame
        `subject` and `status`; also of subjects and files that were left out before registration.
    title : str
    simulated : bool
    path : path-like
        The table links pictures relative to its folder.
    """
    numbers = list(scores.columns)
    flagged = scores.abs() > OUTLIER
    folder = Path(path).parent
    links = {s: Path(os.path.relpath(p, folder)).as_posix() for s, p in pictures.items()}
    cards = [
        _card(line, numbers, flags, pictures[line["subject"]])
        for (_, line), (_, flags) in zip(subjects[:SHOWN].iterrows(), flagged.iterrows())
    ]
    body = _BODY.format(
        summary=_summary(subjects, excluded),
        excluded=_excluded(excluded),
        charts="\n".join(
            _chart(number, subjects, flagged[number].to_numpy()) for number in numbers
        ),
        gallery="All subjects" if len(cards) == len(subjects) else f"The {len(cards)} worst",
        cards="\n".join(cards),
        heads="".join(
            f'<th><button data-n="{int(column not in ("subject", "remarks"))}">{head}</button></th>'
            for column, head in [
                ("subject", "subject"), ("worst_z", "largest |z|"),
                *((number, escape(heading(number))) for number in numbers), ("remarks", "remarks"),
            ]
        ),
        rows="\n".join(
            _row(line, numbers, flags, links[line["subject"]])
            for (_, line), (_, flags) in zip(subjects.iterrows(), flagged.iterrows())
        ),
        atlas=colours.ATLAS, brain=colours.BRAIN, lesion=colours.LESION, outlier=OUTLIER,
    )  # fmt: skip
    warnings = [pages.SIMULATED] if simulated else []
    pages.write(path, f"Quality of preprocessing: {title}", body + _SCRIPT, warnings, _STYLE)


def write_table(subjects, path):
    """Subjects, worst first, as TSV."""
    tsv.write(subjects.replace({"excluded": {"": None}, "remarks": {"": None}}), path)


def _state(line):
    return "excluded" if line["excluded"] else "flagged" if line["remarks"] else "unremarkable"


def _summary(subjects, excluded):
    states = [_state(line) for _, line in subjects.iterrows()]
    return (
        f"<b>{len(states)}</b> subjects registered, <b>{len(excluded)}</b> excluded, "
        f"<b>{states.count('flagged')}</b> of the others flagged"
    )


def _excluded(excluded):
    if excluded.empty:
        return "<p>Nobody is excluded.</p>"
    items = "".join(
        f"<li><b>{escape(s)}</b>: {escape(reason)}</li>"
        for s, reason in zip(excluded["subject"], excluded["status"])
    )
    return f'<p>Excluded from training and evaluation:</p>\n<ul class="excluded">{items}</ul>'


def _words(line):
    """Why a subject is looked at."""
    return escape("; ".join(text for text in (line["excluded"], line["remarks"]) if text))


def _card(line, numbers, flags, picture):
    """Picture, name, numbers and remarks of one subject."""
    data = base64.b64encode(Path(picture).read_bytes()).decode()
    values = ", ".join(
        f"<span>{_marked(escape(sentence(n, line[n])), flags[n])}</span>"
        for n in numbers
        if np.isfinite(line[n])
    )
    state, name, words = _state(line), escape(line["subject"]), _words(line)
    mark = "" if state == "unremarkable" else f' <span class="state">{state}</span>'
    return (
        f'<figure class="{state}"><img alt="{name}: axial, coronal and sagittal plane" '
        f'src="data:image/jpeg;base64,{data}"><figcaption><b>{name}</b>{mark}<br>{values}'
        + (f"<br><i>{words}</i>" if words else "")
        + "</figcaption></figure>"
    )


def _row(line, numbers, flags, link):
    z = f"{line['worst_z']:.1f}" if line["worst_z"] < 1000 else "∞"
    cells = "".join(f"<td>{_marked(shown(n, line[n]), flags[n])}</td>" for n in numbers)
    return (
        f'<tr><td><a href="{escape(link)}">{escape(line["subject"])}</a></td>'
        f"<td>{z}</td>{cells}<td>{_words(line)}</td></tr>"
    )


def _marked(text, flag):
    return f"<em>{text}</em>" if flag else text


WIDTH, HEIGHT, BASE = 270, 120, 96  # of a chart, and where its bars stand; pixels


def _chart(number, subjects, flagged):
    """Histogram as SVG; flagged subjects on top of the bars, named when pointed at."""
    values, names = subjects[number].to_numpy(), subjects["subject"].to_numpy()
    there = np.isfinite(values)
    values, names, flagged = values[there], names[there], flagged[there]
    scale = values
    if number in LOGARITHMIC:
        scale = np.log10(np.maximum(values, values[values > 0].min()))
    # Values far off stand at the end of the axis, or the rest would share one bar.
    low, high = np.percentile(scale, (1, 99))
    margin = max(high - low, 0.005 * abs(high), 1e-6)
    ends = max(scale.min(), low - margin), min(scale.max(), high + margin)
    if ends[0] == ends[1]:
        ends = ends[0] - margin, ends[1] + margin
    edges = np.linspace(*ends, int(np.clip(2 * np.sqrt(len(scale)), 8, 30)) + 1)
    bins = np.clip(np.searchsorted(edges, scale, "right") - 1, 0, len(edges) - 2)
    counts = np.bincount(bins, minlength=len(edges) - 1)
    unit, width = (BASE - 22) / counts.max(), (WIDTH - 20) / len(counts)
    bars = []
    for i, n in enumerate(counts):
        x, here = 10 + i * width, (bins == i) & flagged
        plain, marked = n - here.sum(), here.sum()
        top = BASE - unit * plain
        if plain:
            bars.append(_bar(x, top, width, unit * plain, "plain", f"{plain} subject(s)"))
        if marked:
            who = ", ".join(names[here][:8]) + (" …" if marked > 8 else "")
            height = max(unit * marked, 4)  # one of thousands is still seen
            bars.append(_bar(x, top - height, width, height, "marked", f"flagged: {escape(who)}"))
    beyond = "≤ " if scale.min() < ends[0] else "", "", "≥ " if scale.max() > ends[1] else ""
    ticks = []
    for x, anchor, sign, at in zip(
        (10, WIDTH / 2, WIDTH - 10), ("start", "middle", "end"), beyond, np.linspace(*ends, 3)
    ):
        text = sign + shown(number, 10**at if number in LOGARITHMIC else at)
        ticks.append(f'<text x="{x}" y="{BASE + 15}" text-anchor="{anchor}">{text}</text>')
    remark = " (log scale)" if number in LOGARITHMIC else ""
    remark += f": {flagged.sum()} flagged" if flagged.any() else ""
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><text x="10" y="12">'
        f'<tspan class="name">{escape(heading(number))}</tspan>{remark}</text>'
        f'<text x="{WIDTH - 10}" y="12" text-anchor="end">up to {counts.max()}</text>'
        f'{"".join(bars)}<path d="M10 {BASE}H{WIDTH - 10}"/>{"".join(ticks)}</svg>'
    )


def _bar(x, y, width, height, kind, title):
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width - 1, 1):.1f}" '
        f'height="{height:.1f}"><title>{title}</title></rect>'
    )


_STYLE = """\
h2 { font-size: 1.1rem; margin: 1.4rem 0 .4rem; }
.excluded { max-height: 16rem; overflow-y: auto; }
.charts, .cards { display: grid; gap: .8rem; }
.charts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 210px), 1fr)); }
.cards { grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); }
svg { width: 100%; max-width: 330px; font-size: 11px; fill: #1c2430; }
svg .name { font-weight: 600; }
svg path { stroke: #1c2430; }
.plain { fill: #0072b2; }
.marked { fill: #d55e00; }
figure { margin: 0; border: 1px solid #d5dbe3; border-top: 4px solid #d5dbe3; }
figure.flagged { border-top-color: #e69f00; }
figure.excluded { border-top-color: #d55e00; max-height: none; }
figure img { display: block; width: 100%; background: #000; }
figcaption { padding: .4rem .6rem; font-size: .9em; }
figcaption span { white-space: nowrap; }
.state { background: #1c2430; color: #fff; border-radius: 3px; padding: 0 .35em; }
em { font-style: normal; font-weight: 700; color: #b34700; }
i { color: #4a5565; }
.key { display: inline-block; width: 1.4em; height: .35em; vertical-align: middle;
  outline: 1px solid #1c2430; }
th button { font: inherit; font-weight: 600; border: 0; background: none; cursor: pointer; }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
tbody td { text-align: right; font-variant-numeric: tabular-nums; }
tbody td:first-child, tbody td:last-child { text-align: left; }
tbody td:last-child { white-space: normal; min-width: 16rem; }
"""

_BODY = """\
<p>{summary}. Flagged: a number whose robust z-score (distance from the data set's median by the
median absolute deviation) is beyond {outlier}. Flags exclude nobody; they say where to look
first.</p>
{excluded}
<h2>Distributions</h2>
<p>Subjects per bar; flagged ones in orange on top.</p>
<div class="charts">
{charts}
</div>
<h2>{gallery}, worst first</h2>
<p>Excluded subjects, then by their largest z-score. Axial, coronal and sagittal plane of the
corrected image, with the outline of
<span class="key" style="background: {brain}"></span> the brain mask,
<span class="key" style="background: {atlas}"></span> the atlas brain and
<span class="key" style="background: {lesion}"></span> the lesion; through the lesion where there is
one, else through the middle.</p>
<div class="cards">
{cards}
</div>
<h2>All subjects</h2>
<p>Click a heading to sort. <span class="where">The links to pictures work where the page lies in
the results folder, not in the report.</span></p>
<div class="scroll"><table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody></table></div>
"""

_SCRIPT = """\
<script>
for (const button of document.querySelectorAll("th button")) button.onclick = () => {
  const head = button.parentNode, column = head.cellIndex, numeric = button.dataset.n === "1";
  const before = head.ariaSort || (numeric ? "ascending" : "descending");
  const sign = before === "ascending" ? -1 : 1;
  for (const other of head.parentNode.cells) other.ariaSort = null;
  head.ariaSort = sign > 0 ? "ascending" : "descending";
  const value = row => {
    const text = row.cells[column].textContent;
    if (!numeric) return text;
    return text === "∞" ? Infinity : text === "–" ? -Infinity : parseFloat(text);
  };
  const body = document.querySelector("tbody"), rows = [...body.rows];
  const keys = new Map(rows.map(row => [row, value(row)]));
  rows.sort((a, b) => {
    const x = keys.get(a), y = keys.get(b);
    return sign * (x < y ? -1 : x > y ? 1 : 0);
  });
  body.append(...rows);
};
</script>
"""
