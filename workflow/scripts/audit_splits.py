"""Rule audit_splits: subjects with two roles in a fold, as published and as used."""

from uad.base import logs, tsv
from uad.data import inventory, leakage, released
from uad.report import joined, leak_page

with logs.job(snakemake.log[0]):
    params, inputs = snakemake.params, snakemake.input
    used = {name: tsv.read(path) for name, path in zip(params.datasets, inputs.splits)}
    listed = {}
    if params.released is not None:
        listed = {
            name: released.rows(params.released, name, params.folds, params.needed)
            for name in params.listed
        }
    lines = dict(zip(params.datasets, map(joined.record, inputs.inventories)))
    same = leakage.Same(inventory.twins(lines, "image"))
    table = leak_page.table(used, listed, same)
    tsv.write(table, snakemake.output.table)
    leak_page.write_html(table, params.simulated, snakemake.output.html)
