"""Packing downsampled volumes, one file each, into the arrays of a data set."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from uad.base import exclusion
from uad.base.errors import InputError
from uad.data.datasets import Subject
from uad.data.packed import ARRAYS, write
from uad.imaging import volumes


def subject_table(
    metadata: Callable,
    subjects: Sequence[Subject],
    images: Sequence[Path | str],
    qc_paths: Sequence[Path | str],
    demographics: Path | str | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is known of each subject, and who is excluded.

    Parameters
    ----------
    metadata : callable
        Of the data set's module: what is known of subjects, from them and `demographics`.
    subjects : list of datasets.Subject
    images : list of path-like
        Downsampled image of each subject, in order, or the placeholder of an excluded one.
    qc_paths : list of path-like
        Registration quality of each, likewise; empty for data that came registered.
    demographics : path-like or None

    Returns
    -------
    table, excluded : DataFrame
        Subjects to pack, and those that registration or another step excluded, with the reason in
        `status`.
    """
    quality = [json.loads(Path(path).read_text(encoding="utf-8")) for path in qc_paths]
    quality = quality or [{"similarity": np.nan, "status": "ok"} for _ in subjects]
    for line, path in zip(quality, images):
        # A head that was registered to a wrong place may fail again later; the first reason counts.
        if line["status"] == "ok":
            line["status"] = exclusion.reason(path) or "ok"
    known = pd.DataFrame({"subject": [s.subject for s in subjects]})
    known = pd.concat([known, metadata(subjects, demographics)], axis=1)
    good = np.array([line["status"] == "ok" for line in quality])
    # Separately: what excluded subjects lack would turn whole numbers of the others into fractions.
    used = pd.DataFrame([line for line in quality if line["status"] == "ok"])
    table = pd.concat([known[good].reset_index(drop=True), used], axis=1)
    others = [line for line in quality if line["status"] != "ok"]
    excluded = pd.DataFrame(
        {
            "subject": list(known.loc[~good, "subject"]),
            "similarity": [line.get("similarity", np.nan) for line in others],
            "status": [line["status"] for line in others],
        }
    )
    return table.drop(columns="status", errors="ignore"), excluded


def with_left_out(excluded: pd.DataFrame, left_out: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Add files and subjects that could not be used, with the reason, to those excluded."""
    lines = pd.DataFrame(
        {"subject": [name for name, _ in left_out], "status": [why for _, why in left_out]}
    )
    return pd.concat([excluded, lines], ignore_index=True)


def pack(folder: Path | str, table: pd.DataFrame, files: Sequence[Sequence[Path | str]]) -> None:
    """Pack downsampled volumes.

    Parameters
    ----------
    folder : path-like
    table : DataFrame
        Subjects, in order; brain and lesion volumes are added to it.
    files : sequence of sequence of path-like
        Image, brain and lesion of each subject.
    """
    first = volumes.read(files[0][0])
    table = table.assign(voxel_ml=first.voxel_ml, brain_ml=0.0, lesion_ml=0.0)

    def read() -> Iterator[dict[str, np.ndarray]]:
        for line, paths in enumerate(files):
            arrays = {}
            for (name, dtype), path in zip(ARRAYS.items(), paths):
                volume = volumes.read(path, dtype)
                if volume.array.shape != first.array.shape:
                    raise InputError(
                        f"{path}: shape {volume.array.shape} differs from {first.array.shape}"
                    )
                arrays[name] = volume.array.transpose(2, 0, 1)  # (Z, X, Y)
            for name in ("brain", "lesion"):
                table.loc[line, f"{name}_ml"] = np.count_nonzero(arrays[name]) * first.voxel_ml
            yield arrays

    x, y, z = first.array.shape
    write(folder, table, read(), len(table), (z, x, y))
