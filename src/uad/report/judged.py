"""The paper's claims judged from files: verdicts, numbers, figure and page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from uad.base import tsv
from uad.evaluation import claims
from uad.report import canvas, claims_page, joined


@dataclass(frozen=True)
class Judged:
    """What is judged.

    Attributes
    ----------
    content : dict
        The file of claims (`uad.plan.schema.Claims`).
    labels : dict of str to str
        Of the rows.
    folds : list of int
    test_sets : list of str
    weighted : list of str
        Rows that `weights` are of.
    seed : int
        Of the run.
    simulated : bool
    """

    content: Mapping[str, Any]
    labels: Mapping[str, str]
    folds: Sequence[int]
    test_sets: Sequence[str]
    weighted: Sequence[str]
    seed: int
    simulated: bool


def write_all(inputs: Mapping[str, Any], outputs: Mapping[str, str | Path], judged: Judged) -> None:
    """Judge the claims.

    Parameters
    ----------
    inputs : dict
        `metrics`, `weights` (paths, see `uad.report.joined`; no weights if no claim is about them),
        `table1`, a path, and `test_splits` (`joined.Tested`).
    outputs : dict of str to path-like
        `table`, `numbers`, `figure` and `page`.
    judged : Judged
    """
    tested = joined.Tested(inputs["test_splits"], judged.test_sets, judged.folds)
    weights = None
    if inputs["weights"]:
        weights = joined.weights(inputs["weights"], judged.weighted, judged.folds, tested)
    comparisons = claims.compare(
        joined.metrics(inputs["metrics"], judged.labels, judged.folds, tested),
        judged.content["claims"],
        table1=pd.read_csv(inputs["table1"]),
        seed=judged.seed,
        weights=weights,
    )
    verdicts = claims.judge(comparisons, judged.content["claims"])
    tsv.write(verdicts, outputs["table"])
    tsv.write(comparisons, outputs["numbers"])
    figure = claims_page.forest(comparisons, verdicts, judged.simulated)
    canvas.heading(figure, "The paper's claims", judged.simulated)
    canvas.save(figure, outputs["figure"])
    claims_page.write(
        outputs["page"], judged.content, comparisons, verdicts, judged.labels, judged.simulated
    )
