"""Rule compare: Table 1 beside the published values, as CSV, HTML and LaTeX."""

from uad import logs, tables

with logs.job(snakemake.log[0]):
    table = tables.table1(
        snakemake.input.metrics,
        snakemake.params.rows,
        snakemake.params.folds,
        snakemake.input.paper,
    )
    labels = {row: block["label"] for row, block in snakemake.params.rows.items()}
    tables.write_csv(table, snakemake.output.csv)
    tables.write_html(table, labels, snakemake.params.simulated, snakemake.output.html)
    tables.write_latex(table, labels, snakemake.params.simulated, snakemake.output.tex)
