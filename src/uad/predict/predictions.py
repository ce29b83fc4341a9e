"""All scans of a prediction in one table and on one page, worst first."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from uad.base import digests
from uad.report import pages

# What BIDS has no names for.
IGNORED = (
    "work", "logs", "summary.*", "*_anomalymap.nii.gz", "*_anomaly_mask.nii.gz",
    "*_pseudohealthy.nii.gz", "*_xfm.txt", "*_prediction.*", "*_analysed_mask.nii.gz",
)  # fmt: skip


def sort(records: Sequence[Mapping]) -> list[Mapping]:
    """Records by p-value, then by volume, the most abnormal first; refused ones last."""

    def key(record: Mapping) -> tuple:
        if "refused" in record:
            return (1, 0, 0, record["scan"])
        compared = record["compared"]
        return (0, compared["p_value"], -compared["value"], record["scan"])

    return sorted(records, key=key)


def table(records: Sequence[Mapping], manifest: Mapping) -> pd.DataFrame:
    """One line per scan.

    Parameters
    ----------
    records : list of mapping
        As rule `write_prediction` writes them.
    manifest : mapping
        Of the bundle.

    Returns
    -------
    DataFrame
        `scan`, `file`; `above_<threshold>_ml`, volume above each threshold on the scan; `n_regions`
        above the first and `largest_ml` of them; `peak`; `value`, `percentile`, `p_value` and
        `n_healthy` of the comparison with healthy brains (`result.compare`), and `exceeds_<rate>`;
        `spread`, mean standard deviation over folds; `seen_percent` of the brain; the quality
        numbers; `warnings`; `refused`, the reason. Missing where a scan was refused.
    """
    lines = [_line(record, manifest) for record in records]
    columns = dict.fromkeys(key for line in lines for key in line)
    last = ("warnings", "refused")
    order = [*(c for c in columns if c not in last), *last]
    return pd.DataFrame(lines, columns=order)


def _line(record, manifest):
    if "refused" in record:
        return {"scan": record["scan"], "file": record["file"], "refused": record["refused"]}
    compared, regions = record["compared"], record["regions"]
    measured = {k: compared[k] for k in ("value", "percentile", "p_value", "n_healthy")}
    flags = {None: "n/a", True: "yes", False: "no"}
    return {
        "scan": record["scan"],
        "file": record["file"],
        **{f"above_{name}_ml": record["above_ml"][name] for name in manifest["thresholds"]},
        "n_regions": record["n_regions"],
        "largest_ml": regions[0]["volume_ml"] if regions else 0.0,
        "peak": max((region["peak"] for region in regions), default=None),
        **measured,
        **{f"exceeds_{rate}": flags[flag] for rate, flag in compared["exceeds"].items()},
        "spread": record["spread"],
        "seen_percent": record["seen_percent"],
        **record["quality"],
        "warnings": "; ".join(record["warnings"]) or None,
    }


def write(path: Path | str, records: Sequence[Mapping], manifest: Mapping) -> None:
    """Write the page."""
    done = [record for record in records if "refused" not in record]
    pages.write(
        path,
        "predictions.html.j2",
        title=f"Predictions of {manifest['label']} ({manifest['row']})",
        simulated=manifest["simulated"],
        warnings=[NOT_A_DEVICE],
        records=done,
        refused=[record for record in records if "refused" in record],
        thresholds=list(manifest["thresholds"]),
        manifest=manifest,
    )


NOT_A_DEVICE = "For research only: not a medical device. No map says that a scan is healthy."


def description(manifest: Mapping) -> dict:
    """Content of `dataset_description.json`."""
    return {
        "Name": f"Anomaly maps by {manifest['row']}",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "sadm-workflow",
                "Version": digests.revision(),
                "Description": f"bundle {manifest['row']}, code {manifest['code']}",
            }
        ],
    }


def write_ignored(folder: Path | str) -> None:
    """Write `.bidsignore`, unless there is one."""
    path = Path(folder) / ".bidsignore"
    if not path.exists():
        path.write_text("\n".join([*IGNORED, ""]), encoding="utf-8")
