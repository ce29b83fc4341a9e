"""Rule plot_splits: subjects per role and fold of every data set, ages per role if healthy."""

from uad.base import logs, tsv
from uad.data import splits
from uad.report import canvas, plots

with logs.job(snakemake.log[0]):
    params = snakemake.params
    tables = dict(zip(params.datasets, map(tsv.read, snakemake.input.splits)))
    for table in tables.values():
        splits.check(table)
    known = dict(zip(params.healthy, map(tsv.read, snakemake.input.known)))
    ages = {
        name: table.set_index("subject")["age"] for name, table in known.items() if "age" in table
    }
    figure = plots.subjects_per_role(tables, ages)
    canvas.heading(figure, "Splits", params.simulated)
    canvas.save(figure, snakemake.output[0])
