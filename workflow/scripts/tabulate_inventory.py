"""Rule tabulate_inventory: all data sets on one page."""

from uad.base import logs
from uad.report import inventory_page, joined

with logs.job(snakemake.log[0]):
    lines = [joined.record(path) for path in snakemake.input]
    inventory_page.write_html(lines, snakemake.params.simulated, snakemake.output[0])
