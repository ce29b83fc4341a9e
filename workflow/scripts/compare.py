"""Rule compare: Table 1 beside the published values, as CSV, HTML and LaTeX."""

from pathlib import Path

from uad import logs, packed, splits, tables

with logs.job(snakemake.log[0]):
    table = tables.table1(
        snakemake.input.metrics,
        snakemake.params.rows,
        snakemake.params.folds,
        snakemake.input.get("published"),
    )
    labels = {row: block["label"] for row, block in snakemake.params.rows.items()}
    leaks = []
    for path in snakemake.input.splits:
        split = packed.read_table(path).query("fold in @snakemake.params.folds")
        leaks.append(splits.leak_warning(split, f"Released lists of {Path(path).stem}"))
    leaks = "; ".join(filter(None, leaks))
    tables.write_csv(table, snakemake.output.csv)
    told = leaks, snakemake.params.random_extractors
    tables.write_html(table, labels, snakemake.params.simulated, snakemake.output.html, *told)
    tables.write_latex(table, labels, snakemake.params.simulated, snakemake.output.tex, *told)
