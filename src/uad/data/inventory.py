"""Inventory of each data set: cases found, left out, refused by reading, and there twice."""

import hashlib
from collections.abc import Mapping, Sequence
from os.path import relpath
from pathlib import Path
from typing import Any

from uad.base.errors import because
from uad.base.files import from_the_future

SHOWN = 20  # remarks per data set on the terminal


def line(found: Sequence[Mapping[str, Any]], folder: Path | str) -> dict[str, Any]:
    """What the files of a data set tell, for its inventory.

    Parameters
    ----------
    found : sequence of dict
        Of each case, from `reading.examine`.
    folder : path-like
        Of the data set.

    Returns
    -------
    dict
        `sha256` of the data set (`digest`); `unreadable`, pairs of path and reason; `contents`, the
        digest of each subject's image and lesion mask by kind and subject; `dated`, pairs of path
        and time of files from the future.
    """
    sums = {path: sha256 for case in found for path, sha256 in case["sha256"].items()}
    contents = {"image": {}, "lesion": {}}
    for case in found:
        for kind, content in case["contents"].items():
            contents[kind][case["subject"]] = content
    return {
        "sha256": digest(sums, folder),
        "unreadable": sorted(tuple(c["unreadable"]) for c in found if c["unreadable"]),
        "contents": contents,
        "dated": from_the_future(sums),
    }


def digest(sums: Mapping[str, str], folder: Path | str) -> str | None:
    """SHA-256 of the files of a data set and of their names in its folder; None without files.

    Parameters
    ----------
    sums : dict of str to str
        SHA-256 by path; the order does not count.
    folder : path-like
    """
    if not sums:
        return None
    lines = sorted(f"{Path(relpath(p, folder)).as_posix()} {s}\n" for p, s in sums.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def twins(lines: Mapping[str, Mapping[str, Any]], kind: str) -> list[list[tuple[str, str]]]:
    """Subjects that have the same image, or the same lesion mask, voxel by voxel.

    Parameters
    ----------
    lines : dict of str to mapping
        Inventory of each data set.
    kind : {"image", "lesion"}

    Returns
    -------
    list of list of (str, str)
        Groups of data set and subject, sorted.
    """
    same = {}
    for name, one in lines.items():
        for subject, content in one["contents"][kind].items():
            same.setdefault(content, []).append((name, subject))
    return sorted(sorted(group) for group in same.values() if len(group) > 1)


def state(line: Mapping[str, Any]) -> str:
    """`ok`, or the reason why a data set cannot be used as it is.

    Parameters
    ----------
    line : mapping
        `missing` (sentence or None), `found`, `needed`, `cases`, `unreadable`, `contents`, `dated`.
    """
    if line["missing"]:
        return line["missing"]
    lost = len(line["unreadable"])
    if line["found"] - lost < line["needed"]:
        usable = "usable cases" if lost else "cases"
        return f"{line['found'] - lost} {usable}, but the splits need {line['needed']}"
    if line["cases"] is not None and line["found"] > line["cases"]:
        return f"{line['found']} cases, but the archive has {line['cases']}"
    if lost:
        return f"{lost} unreadable file(s)"
    if groups := twins({"": line}, "image"):
        return f"{sum(map(len, groups))} cases have the scan of another"
    if groups := twins({"": line}, "lesion"):
        return f"{sum(map(len, groups))} cases have the lesion mask of another"
    if line["dated"]:
        return f"{len(line['dated'])} file(s) from the future"
    return "ok"


def remarks(lines: Mapping[str, Mapping[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """What is said of files and subjects of each data set: pairs of name and reason.

    Parameters
    ----------
    lines : dict of str to mapping
        Inventory of each data set, by title.
    """
    found = {
        title: [
            *map(tuple, [*one["unreadable"], *one["excluded"], *one["left_out"]]),
            *((path, because(f"is dated in the future, {date}")) for path, date in one["dated"]),
        ]
        for title, one in lines.items()
    }
    for kind, what in (("image", "the same scan"), ("lesion", "the same lesion mask")):
        for (title, subject), *others in twins(lines, kind):
            names = ", ".join(f"{other} of {of}" for of, other in others)
            found[title].insert(0, (subject, because(f"{what} as {names}")))
    return found


def remedy(line: Mapping[str, Any], fetched: Sequence[str]) -> str | None:
    """What to do about all that is wrong with a data set; None where its `state` is `ok`.

    Parameters
    ----------
    line : mapping
        As for `state`.
    fetched : sequence of str
        Files and folders that `snakemake download` brings.
    """
    found = []
    if line["missing"] or line["found"] < line["needed"]:
        if line["cases"] is None:
            found.append("add scans, or lower its numbers in `splits`")
        elif is_fetched(line["folder"], fetched):
            found.append("`snakemake download` fetches it")
        else:
            found.append(f"request it at {line['source']}, unpack it to {line['folder']}")
    if line["cases"] is not None and line["found"] > line["cases"]:
        found.append(f"move what is not of the archive out of {line['folder']}")
    if line["unreadable"]:
        found.append("get the unreadable files again, or name their subjects in `exclude`")
    if any(twins({"": line}, kind) for kind in ("image", "lesion")):
        found.append("name one of each in `exclude`")
    if line["dated"]:
        found.append(
            "no job can be younger than a file from the future; set its date to today with "
            "`touch`, or wait"
        )
    return "; ".join(found) or None


def needed(counts: Mapping[str, int | None]) -> int:
    """Fewest subjects that a block of `splits` can be drawn from."""
    return counts["train"] + counts["val"] + (counts["test"] or 1)


def shared(lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a scan, or a lesion mask, is in two data sets."""
    named = {line["title"]: line for line in lines}
    groups = [group for kind in ("image", "lesion") for group in twins(named, kind)]
    return any(len({title for title, _ in group}) > 1 for group in groups)


def is_fetched(path: Path | str, fetched: Sequence[str]) -> bool:
    """Whether `snakemake download` brings a file or folder, or what is above it.

    Parameters
    ----------
    path : path-like
    fetched : sequence of str
        What it brings.
    """
    return any(f"{path}/".startswith(f"{place}/") for place in fetched)


def text(lines: Sequence[Mapping[str, Any]], fetched: Sequence[str]) -> list[str]:
    """The inventory as lines of text for the terminal.

    Parameters
    ----------
    lines : sequence of mapping
    fetched : sequence of str
        Files and folders that `snakemake download` brings.
    """
    table = [("data set", "archive", "found", "needed", "left out", "unreadable", "state")]
    for one in lines:
        cases = "-" if one["cases"] is None else one["cases"]
        counts = (cases, one["found"], one["needed"])
        lost = (len(one["excluded"]) + len(one["left_out"]), len(one["unreadable"]))
        table.append((one["title"], *map(str, counts + lost), state(one)))
    widths = [max(len(row[i]) for row in table) for i in range(6)]
    found = [
        "  ".join(
            [row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, 6)), row[6]]
        )
        for row in table
    ]
    said = remarks({one["title"]: one for one in lines})
    for one in lines:
        title = one["title"]
        if to_do := remedy(one, fetched):
            found.append(f"  {title}: {to_do}")
        found += remark_lines(title, said[title])
    return found


def remark_lines(title: str, remarks: Sequence[tuple[str, str]]) -> list[str]:
    """The first `SHOWN` remarks on a data set, as lines of text."""
    found = [f"  {title}: {name}: {reason}" for name, reason in remarks[:SHOWN]]
    if len(remarks) > SHOWN:
        found.append(f"  {title}: and {len(remarks) - SHOWN} more, in its inventory")
    return found
