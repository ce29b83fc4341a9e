"""Rule summarise_predictions: all scans in one table, worst first."""

import json
import os
from pathlib import Path

from uad.base import files, logs, tsv
from uad.predict import bundle, summary

with logs.job(snakemake.log[0]) as log:
    inputs, outputs = snakemake.input, snakemake.output
    manifest = bundle.read(inputs.bundle)
    folder = Path(outputs.page).parent
    records = [
        {
            **json.loads(Path(path).read_text(encoding="utf-8")),
            "page": Path(os.path.relpath(page, folder)).as_posix(),
        }
        for path, page in zip(inputs.records, inputs.pages)
    ]
    records += [
        {"scan": name, "file": name, "refused": why} for name, why in snakemake.params.left_out
    ]
    records = summary.sort(records)
    tsv.write(summary.table(records, manifest), outputs.table)
    summary.write(outputs.page, records, manifest)
    files.write_json(summary.description(manifest), outputs.description)
    summary.write_ignored(folder)
    log.info("%d scans, %d refused", len(records), sum("refused" in r for r in records))
