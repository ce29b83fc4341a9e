"""All tables of the comparison: Tables 1 to 3 as numbers and pages, statistics, agreement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uad.base import tsv
from uad.data import leakage
from uad.evaluation import check_controls, statistics
from uad.report import joined, table1, table2, table3
from uad.report.blocks import Context


@dataclass(frozen=True)
class Comparison:
    """What the rows of the tables are.

    Attributes
    ----------
    rows : dict
        `rows` of the configuration.
    folds : list of int
    test_sets : list of str
    seed : int
        Of the run.
    simulated : bool
    threshold : str
        `evaluation.threshold` of the configuration.
    registered : list of str
        Test sets whose scans this run has preprocessed.
    random_extractors : collection of str
        Rows whose feature extractor is random.
    references : sequence of str
        Rows that others are compared with.
    min_component : int
        `evaluation.min_component` of the configuration.
    """

    rows: Mapping[str, Mapping]
    folds: Sequence[int]
    test_sets: Sequence[str]
    seed: int
    simulated: bool
    threshold: str
    registered: Sequence[str]
    random_extractors: Sequence[str]
    references: Sequence[str]
    min_component: int


def write_all(
    inputs: Mapping[str, Any], outputs: Mapping[str, str | Path], comparison: Comparison
) -> None:
    """Check the controls and write all tables.

    Parameters
    ----------
    inputs : dict
        `metrics`, `healthy` and `pooled`, paths of every row and fold, fold changing fastest;
        `known`, `subjects.tsv` of the data set of each test set; `quality`, the tables of the
        quality pages of those in `registered`; `test_splits`, see `joined.Tested`; `splits`, whose
        leaks are told; `published`, a path, or empty if there are no published values.
    outputs : dict of str to path-like
        `csv`, `html` and `tex` of Table 1; `csv2` and `html2`; `csv3` and `html3`; `statistics`,
        `comparisons` and `agreement`; `pairs`, if each row is to be compared with each other.
    comparison : Comparison

    Raises
    ------
    InputError
        If a file has not the test subjects of its split (`joined.metrics`), or a control not its
        expected values (`check_controls.check`); nothing is written.
    """
    rows, folds = comparison.rows, comparison.folds
    tested = joined.Tested(inputs["test_splits"], comparison.test_sets, folds)
    subjects, healthy, pooled = (
        joined.metrics(inputs[name], rows, folds, tested, of)
        for name, of in (("metrics", "subjects"), ("healthy", "healthy"), ("pooled", "pooled"))
    )
    check_controls.check(subjects, rows, comparison.min_component)

    known = joined.known(inputs["known"], comparison.test_sets, tested)
    quality = joined.known(inputs["quality"], comparison.registered, tested)
    intervals = statistics.intervals(subjects, known, comparison.seed)
    comparisons = statistics.comparisons(subjects, rows, comparison.references)
    first = table1.table1(subjects, rows, inputs.get("published"))
    ranks = statistics.ranks(subjects, rows, comparison.seed)
    second = table2.table2(first, intervals, comparisons, ranks, comparison.simulated)
    third = table3.table3(first, subjects, healthy, pooled)
    agreement = statistics.agreement(first, second)
    for name, table in {"csv": first, "csv2": second, "csv3": third}.items():
        table1.write_csv(table, outputs[name])
    tsv.write(intervals, outputs["statistics"])
    tsv.write(comparisons, outputs["comparisons"])
    if "pairs" in outputs:
        tsv.write(statistics.pairs(subjects, rows), outputs["pairs"])
    tsv.write(agreement, outputs["agreement"])

    context = Context(
        labels={row: block["label"] for row, block in rows.items()},
        simulated=comparison.simulated,
        leaks=leaks(inputs["splits"], folds),
        random_extractors=comparison.random_extractors,
        released_threshold=comparison.threshold == "released",
        undefined=table1.undefined(subjects),
    )
    empty = table1.empty_references(subjects, rows)
    kept = table1.lesions_kept(subjects, quality)
    table1.write_html(first, context, outputs["html"], second, empty, kept)
    table1.write_latex(first, context, outputs["tex"])
    table2.write_html(second, intervals, agreement, context, outputs["html2"])
    table3.write_html(third, context, outputs["html3"])


def leaks(paths: Iterable[str | Path], folds: Sequence[int]) -> str:
    """What the splits of all data sets leak in some folds, in words; empty if nothing."""
    found = []
    for path in paths:
        split = tsv.read(path)
        used = split[split["fold"].isin(folds)]
        found.append(leakage.leak_warning(used, f"Released lists of {Path(path).stem}"))
    return "; ".join(filter(None, found))
