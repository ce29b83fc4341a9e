"""Rule import_checkpoint: a model of one fold from a checkpoint of the authors."""

from uad.base import logs
from uad.engine import authors_checkpoints

with logs.job(snakemake.log[0]):
    params = snakemake.params
    authors_checkpoints.import_model(
        snakemake.input.checkpoint,
        model=snakemake.wildcards.model,
        block=params.block,
        outputs=snakemake.output,
        fold=int(snakemake.wildcards.fold),
        code=params.code,
        upstream=params.upstream,
    )
