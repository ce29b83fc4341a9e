"""Rule fetch: one public file or archive into data/, and a record of it."""

from uad.base import logs
from uad.data import downloads

with logs.job(snakemake.log[0], verbose=True):
    downloads.fetch(
        snakemake.wildcards.item,
        snakemake.params.item,
        record=snakemake.output.record,
        lock=snakemake.params.lock,
    )
