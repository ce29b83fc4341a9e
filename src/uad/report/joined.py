"""Results of several jobs as one table, if each holds exactly what the splits say.

Whatever puts files of rows and folds side by side reads them here. A file that was cut, doubled or
taken from another row or fold would only move a mean; here it ends the job with a sentence that
names it. Lines that are lost where no split can tell, such as points of a curve, are missed by the
seal of the file (`uad.base.tsv`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from uad.base import tsv
from uad.base.errors import InputError
from uad.data import splits as roles
from uad.evaluation import cases as example_cases
from uad.evaluation import complete
from uad.evaluation.complete import AGAIN


class Tested:
    """Subjects that every row is tested on, by fold.

    Parameters
    ----------
    splits : sequence of path-like
        Of the data set of each test set, and last of the healthy one.
    test_sets : sequence of str
        Their names in the table.
    folds : sequence of int
        That run.
    """

    def __init__(
        self, splits: Sequence[str | Path], test_sets: Sequence[str], folds: Sequence[int]
    ):
        self.test_sets = list(test_sets)
        *of_sets, self.healthy = (_of_folds(path, folds) for path in splits)
        self.subjects = dict(zip(self.test_sets, of_sets, strict=True))

    def keys(self, of: str, fold: int) -> list[tuple[str, ...]]:
        """What a file of one row and fold has a line for.

        Parameters
        ----------
        of : {"subjects", "healthy", "pooled", "curve"}
            As in `Paths.metrics`.
        fold : int

        Returns
        -------
        list of tuple of str
            Test set and subject, or test set alone.
        """
        if of in ("pooled", "curve"):
            return [(name,) for name in self.test_sets]
        return [
            (name, subject)
            for name in self.test_sets
            for subject in (self.healthy if of == "healthy" else self.subjects[name])[fold]
        ]


def metrics(
    paths: Iterable[str | Path],
    rows: Iterable[str],
    folds: Sequence[int],
    tested: Tested,
    of: str = "subjects",
) -> pd.DataFrame:
    """Metrics of every row and fold in one table.

    Parameters
    ----------
    paths : iterable of path-like
        Fold changing fastest.
    rows : iterable of str
    folds : sequence of int
    tested : Tested
    of : {"subjects", "healthy", "pooled", "curve"}
        What the files are about.

    Raises
    ------
    InputError
        If a file is of another row or fold, or does not have exactly the test sets and subjects of
        the fold's split.
    """
    return pd.concat(
        [
            complete.lines(
                tsv.read(path),
                path,
                {"row": row, "fold": fold},
                tested.keys(of, fold),
                of == "curve",
            )
            for path, row, fold in _each(paths, rows, folds)
        ],
        ignore_index=True,
    )


def known(
    paths: Iterable[str | Path], test_sets: Iterable[str], tested: Tested
) -> dict[str, pd.DataFrame]:
    """Tables of the subjects of the data set of each test set, such as its `subjects.tsv`.

    Raises
    ------
    InputError
        If one lacks a test subject, or has it twice.
    """
    found = {}
    for name, path in zip(test_sets, paths, strict=True):
        found[name] = table = tsv.read(path)
        complete.need(table, path, ["subject"])
        counts = Counter(table["subject"])
        for subject in dict.fromkeys(s for of in tested.subjects[name].values() for s in of):
            if counts[subject] != 1:
                raise InputError(f"{path}: has {counts[subject]} lines of {subject}; {AGAIN}")
    return found


def weights(
    paths: Iterable[str | Path], rows: Sequence[str], folds: Sequence[int], tested: Tested
) -> pd.DataFrame:
    """[DICE] against the weight of the residual map, of every row and fold in one table.

    Parameters
    ----------
    paths : iterable of path-like
        Row changing fastest (`Figures.weights`).
    rows : sequence of str
        Whose maps are weighted.
    folds : sequence of int
    tested : Tested

    Raises
    ------
    InputError
        As for `metrics`; and if a file is of another row, or lacks a weight.
    """
    tables = []
    for path, fold, row in _each(paths, folds, rows):
        table = tsv.read(path)
        complete.need(table, path, ["d_unhealthy", "beta"])
        if set(table["d_unhealthy"]) != {row.partition("-")[2]}:
            raise InputError(f"{path}: is not of row {row}; {AGAIN}")
        keys = tested.keys("subjects", fold)
        tables.append(complete.lines(table, path, {"fold": fold}, keys, many=True))
    betas = set().union(*(table["beta"] for table in tables))
    for path, table in zip(paths, tables):
        counts = table.groupby(["test_set", "subject"])["beta"].agg(["size", "nunique"])
        wrong = counts[(counts != len(betas)).any(axis=1)]
        if len(wrong):
            raise InputError(
                f"{path}: {' '.join(wrong.index[0])} does not have each of the {len(betas)} "
                f"weights once; {AGAIN}"
            )
    return pd.concat(tables, ignore_index=True)


def histories(
    paths: Iterable[str | Path], epochs: Mapping[str, int], folds: Sequence[int]
) -> dict[str, list[pd.DataFrame]]:
    """`history.tsv` of every model, in the order of `folds`.

    Parameters
    ----------
    paths : iterable of path-like
        Fold changing fastest.
    epochs : dict of str to int
        That each model is trained for.
    folds : sequence of int

    Raises
    ------
    InputError
        If a file does not have each epoch once.
    """
    found: dict[str, list[pd.DataFrame]] = {model: [] for model in epochs}
    for path, model, _ in _each(paths, epochs, folds):
        found[model].append(history(path, epochs[model]))
    return found


def history(path: str | Path, epochs: int) -> pd.DataFrame:
    """One `history.tsv`; for errors see `histories`."""
    table = tsv.read(path)
    complete.need(table, path, ["epoch", "val_loss", "seconds"])
    if list(table["epoch"]) != list(range(1, epochs + 1)):
        raise InputError(
            f"{path}: does not have each of the {epochs} epochs of the training once, but "
            f"{len(table)} lines; restore the file, or delete it to train again"
        )
    return table


def cases(paths: Sequence[str | Path], rows: Sequence[str], test_set: str) -> dict[str, Any]:
    """Slices of example cases of one test set, for rows side by side (`cases.read`).

    Raises
    ------
    InputError
        If a file cannot be read, is of another row, or shows other subjects than the first.
    """
    for path, row in zip(paths, rows, strict=True):
        try:
            names = example_cases.read([path], test_set)["names"]
        except InputError:
            raise
        except Exception as error:  # a damaged archive raises what its damage happens to hit
            raise InputError(f"{path}: cannot be read ({error}); {AGAIN}") from error
        if names[0] != row:
            raise InputError(f"{path}: is of row {names[0]} and must be of {row}; {AGAIN}")
    return example_cases.read(paths, test_set)


def subject_records(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """JSON files of subjects, each in the folder `sub-<subject>` of the subject that it names.

    Raises
    ------
    InputError
        If a file cannot be read or is of another subject.
    """
    found = []
    for path in map(Path, paths):
        found.append(record(path))
        subject = found[-1].get("subject")
        if path.parent.name != f"sub-{subject}":
            raise InputError(f"{path}: is of subject {subject}; {AGAIN}")
    return found


def record(path: str | Path) -> dict[str, Any]:
    """What a job said of itself in a JSON file; `InputError` if it is damaged."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except ValueError:  # not text, or not JSON
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: is damaged; {AGAIN}")
    return found


def _of_folds(path, folds):
    """Test subjects of each fold of a split."""
    split = tsv.read(path)
    found = {f: list(dict.fromkeys(roles.subjects(split, f, "test"))) for f in folds}
    for fold, subjects in found.items():
        if not subjects:
            raise InputError(f"{path}: fold {fold} has no test subject")
    return found


def _each(paths, slow, fast):
    """Paths with what they are of, the last changing fastest."""
    names = [(one, other) for one in slow for other in fast]
    return [(path, *name) for path, name in zip(paths, names, strict=True)]
