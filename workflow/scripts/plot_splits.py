"""Rule plot_splits: subjects per role and fold of every data set, and ages per role of IXI."""

from uad.base import logs, tsv
from uad.data import splits
from uad.report import canvas, plots

with logs.job(snakemake.log[0]):
    params = snakemake.params
    tables = dict(zip(params.datasets, map(tsv.read, snakemake.input.splits)))
    for table in tables.values():
        splits.check(table)
    ages = tsv.read(snakemake.input.ages).set_index("subject")["age"]
    figure = plots.subjects_per_role(tables, ages)
    canvas.heading(figure, "Splits", params.simulated)
    canvas.save(figure, snakemake.output[0])
