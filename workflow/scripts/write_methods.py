"""Rule write_methods: the captions of the report as one text."""

from uad.base import logs
from uad.base.files import replacing

with logs.job(snakemake.log[0]), replacing(snakemake.output[0]) as temporary:
    temporary.write_text(snakemake.params.text, encoding="utf-8")
