"""Rule audit_splits: subjects with two roles in a fold, as published and as used."""

from uad.base import logs, tsv
from uad.data import released
from uad.report import leak_page

with logs.job(snakemake.log[0]):
    params = snakemake.params
    used = {name: tsv.read(path) for name, path in zip(params.datasets, snakemake.input.splits)}
    listed = {}
    if params.released is not None:
        listed = {
            name: released.rows(params.released, name, params.folds, params.needed)
            for name in params.datasets
        }
    table = leak_page.table(used, listed)
    tsv.write(table, snakemake.output.table)
    leak_page.write_html(table, params.simulated, snakemake.output.html)
