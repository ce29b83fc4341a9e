"""Rule front_page: the whole run on one page, and its costs as a table."""

from pathlib import Path

from uad.base import digests, logs, tsv
from uad.base.paths import Paths
from uad.report import earlier_page, front_page

with logs.job(snakemake.log[0]):
    params = snakemake.params
    root = Path(snakemake.output.page).parent
    run = params.run | {"revision": digests.revision()}
    costs = front_page.measure(root, params.plan, run)
    tsv.write(costs, snakemake.output.costs)
    front_page.write(snakemake.output.page, root, run, costs)
    earlier_page.clear(Paths(str(root)))
