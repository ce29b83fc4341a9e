"""Rule tabulate_inventory: all data sets on one page."""

import json
from pathlib import Path

from uad.base import logs
from uad.report import inventory_page

with logs.job(snakemake.log[0]):
    lines = [json.loads(Path(path).read_text(encoding="utf-8")) for path in snakemake.input]
    inventory_page.write_html(lines, snakemake.params.simulated, snakemake.output[0])
