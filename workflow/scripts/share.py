"""Rule share_numbers: what another lab compares its run with."""

from uad.base import logs
from uad.report import joined, shared

with logs.job(snakemake.log[0]):
    inputs, params = snakemake.input, snakemake.params
    shared.write(
        snakemake.output[0],
        shared.manifest(joined.record(inputs.record), params.tables),
        params.root,
        inputs.get("published"),
    )
