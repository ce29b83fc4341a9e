"""The page on whom rows fail: groups of subjects side by side, and rates on healthy ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from uad.base import colours, seeding, tsv
from uad.data import people
from uad.data.datasets import pooled_label
from uad.evaluation import complete, reliability, statistics, strata
from uad.evaluation.reliability import RATES
from uad.report import canvas, claims_page, joined, pages
from uad.report.numbers import number, p_value, percent

PATIENTS, HEALTHY = "patients", "healthy"
# Of what subjects: metric, what it is called, factor for printing, decimals.
MEASURES = {
    PATIENTS: ("dice_best", "[DICE], %", 100, 1),
    HEALTHY: ("fp_ml", "false positives, ml", 1, 2),
}
HEADINGS = {PATIENTS: "{}", HEALTHY: "threshold of {}"}
ROW = 0.27  # inches
# What may be read from each figure, and what not.
READ = {
    "site": (
        "Sites differ in scanner, field strength and protocol, but also in whom they scanned and, "
        "of patients, in who drew the lesions. A difference says that the row does not do equally "
        "well at all sites, not which of these is the reason. In IXI each site has one scanner "
        "(Guy's: Philips 1.5 T, HH: Philips 3 T, IOP: GE 1.5 T), and in ATLAS v2 a site is what "
        "its name says, so that site and scanner are one question. BraTS does not name sites."
    ),
    "age": (
        "Old brains have wider fluid spaces and more changes of the white matter, which nobody "
        "marked as lesions. More false positives in the old may be right about tissue and wrong "
        "about the label. Age and site are not independent in IXI."
    ),
    "sex": (
        "Head size differs between the sexes, and with it how far registration scales a brain. A "
        "difference may come from that."
    ),
    "similarity": (
        "The similarity with the atlas after registration. Large lesions lower it, so on patients "
        "a difference may be one of lesion volume: compare the two figures."
    ),
    "lesion_ml": (
        "Small lesions have a lower Dice by its definition: one voxel more costs them more. So a "
        "difference is expected even of a row that sees all lesions equally well."
    ),
    "n_lesions": ("Subjects with many lesions have other lesions, mostly smaller ones in total."),
    "side": (
        "Left and right are the patient's; one-sided are lesions with four fifths of their voxels "
        "on that side. Nothing in the anatomy gives a reason for a difference between left and "
        "right, while lesions on both sides are larger."
    ),
    "depth_mm": (
        "Median distance of the lesion's voxels from the rim of the brain mask. Near the rim the "
        "mask may cut a lesion, and edges of the brain give residuals of their own."
    ),
}


@dataclass(frozen=True)
class Whom:
    """What the page is about.

    Attributes
    ----------
    rows : dict
        `rows` of the configuration.
    folds : list of int
    test_sets : list of str
    fewest : int
        Subjects of a group.
    seed : int
        Of the run.
    simulated : bool
    """

    rows: Mapping[str, Mapping]
    folds: Sequence[int]
    test_sets: Sequence[str]
    fewest: int
    seed: int
    simulated: bool

    @property
    def judged(self) -> dict[str, str]:
        """Rows that are not controls, and their labels."""
        return {
            row: block["label"]
            for row, block in self.rows.items()
            if block["block"] != statistics.CONTROL
        }


def write_all(inputs: Mapping[str, Any], outputs: Mapping[str, str | Path], whom: Whom) -> None:
    """Write the page and its numbers.

    Parameters
    ----------
    inputs : dict
        `metrics`, `healthy` and `validation`, paths of every row and fold, fold changing fastest;
        `test_splits`, see `joined.Tested`; `known` and `places`, tables of the subjects of each
        test set's data set and last of the healthy one's; `demographics`, of IXI, or nothing;
        `rates` and `bins`, from `uad.evaluation.calibration`, of every row and fold, or nothing.
    outputs : dict of str to path-like
        `page`, `effects` and `grouping`.
    whom : Whom
    """
    tested = joined.Tested(inputs["test_splits"], whom.test_sets, whom.folds)
    tables = {
        of: joined.metrics(inputs[kind], whom.rows, whom.folds, tested, of)
        for kind, of in (("metrics", "subjects"), ("healthy", "healthy"))
    }
    values = _values(tables, whom)
    known = _known(inputs, tables["subjects"], whom)
    effects, grouping = strata.table(values, known, whom.fewest, whom.seed)
    tsv.write(effects, outputs["effects"])
    tsv.write(grouping, outputs["grouping"])
    validation = pd.concat(map(tsv.read, inputs["validation"]), ignore_index=True)
    counted = {
        kind: pd.concat(map(tsv.read, inputs[kind]), ignore_index=True) if inputs[kind] else None
        for kind in ("rates", "bins")
    }
    _write(outputs["page"], effects, grouping, tables["healthy"], validation, counted, whom)


def _values(tables, whom):
    """Values of subjects (index) in rows (columns); of patients with a lesion, of healthy ones."""
    patients = tables["subjects"][tables["subjects"]["lesion_ml"] > 0]
    found = {}
    for of, table in ((PATIENTS, patients), (HEALTHY, tables["healthy"])):
        metric = MEASURES[of][0]
        means = statistics.subject_means(table[table["row"].isin(whom.judged)], [metric])
        found |= {(of, test_set): part for (test_set, _), part in means.items()}
    return found


def _known(inputs, subjects, whom):
    """What is known of subjects, by the keys of `_values`."""
    sexes = people.sexes(inputs["demographics"][0]) if inputs["demographics"] else {}
    found = {}
    files = list(zip([*whom.test_sets, HEALTHY], inputs["known"], inputs["places"], strict=True))
    for name, path, place in files:
        table = tsv.read(path)
        complete.need(table, path, ["subject"])
        table = table.drop(columns="lesion_ml").merge(tsv.read(place), on="subject", how="left")
        labels = table["subject"]
        if "dataset" in table:  # several healthy ones are one, under other labels
            pairs = zip(table["dataset"], labels)
            labels = pd.Series([s.removeprefix(pooled_label(of, "")) for of, s in pairs])
        of_ixi = labels.map(sexes)
        if of_ixi.notna().any():
            table["sex"] = of_ixi.fillna(table["sex"]) if "sex" in table else of_ixi
        table = table.replace({column: {"unknown": None} for column in ("site", "sex")})
        table = table.dropna(axis="columns", how="all")
        table = table.set_index("subject")
        if name == HEALTHY:
            found |= {(HEALTHY, test_set): table for test_set in whom.test_sets}
        else:
            lesions = subjects[subjects["test_set"] == name].groupby("subject")
            measured = lesions[["lesion_ml", "n_lesions"]].first()
            found[PATIENTS, name] = table.join(measured)
    return found


# Page.


def _write(path, effects, grouping, healthy, validation, counted, whom):
    findings = effects[effects["p_holm"] < strata.FINDING]
    sections = []
    for question in strata.QUESTIONS:
        here = grouping[grouping["question"] == question.column]
        if here.empty:
            continue
        sections.append(
            {
                "title": question.title,
                "read": READ[question.column],
                "figures": list(_figures(effects, question, whom)),
                "groups": [_grouped(line, question) for _, line in here.iterrows()],
            }
        )
    rates = _rates(healthy, validation, whom)
    pages.write(
        path,
        "whom.html.j2",
        title="Whom the rows fail",
        simulated=whom.simulated,
        warnings=[],
        fewest=whom.fewest,
        resamples=statistics.RESAMPLES,
        n_compared=int(effects["p"].notna().sum()),
        families=int(
            effects.loc[effects["p"].notna(), strata.PLACE[:2]].drop_duplicates().shape[0]
        ),
        findings=[_finding(line, whom) for _, line in findings.sort_values("p_holm").iterrows()],
        sections=sections,
        rates=canvas.inline_svg(_rates_figure(rates, whom)) if len(rates) else "",
        outside=_outside(rates),
        voxels=_voxels(counted["rates"], whom),
        **_reliability(counted["bins"], whom),
    )


def _grouped(line, question):
    """A line below a figure: which groups there are."""
    of = f"{line['of']}, {line['test_set'].upper()}"
    text = line["levels"] or "no group of enough subjects"
    unit = f" {question.unit}" if question.unit and line["levels"] else ""
    found = f"{of}: {text}{unit}"
    if line["pooled"]:
        found += f". Too few alone, so pooled or left out: {line['pooled']}"
    if line["unknown"]:
        found += f". Subjects not known or left out: {line['unknown']}"
    return found


def _height(rows):
    """Of a panel with a line per row, in inches."""
    return max(ROW * len(rows), 1.6)


def _finding(line, whom):
    """A line of the table of findings."""
    _, name, factor, decimals = MEASURES[line["of"]]
    question = next(q for q in strata.QUESTIONS if q.column == line["question"])
    ends = [number(factor * line[end], decimals) for end in ("difference_low", "difference_high")]
    sign = "+" if line["difference"] > 0 else ""
    interval = "" if np.isnan(line["difference_low"]) else f" [{', '.join(ends)}]"
    return [
        claims_page.row_name(line["row"], whom.judged),
        line["test_set"].upper(),
        name,
        f"{question.title}: {line['level']} {question.unit}".strip(),
        f"{line['n']} and {line['n_others']}",
        f"{sign}{number(factor * line['difference'], decimals)}{interval}",
        p_value(line["p_holm"]),
    ]


def _figures(effects: pd.DataFrame, question: strata.Question, whom: Whom) -> Iterator[str]:
    """The figure of a question for patients and for healthy subjects, as SVG."""
    for of in question.of:
        here = effects[(effects["question"] == question.column) & (effects["of"] == of)]
        if len(here):
            yield canvas.inline_svg(levels_figure(here, question, of, whom))


def levels_figure(effects: pd.DataFrame, question: strata.Question, of: str, whom: Whom) -> Figure:
    """Mean and interval of every group, a line per row and a panel per test set.

    Full dots differ from all others of their panel's row after Holm's correction.
    """
    _, name, factor, _ = MEASURES[of]
    test_sets = list(effects["test_set"].unique())
    rows = list(whom.judged)
    below = -0.45 / _height(rows)  # of the axes, for what they are labelled with
    figure, axes = canvas.grid(
        1, len(test_sets), (7.6 / max(len(test_sets), 2), _height(rows) + 1.2), sharey=True
    )
    for panel, test_set in zip(axes[0], test_sets):
        part = effects[effects["test_set"] == test_set]
        levels = list(dict.fromkeys(part["level"]))
        for place, level in enumerate(levels):
            lines = part[part["level"] == level]
            y = lines["row"].map(rows.index) + 0.7 * ((place + 0.5) / len(levels) - 0.5)
            colour = colours.COLOURS[place % len(colours.COLOURS)]
            panel.hlines(y, factor * lines["low"], factor * lines["high"], color=colour, lw=1)
            found = (lines["p_holm"] < strata.FINDING).to_numpy()
            for full in (False, True):
                face = colour if full else "white"
                panel.plot(
                    factor * lines["mean"][found == full], y[found == full], "o",
                    color=colour, markerfacecolor=face, markersize=3.5, markeredgewidth=0.9,
                )  # fmt: skip
        handles = [
            Line2D([], [], color=colours.COLOURS[i % len(colours.COLOURS)], label=level)
            for i, level in enumerate(levels)
        ]
        title = f"{question.title}{f', {question.unit}' if question.unit else ''}"
        panel.legend(
            handles=handles, title=title, loc="upper left", bbox_to_anchor=(0, below),
            frameon=False, fontsize=8, title_fontsize=8,
        )  # fmt: skip
        panel.set(title=HEADINGS[of].format(test_set.upper()), xlabel=name)
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.set_yticks(range(len(rows)))
        panel.grid(axis="y", color="#eeeeee")
        panel.tick_params(axis="y", length=0)
        if of == HEALTHY:
            panel.set_xscale("symlog", linthresh=1, linscale=0.5)
            panel.xaxis.set_major_formatter("{x:g}")
        panel.set_xlim(left=0)
    labels = [canvas.row_label(row, label) for row, label in whom.judged.items()]
    axes[0, 0].set_yticklabels(labels)
    canvas.heading(figure, "", whom.simulated)
    return figure


# Healthy subjects that are taken for patients.


def _rates(healthy: pd.DataFrame, validation: pd.DataFrame, whom: Whom) -> pd.DataFrame:
    """Share of healthy test subjects above nearly all validation subjects, by row, fold, rate."""
    lines, test_set = [], whom.test_sets[0]
    for row in whom.judged:
        for fold in whom.folds:
            scores = [
                table.loc[
                    (table["row"] == row)
                    & (table["fold"] == fold)
                    & (table["test_set"] == test_set),
                    "score_mean",
                ]
                for table in (validation, healthy)
            ]
            for rate in RATES.values():
                found = strata.flagged(*(of.to_numpy() for of in scores), rate)
                if found:
                    lines.append({"row": row, "fold": fold, "rate": rate, **found._asdict()})
    return pd.DataFrame(lines, columns=["row", "fold", "rate", "share", "low", "high"])


def _outside(rates: pd.DataFrame) -> str:
    """How many are outside their bands."""
    if rates.empty:
        return ""
    high, low = (rates["share"] > rates["high"]).sum(), (rates["share"] < rates["low"]).sum()
    return f"Of {len(rates)} shares {high} are above their bands and {low} below."


def _rates_figure(rates: pd.DataFrame, whom: Whom) -> Figure:
    """Shares and bands, a panel per rate."""
    kinds, rows = list(rates["rate"].unique()), list(whom.judged)
    figure, axes = canvas.grid(
        1, len(kinds), (7.6 / max(len(kinds), 2), _height(rows) + 0.9), sharey=True
    )
    for panel, rate in zip(axes[0], kinds):
        part = rates[rates["rate"] == rate]
        y = part["row"].map(rows.index) + 0.6 * (
            (part["fold"].map(list(whom.folds).index) + 0.5) / len(whom.folds) - 0.5
        )
        panel.hlines(y, 100 * part["low"], 100 * part["high"], color="#c8d0da", lw=3)
        inside = part["share"].between(part["low"], part["high"]).to_numpy()
        for ok, colour in ((True, colours.COLOURS[0]), (False, colours.COLOURS[1])):
            panel.plot(
                100 * part["share"][inside == ok], y[inside == ok], "o", color=colour, ms=3.5
            )
        panel.axvline(100 * rate, color="black", linewidth=0.8)
        panel.set(title=f"nominal {percent(rate, 0)} %", xlabel="healthy subjects flagged, %")
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.set_yticks(range(len(rows)))
        panel.grid(axis="y", color="#eeeeee")
    axes[0, 0].set_yticklabels([canvas.row_label(r, label) for r, label in whom.judged.items()])
    canvas.heading(figure, "", whom.simulated)
    return figure


# What maps say of themselves.


def _voxels(rates: pd.DataFrame | None, whom: Whom) -> str:
    """Share of healthy test subjects' voxels above thresholds of nominal rates, as a figure."""
    if rates is None:
        return ""
    rows = list(whom.judged)
    means = rates.groupby(["subject", "row"])[list(RATES)].mean()
    figure, axes = canvas.grid(1, len(RATES), (7.6 / 3, _height(rows) + 0.9), sharey=True)
    for panel, (name, rate) in zip(axes[0], RATES.items()):
        wide = means[name].unstack()[rows]
        low, high = statistics.bootstrap(
            wide.to_numpy(), seeding.generator(whom.seed, "voxel rates", name)
        )
        y = np.arange(len(rows))
        panel.hlines(y, 100 * low, 100 * high, color=colours.COLOURS[0], lw=1)
        panel.plot(100 * wide.mean(), y, "o", color=colours.COLOURS[0], ms=3.5)
        panel.axvline(100 * rate, color="black", linewidth=0.8)
        panel.set(title=f"nominal {percent(rate, 0)} %", xlabel="of healthy brains' voxels, %")
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.set_yticks(y)
        panel.set_xlim(left=0)
        panel.grid(axis="y", color="#eeeeee")
    axes[0, 0].set_yticklabels([canvas.row_label(r, label) for r, label in whom.judged.items()])
    canvas.heading(figure, "", whom.simulated)
    return canvas.inline_svg(figure)


