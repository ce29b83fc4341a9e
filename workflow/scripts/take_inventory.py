"""Rule inventory: what there is of a data set, and whether preprocessing can read it."""

import json
from pathlib import Path

from uad.base import files, logs
from uad.data import inventory, reading

with logs.job(snakemake.log[0]) as log:
    params = snakemake.params
    scans = Path(snakemake.output.scans)
    known = json.loads(scans.read_text(encoding="utf-8")) if scans.exists() else []
    found = list(
        reading.examine(
            [reading.Case(*case) for case in params.cases],
            reading.Reading(
                params.known["layout"],
                params.lesion_labels,
                params.assume_orientation,
                params.code,
            ),
            snakemake.threads,
            {case["subject"]: case for case in known},
        )
    )
    line = {
        **params.archive,
        "needed": inventory.needed(params.counts),
        **params.known,
        **inventory.line(found, params.known["folder"]),
    }
    log.info("%d found, %s", line["found"], inventory.state(line))
    files.write_json(found, scans)
    files.write_json(line, snakemake.output.line)
