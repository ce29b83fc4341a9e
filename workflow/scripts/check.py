"""Rule check: can this configuration be run here?"""

import json
import sys
from pathlib import Path

from uad.base import logs
from uad.base.errors import InputError
from uad.plan import check_table, host, preflight

with logs.job(snakemake.log[0]) as log:
    params = snakemake.params
    lines = [json.loads(Path(path).read_text(encoding="utf-8")) for path in snakemake.input]
    n_subjects = sum(line["found"] for line in lines)
    found = preflight.check(
        lines,
        atlas=params.atlas,
        weights=params.weights,
        pretrained=params.pretrained,
        given=params.given,
        fetched=params.fetched,
        accelerator=params.accelerator,
        results=params.results,
        megabytes=preflight.disk_mb(n_subjects, params.levels, params.n_folds),
    )
    for sentence in found.sentences():
        log.info("%s", sentence)
    check_table.tell(found, sys.stdout)
    verdict = "this configuration cannot be run here; see the table above"
    if found.good:
        print("Everything is there.", flush=True)
    elif params.hooks:
        host.write_verdict(log, verdict)
    else:
        raise InputError(verdict)
