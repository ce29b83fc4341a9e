"""Runs of several labs beside each other, from what `snakemake share` wrote of each.

Runs are joined by the public names of subjects. They must be of one protocol: the same
configuration but for places of files, the same code where it decides numbers, the same inputs.
Other scans, other packages and other folds are allowed and said.

Runs of different folds of the same splits are parts of one run: its tables are written by the code
that writes those of any run.
"""

import itertools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uad.base import digests, seeding, tsv
from uad.base.errors import InputError
from uad.base.paths import Paths
from uad.evaluation import statistics
from uad.report import joined, judged, numbers, shared, table1, table3, tables

NAMED = 3  # of the differences of two protocols
JOINED, DIFFERENCES = "joined.tsv", "differences.tsv"
METRICS = (*statistics.MEASURED, "lesion_ml")
SHOWN = 60  # letters of a value in a message


@dataclass(frozen=True)
class Lab:
    """One run.

    Attributes
    ----------
    name : str
        Of the file, without its ending.
    path : Path
    folder : Path
        Where its tables are.
    manifest : dict
    """

    name: str
    path: Path
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def tables(self) -> Mapping[str, Any]:
        """What is in its tables."""
        return self.manifest["tables"]

    def files(self) -> dict[str, list[Path]]:
        """Its tables by what they are of (`shared.names`)."""
        found = shared.names(self.tables, self.tables["folds"])
        return {kind: [self.folder / name for name in names] for kind, names in found.items()}


def compare(paths: Sequence[Path | str], out: Path | str, home: Path | str) -> list[str]:
    """Join runs and write what they say of each other.

    Parameters
    ----------
    paths : list of path-like
        Two archives or more.
    out : path-like
        Folder of `joined.tsv`, `differences.tsv` and, of different folds of the same splits,
        `tables/` and `figures/`.
    home : path-like
        Folder of the `Snakefile`.

    Returns
    -------
    list of str
        What was found, in sentences.

    Raises
    ------
    InputError
        If an archive is damaged, a number was altered, a run is of another protocol, or the folder
        has something in it.
    """
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out}: is there already; please name another folder with --out")
    with tempfile.TemporaryDirectory() as scratch:
        labs = _opened(paths, Path(scratch))
        for lab in labs[1:]:
            check_protocol(labs[0], lab)
        said = list(_remarks(labs))
        for lab in labs:
            said += check_numbers(lab, home, Path(scratch) / "again" / lab.name)
        whole = join(labs)
        tsv.write(whole, out / JOINED, sealed=True)
        found = differences(whole, [lab.name for lab in labs], labs[0].tables["seed"])
        tsv.write(found, out / DIFFERENCES)
        said += _said(found)
        said.append(_merged(labs, out, Path(scratch) / "merged"))
    return said


def _opened(paths, scratch):
    names = [Path(path).stem for path in paths]
    if len(set(names)) < len(names):
        # Both may be called share.zip, in the folder of their lab.
        names = [f"{Path(path).parent.name}_{name}" for path, name in zip(paths, names)]
    if len(set(names)) < len(names):
        raise InputError("uad compare: files must have different names, such as those of the labs")
    return [
        Lab(name, Path(path), scratch / name, shared.read(path, scratch / name))
        for name, path in zip(names, paths)
    ]


# Protocol.


def check_protocol(first: Lab, other: Lab) -> None:
    """Raise `InputError`, naming what differs, if a run is not of the first one's protocol."""
    parts = {
        "configuration": "config",
        "input": "inputs",
        "code of model": "models",
        "code of": "scripts",
    }
    for what, part in parts.items():
        ours, theirs = first.manifest[part], other.manifest[part]
        found = [
            f"{what} {key} is {_shown(theirs.get(key))}, and in the first {_shown(ours.get(key))}"
            for key in sorted({*ours, *theirs})
            if ours.get(key) != theirs.get(key)
        ]
        if found:
            more = f", and {len(found) - NAMED} more" if len(found) > NAMED else ""
            raise InputError(
                f"{other.path}: is of another protocol than {first.path}: "
                f"{'; '.join(found[:NAMED])}{more}"
            )


