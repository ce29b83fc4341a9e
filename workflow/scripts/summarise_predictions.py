"""Rule summarise_predictions: all scans in one table, worst first."""

import json
import os
from pathlib import Path

from uad.base import files, logs, tsv
from uad.predict import bundle, predictions

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
    records = predictions.sort(records)
    tsv.write(predictions.table(records, manifest), outputs.table)
    predictions.write(outputs.page, records, manifest)
    files.write_json(predictions.description(manifest), outputs.description)
    predictions.write_ignored(folder)
    log.info("%d scans, %d refused", len(records), sum("refused" in r for r in records))
