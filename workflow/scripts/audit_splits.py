"""Rule audit_splits: subjects with two roles in a fold, as published and as used."""

from uad import audit, logs, packed, released

with logs.job(snakemake.log[0]):
    params = snakemake.params
    used = {
        name: packed.read_table(path) for name, path in zip(params.datasets, snakemake.input.splits)
    }
    listed = {}
    if params.released is not None:
        listed = {
            name: released.rows(params.released, name, params.folds) for name in params.datasets
        }
    table = audit.table(used, listed)
    packed.write_table(table, snakemake.output.table)
    audit.write_html(table, params.simulated, snakemake.output.html)
