"""Rule describe_method: the card of one trained method."""

from uad.base import logs
from uad.report import method_page

with logs.job(snakemake.log[0]):
    params = snakemake.params
    method_page.write(
        path=snakemake.output[0],
        method=snakemake.wildcards.method,
        docstring=params.docstring,
        block=params.block,
        rows=params.rows,
        models=params.models,
        folds=params.folds,
        abouts=snakemake.input.abouts,
        histories=snakemake.input.histories,
        simulated=params.simulated,
    )
