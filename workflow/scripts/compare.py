"""Rule compare: the controls, Table 1 beside the published values, intervals, tests and Table 3."""

from pathlib import Path

from uad.base import logs, tsv
from uad.data import leakage
from uad.evaluation import check_controls, statistics
from uad.report import table1, table2, table3

with logs.job(snakemake.log[0]):
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    subjects, healthy, pooled = (
        table1.read(paths, params.rows, params.folds)
        for paths in (inputs.metrics, inputs.healthy, inputs.pooled)
    )
    check_controls.check(subjects, params.rows)

    known = {name: tsv.read(path) for name, path in zip(params.test_sets, inputs.known)}
    intervals = statistics.intervals(subjects, known, params.seed)
    comparisons = statistics.comparisons(subjects, params.rows)
    first = table1.table1(subjects, params.rows, inputs.get("published"))
    second = table2.table2(first, intervals, comparisons)
    third = table3.table3(first, subjects, healthy, pooled)
    agreement = statistics.agreement(first, second)
    for table, path in ((first, outputs.csv), (second, outputs.csv2), (third, outputs.csv3)):
        table1.write_csv(table, path)
    for table, path in (
        (intervals, outputs.statistics),
        (comparisons, outputs.comparisons),
        (agreement, outputs.agreement),
    ):
        tsv.write(table, path)

    labels = {row: block["label"] for row, block in params.rows.items()}
    leaks = []
    for path in inputs.splits:
        split = tsv.read(path).query("fold in @snakemake.params.folds")
        leaks.append(leakage.leak_warning(split, f"Released lists of {Path(path).stem}"))
    leaks = "; ".join(filter(None, leaks))
    simulated, empty = params.simulated, table1.empty_references(subjects, params.rows)
    threshold = [table1.RELEASED_THRESHOLD] if params.threshold == "released" else []
    told = leaks, params.random_extractors
    table1.write_html(first, labels, simulated, outputs.html, *told, second, [*empty, *threshold])
    table1.write_latex(first, labels, simulated, outputs.tex, *told)
    table2.write_html(second, intervals, agreement, labels, simulated, outputs.html2)
    table3.write_html(third, labels, simulated, outputs.html3, threshold)