def _reliability(bins: pd.DataFrame | None, whom: Whom) -> dict[str, Any]:
    """Figure of the share of lesion voxels against the probability, and the errors."""
    if bins is None or "bin" not in bins:
        return {"reliability": "", "errors": []}
    bins = bins.dropna(subset=["bin"])
    rows = [row for row in whom.judged if row in set(bins["row"])]
    figure, axes = canvas.grid(1, len(whom.test_sets), (2.5, 3.4), sharey=True)
    errors = []
    for panel, test_set in zip(axes[0], whom.test_sets):
        panel.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
        for place, row in enumerate(rows):
            part = bins[(bins["row"] == row) & (bins["test_set"] == test_set)]
            points, error = reliability.curve(part)
            colour = colours.COLOURS[place % len(colours.COLOURS)]
            style = "-" if place < len(colours.COLOURS) else "--"
            label = canvas.row_label(row, whom.judged[row])
            panel.plot(
                points["probability"], points["lesion"], style, color=colour, marker="o", ms=2.5,
                lw=1, label=label,
            )  # fmt: skip
            said, true = (
                float((points[kind] * points["voxels"]).sum() / points["voxels"].sum())
                for kind in ("probability", "lesion")
            )
            name = claims_page.row_name(row, whom.judged)
            errors.append(
                [name, test_set.upper(), *(percent(value, 2) for value in (said, true, error))]
            )
        panel.set(title=test_set.upper(), xlabel="probability of a lesion", xlim=(0, 1))
        panel.set_ylim(0, 1)
    axes[0, 0].set_ylabel("share of voxels that are lesion")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    canvas.heading(figure, "", whom.simulated)
    return {"reliability": canvas.inline_svg(figure), "errors": errors}
