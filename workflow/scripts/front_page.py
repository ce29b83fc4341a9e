"""Rule front_page: the whole run on one page, its answer as text, and its costs as a table."""

from datetime import datetime
from pathlib import Path

from uad.base import digests, logs, tsv
from uad.base.files import replacing, write_json
from uad.base.paths import Paths
from uad.report import crate, earlier_page, front_page

with logs.job(snakemake.log[0]):
    params = snakemake.params
    root = Path(snakemake.output.page).parent
    run = params.run | {"revision": digests.revision()}
    costs = front_page.measure(root, params.plan, run)
    tsv.write(costs, snakemake.output.costs)
    answer = front_page.write(snakemake.output.page, root, run, costs)
    with replacing(snakemake.output.answer) as temporary:
        temporary.write_text("\n".join([*answer, ""]), encoding="utf-8")
    paths = Paths(str(root))
    write_json(crate.describe(paths, run, datetime.now().replace(microsecond=0)), paths.crate)
    earlier_page.clear(paths)
