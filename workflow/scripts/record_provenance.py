"""Rule record_provenance: what tells this run from another."""

from uad.base import logs
from uad.report import joined, run_record

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    run_record.write(
        run_record.run(
            config=params.config,
            code=params.code_state,
            inventories=dict(zip(params.datasets, map(joined.record, inputs.inventories))),
            inputs=[*inputs.others, *params.folders],
            splits=inputs.splits,
            abouts=[joined.record(path) for path in inputs.abouts],
            results=inputs.results,
        ),
        snakemake.output[0],
    )