def _shown(value):
    """A value in a message."""
    if value is None:
        return "null"
    if isinstance(value, list) and all(isinstance(v, str) and len(v) == 64 for v in value):
        value = ", ".join(digest[:16] for digest in value)  # SHA-256
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _remarks(labs):
    """Sentences on what differs and may differ."""
    first = labs[0]
    for lab in labs[1:]:
        for name in first.manifest["data_sets"]:
            ours, theirs = (of.manifest["data_sets"].get(name, {}) for of in (first, lab))
            if ours.get("sha256") != theirs.get("sha256"):
                yield (
                    f"{lab.name} read other files of {name} than {first.name}: "
                    f"{theirs.get('found')} and {ours.get('found')} subjects were found"
                )
        if first.manifest["packages"] != lab.manifest["packages"]:
            pairs = [_versions(of.manifest["packages"]) for of in (first, lab)]
            yield f"{lab.name} was trained with {pairs[1]}, {first.name} with {pairs[0]}"


def _versions(packages):
    return " and ".join(
        ", ".join(f"{name} {version}" for name, version in sorted(of.items())) for of in packages
    )


# Numbers.


def check_numbers(lab: Lab, home: Path | str, folder: Path) -> list[str]:
    """Make Tables 1 and 3 of a run again from its metrics; its digests must be those recorded.

    Metrics have check sums of their own, which reading compares; this finds numbers that were
    altered together with their check sums, in the metrics or in the tables.

    Returns
    -------
    list of str
        Why nothing was compared, if the tables were made by other code than the present.

    Raises
    ------
    InputError
    """
    said, files = lab.tables, {**lab.files(), "published": _published(lab)}
    script = Path(home) / "workflow/scripts/compare.py"
    tested = joined.Tested(files["test_splits"], list(said["test_sets"]), said["folds"])
    subjects, healthy, pooled = (
        joined.metrics(files[kind], said["rows"], said["folds"], tested, of)
        for kind, of in (("metrics", "subjects"), ("healthy", "healthy"), ("pooled", "pooled"))
    )
    if digests.code_digest(script) != lab.manifest["tables_code"]:
        return [f"{lab.name}: Tables 1 and 3 were made by other code and are not compared"]
    first = table1.table1(subjects, said["rows"], files["published"])
    third = table3.table3(first, subjects, healthy, pooled)
    for name, table in {"table1.csv": first, "table3.csv": third}.items():
        table1.write_csv(table, folder / name)
        if digests.sha256(folder / name) != lab.manifest["results"][name]:
            raise InputError(
                f"{lab.path}: its {name} does not follow from its metrics, so a number in one of "
                "them was altered; please get it again from the lab"
            )
    return []


def _published(lab: Lab) -> Path | None:
    path = lab.folder / shared.PUBLISHED
    return path if path.is_file() else None


def join(labs: Sequence[Lab]) -> pd.DataFrame:
    """Every subject's metrics in every run, side by side.

    Returns
    -------
    DataFrame
        Columns row, test_set, subject, metric, one with the name of each run, and
        `<run>_minus_<first>` for each but the first. A value is the mean over the folds that all
        runs have, or if there are none over each run's own; what a run does not have is missing.
    """
    common = set.intersection(*(set(lab.tables["folds"]) for lab in labs))
    columns = {}
    for lab in labs:
        files = lab.files()["metrics"]
        table = pd.concat([tsv.read(path) for path in files], ignore_index=True)
        if common:
            table = table[table["fold"].isin(common)]
        means = table.groupby(["row", "test_set", "subject"])[list(METRICS)].mean()
        columns[lab.name] = means.rename_axis(columns="metric").stack(future_stack=True)
    found = pd.concat(columns, axis=1).dropna(how="all")
    first = labs[0].name
    for lab in labs[1:]:
        found[f"{lab.name}_minus_{first}"] = found[lab.name] - found[first]
    orders = [labs[0].tables["rows"], labs[0].tables["test_sets"]]
    places = [{name: place for place, name in enumerate(order)} for order in orders]
    found = found.reset_index()
    keys = [found["row"].map(places[0]), found["test_set"].map(places[1])]
    order = pd.concat([*keys, found["subject"], found["metric"].map(METRICS.index)], axis=1)
    return found.loc[order.sort_values(list(order.columns)).index].reset_index(drop=True)


