"""Rule tabulate_inventory: all data sets on one page, and the atlas, which must be one."""

from uad.base import logs
from uad.imaging import atlases
from uad.report import inventory_page, joined

with logs.job(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    lines = [joined.record(path) for path in inputs.inventories]
    atlas = atlases.examine(*inputs.atlas, *params.grid) if inputs.atlas else None
    inventory_page.write_html(lines, atlas, params.simulated, snakemake.output[0])
