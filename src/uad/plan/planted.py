"""Lesions planted into healthy scans: what they are measured on, and which jobs make what."""

from typing import Any

from uad.plan.needs import PLANTED
from uad.plan.plan import Plan

FIRST = 4  # rows on the front page, of a table without references


class Planted:
    """Files of the rules in `planted.smk`, if `planted` is set.

    Methods that take `wildcards` are input or parameter functions of rules with the wildcards
    `model` or `row`, and `fold`.

    Attributes
    ----------
    rows : list of str
        That are measured.
    settings : dict
        What decides the scans.
    test_set : str
        In the table: the controls are made, and the rows' thresholds taken, as for this one.
    """

    def __init__(self, plan: Plan):
        self.plan, self.paths = plan, plan.paths
        block = plan.config["planted"] or {"rows": []}
        self.rows = block["rows"]
        self.settings = {k: of for k, of in block.items() if k not in ("rows", "threshold")}
        self.threshold = f"threshold_{block['threshold']}" if "threshold" in block else None
        self.test_set = next(iter(plan.test_sets))

    def upstream_reconstructions(self, wildcards: Any) -> list[str]:
        """Reconstructions of the planted scans that a network gets from its upstream model."""
        plan, model = self.plan, wildcards.model
        upstream = plan.block(model)["upstream"]
        if upstream is None:
            return []
        made_by = model if model in plan.drifting else upstream
        return [self.paths.reconstruction(made_by, wildcards.fold, PLANTED)]

    def scored_files(self, wildcards: Any) -> dict[str, Any]:
        """What the wildcard row's scores of the planted scans are made of, and its thresholds."""
        row, fold = wildcards.row, wildcards.fold
        tuned_on = self.plan.test_sets[self.test_set]
        files = self.plan.scored_files(row, fold, [PLANTED])
        # Reconstructions of these scans are deleted, too.
        made_by = self.plan.reconstructing_of(row)
        files["models"] = [*files["models"], *(self.paths.model(m, fold) for m in made_by)]
        return {
            **files,
            "lesions": self.paths.planted_lesions,
            "thresholds": self.paths.metrics(row, fold, "pooled"),
            "tuned_packed": self.paths.packed(tuned_on),
            "tuned_split": self.paths.split(tuned_on),
        }

    def of_every_row(self) -> list[str]:
        """What each row sees, fold changing fastest."""
        return [self.paths.detected(row, fold) for row in self.rows for fold in self.plan.folds]

    def labels(self) -> dict[str, str]:
        """What is printed for the rows."""
        return {row: self.plan.config["rows"][row]["label"] for row in self.rows}

    def first(self) -> list[str]:
        """Rows on the front page: references and the control `intensity`, or else the first."""
        references = self.plan.config["table"]["references"]
        found = [row for row in self.rows if row in references]
        found += [row for row in self.rows if self.plan.maps(row) == ["intensity"]]
        return found or self.rows[:FIRST]