def differences(whole: pd.DataFrame, names: Sequence[str], seed: int) -> pd.DataFrame:
    """Mean differences from the first run, over the subjects that both have.

    Parameters
    ----------
    whole : DataFrame
        From `join`.
    names : list of str
        Of the runs.
    seed : int

    Returns
    -------
    DataFrame
        Columns run, row, test_set, metric, n, mean (of the run), first_mean, difference, low, high
        (95 % percentile bootstrap over subjects, missing with fewer than `statistics.FEWEST`),
        largest (absolute) and its subject.
    """
    lines = []
    first, *others = names
    for other, ((row, test_set, metric), part) in itertools.product(
        others, whole.groupby(["row", "test_set", "metric"], sort=False)
    ):
        column = f"{other}_minus_{first}"
        both = part.dropna(subset=[column])
        line = {"run": other, "row": row, "test_set": test_set, "metric": metric, "n": len(both)}
        if len(both):
            low = high = np.nan
            if len(both) >= statistics.FEWEST:
                rng = seeding.generator(seed, "labs", test_set, metric)
                (low,), (high,) = statistics.bootstrap(both[[column]].to_numpy(), rng)
            worst = both.loc[both[column].abs().idxmax()]
            line |= {
                "mean": both[other].mean(),
                "first_mean": both[first].mean(),
                "difference": both[column].mean(),
                "low": low,
                "high": high,
                "largest": abs(worst[column]),
                "subject": worst["subject"],
            }
        lines.append(line)
    columns = ["run", "row", "test_set", "metric", "n", "mean", "first_mean", "difference"]
    return pd.DataFrame(lines).reindex(columns=[*columns, "low", "high", "largest", "subject"])


def _said(found):
    """A sentence for each run but the first."""
    for run, part in found.groupby("run", sort=False):
        dice = part[(part["metric"] == "dice_best") & (part["n"] > 0)]
        if dice.empty:
            yield f"{run}: has no subject in common with the first run"
            continue
        worst = dice.loc[dice["difference"].abs().idxmax()]
        judged_ones = dice.dropna(subset=["low"])
        outside = int(((judged_ones["low"] > 0) | (judged_ones["high"] < 0)).sum())
        yield (
            f"{run}: mean [DICE] differs from the first run's by at most "
            f"{numbers.signed_difference(worst['difference'])} percentage points "
            f"({worst['row']} on {worst['test_set']}, {int(worst['n'])} subjects in common); "
            + (
                f"of {len(judged_ones)} differences {outside} have intervals without zero, about "
                "one in twenty would by chance"
                if len(judged_ones)
                else f"no intervals of fewer than {statistics.FEWEST} subjects"
            )
        )


# One run of parts.


def _merged(labs, out, folder):
    """Write the tables of the run that parts are of; says so, or why not."""
    first, folds = labs[0].tables, [fold for lab in labs for fold in lab.tables["folds"]]
    twice = sorted({fold for fold in folds if folds.count(fold) > 1})
    if twice:
        named = ", ".join(map(str, twice))
        return f"not merged: fold {named} was run by several, whose values stand side by side"
    for kind in ("splits", "test_splits", "known", "quality"):
        for lab in labs[1:]:
            for ours, theirs in zip(labs[0].files()[kind], lab.files()[kind]):
                if ours.read_bytes() != theirs.read_bytes():
                    name = theirs.relative_to(lab.folder)
                    return f"not merged: {name} of {lab.name} differs from that of {labs[0].name}"
    for lab in labs:
        shutil.copytree(lab.folder, folder, dirs_exist_ok=True)
    whole = {**first, "folds": sorted(folds)}
    merged = Lab("merged", folder, folder, {**labs[0].manifest, "tables": whole})
    write_tables(merged, out)
    return (
        f"merged: folds {', '.join(map(str, whole['folds']))} of one run, whose tables are in "
        f"{out}/tables"
    )


def write_tables(lab: Lab, out: Path | str) -> None:
    """Tables 1 to 3, the statistics and the claims of a run, as its own results folder has them."""
    said, paths = lab.tables, Paths(str(out))
    files = {**lab.files(), "published": _published(lab)}
    common = {
        "folds": said["folds"],
        "test_sets": list(said["test_sets"]),
        "seed": said["seed"],
        "simulated": said["simulated"],
    }
    outputs = {
        **{f"csv{n}" if n > 1 else "csv": paths.table(f"table{n}.csv") for n in (1, 2, 3)},
        **{f"html{n}" if n > 1 else "html": paths.table(f"table{n}.html") for n in (1, 2, 3)},
        "tex": paths.table("table1.tex"),
        **{name: paths.table(f"{name}.tsv") for name in ("statistics", "comparisons", "agreement")},
    }
    compared = {field.name: said[field.name] for field in fields(tables.Comparison)}
    comparison = tables.Comparison(**compared | common)
    tables.write_all(files, outputs, comparison)
    if said["claims"]:
        judged.write_all(
            files | {"table1": outputs["csv"]},
            {
                "page": paths.table("claims.html"),
                "table": paths.table("claims.tsv"),
                "figure": paths.figure("claims.svg"),
                "numbers": paths.figure("claims.tsv"),
            },
            judged.Judged(
                content=said["claims"],
                labels={row: block["label"] for row, block in said["rows"].items()},
                weighted=said["weighted"],
                **common,
            ),
        )
