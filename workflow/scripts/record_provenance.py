"""Rule record_provenance: what tells this run from another."""

import json
from pathlib import Path

from uad.base import logs
from uad.report import run_record

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    lines = [json.loads(Path(path).read_text(encoding="utf-8")) for path in inputs.inventories]
    run_record.write(
        run_record.run(
            config=params.config,
            code=params.code_state,
            inventories=dict(zip(params.datasets, lines)),
            inputs=[*inputs.others, *params.folders],
            splits=inputs.splits,
            abouts=[json.loads(Path(path).read_text(encoding="utf-8")) for path in inputs.abouts],
            results=inputs.results,
        ),
        snakemake.output[0],
    )
