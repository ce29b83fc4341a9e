"""The results folder as an RO-Crate: what is in it, and what made it, for archives and machines.

RO-Crate 1.1 (https://w3id.org/ro/crate/1.1): a JSON-LD file beside the results.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from uad.base import digests
from uad.base.paths import Paths

NAME = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/crate/1.1"
# Files below the results folder: name and format. Those that a run does not have are left out.
FILES = {
    "index.html": ("Front page of the report", "text/html"),
    "provenance.json": ("Record of the run: code, packages, data, seeds", "application/json"),
    "methods.md": ("Captions of the report as one text", "text/markdown"),
    "tables/table1.csv": ("Table 1, segmentation performance", "text/csv"),
    "tables/table2.csv": ("Table 2, intervals and tests", "text/csv"),
    "tables/table3.csv": ("Table 3, further metrics", "text/csv"),
    "tables/statistics.tsv": ("Means and intervals", "text/tab-separated-values"),
    "tables/claims.tsv": ("The paper's claims in this run", "text/tab-separated-values"),
}
DATA = "#data"
RUN = "#run"
WORKFLOW = "#workflow"


def describe(paths: Paths, run: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The metadata of a run that came to its end.

    Parameters
    ----------
    paths : Paths
    run : dict
        As `front_page.write` takes it.
    at : datetime
        When it ended.

    Returns
    -------
    dict
        JSON-LD.
    """
    root = Path(paths.root)
    files = [
        {
            "@id": name,
            "@type": "File",
            "name": title,
            "encodingFormat": form,
            "contentSize": str((root / name).stat().st_size),
            "sha256": digests.sha256(root / name),
        }
        for name, (title, form) in FILES.items()
        if (root / name).exists()
    ]
    kind = "simulated" if run["simulated"] else "real"
    folds = ", ".join(map(str, run["folds"]))
    what = f"{kind} {run['modality']} scans, folds {folds} of {run['n_folds']}, seed {run['seed']}"
    listed = [{"@id": one["@id"]} for one in files]
    return {
        "@context": f"{PROFILE}/context",
        "@graph": [
            {
                "@id": NAME,
                "@type": "CreativeWork",
                "conformsTo": {"@id": PROFILE},
                "about": {"@id": "./"},
            },
            {
                "@id": "./",
                "@type": "Dataset",
                "name": f"Unsupervised anomaly detection in brain MRI: {root.resolve().name}",
                "description": f"Tables and report of a run of the SADM workflow on {what}.",
                "datePublished": at.date().isoformat(),
                "license": {"@id": DATA},
                "hasPart": listed,
                "mentions": {"@id": RUN},
            },
            {
                "@id": DATA,
                "@type": "CreativeWork",
                "name": "Terms of the data sets",
                "description": f"Computed from {', '.join(run['datasets'])}, whose terms apply; "
                "inventory/datasets.html names them.",
            },
            {
                "@id": RUN,
                "@type": "CreateAction",
                "name": f"Run with {', '.join(run['configs'])}",
                "endTime": at.isoformat(),
                "instrument": {"@id": WORKFLOW},
                "result": listed,
            },
            {
                "@id": WORKFLOW,
                "@type": "SoftwareApplication",
                "name": "SADM from raw scans to Table 1: a Snakemake workflow",
                "softwareVersion": f"{run['revision']}, code {run['code']}",
            },
            *files,
        ],
    }
