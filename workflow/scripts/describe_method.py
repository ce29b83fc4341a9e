"""Rule describe_method: the card of one trained method."""

from pathlib import Path

from uad.base import logs
from uad.report import method_page

with logs.job(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    method = method_page.Method(
        snakemake.wildcards.method, params.docstring, params.block, params.rows
    )
    runs = method_page.read_runs(
        params.epochs,
        params.folds,
        inputs.abouts,
        inputs.histories,
        root=Path(snakemake.output[0]).parents[1],
    )
    method_page.write(snakemake.output[0], method, runs, params.simulated)
