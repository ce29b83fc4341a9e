"""Rule compare: the controls, Table 1 beside the published values, intervals, tests and Table 3."""

from pathlib import Path

from uad import controls, logs, packed, splits, statistics, table2, table3, tables

with logs.job(snakemake.log[0]):
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    subjects, healthy, pooled = (
        tables.read(paths, params.rows, params.folds)
        for paths in (inputs.metrics, inputs.healthy, inputs.pooled)
    )
    controls.check(subjects, params.rows)

    known = {name: packed.read_table(path) for name, path in zip(params.test_sets, inputs.known)}
    intervals = statistics.intervals(subjects, known, params.seed)
    comparisons = statistics.comparisons(subjects, params.rows)
    first = tables.table1(subjects, params.rows, inputs.get("published"))
    second = table2.table2(first, intervals, comparisons)
    third = table3.table3(first, subjects, healthy, pooled)
    agreement = statistics.agreement(first, second)
    for table, path in ((first, outputs.csv), (second, outputs.csv2), (third, outputs.csv3)):
        tables.write_csv(table, path)
    for table, path in (
        (intervals, outputs.statistics),
        (comparisons, outputs.comparisons),
        (agreement, outputs.agreement),
    ):
        packed.write_table(table, path)

    labels = {row: block["label"] for row, block in params.rows.items()}
    leaks = []
    for path in inputs.splits:
        split = packed.read_table(path).query("fold in @snakemake.params.folds")
        leaks.append(splits.leak_warning(split, f"Released lists of {Path(path).stem}"))
    leaks = "; ".join(filter(None, leaks))
    simulated, empty = params.simulated, tables.empty_references(subjects, params.rows)
    threshold = [tables.RELEASED_THRESHOLD] if params.threshold == "released" else []
    told = leaks, params.random_extractors
    tables.write_html(first, labels, simulated, outputs.html, *told, second, [*empty, *threshold])
    tables.write_latex(first, labels, simulated, outputs.tex, *told)
    table2.write_html(second, intervals, agreement, labels, simulated, outputs.html2)
    table3.write_html(third, labels, simulated, outputs.html3, threshold)
