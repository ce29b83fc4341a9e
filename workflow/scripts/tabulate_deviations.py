"""Rule tabulate_deviations: what this run does otherwise than the paper or the released code."""

from uad import deviations, logs

with logs.job(snakemake.log[0]):
    deviations.write_html(snakemake.params.blocks, snakemake.params.simulated, snakemake.output[0])
