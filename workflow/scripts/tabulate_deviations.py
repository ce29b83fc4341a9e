"""Rule tabulate_deviations: what this run does otherwise than the paper or the released code."""

from uad.base import logs
from uad.report import departures

with logs.job(snakemake.log[0]):
    departures.write_html(snakemake.params.blocks, snakemake.params.simulated, snakemake.output[0])
