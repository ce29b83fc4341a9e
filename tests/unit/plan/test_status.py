"""How far a run is, from logs and benchmark files."""

import io
import math

import pandas as pd
import pytest
from conftest import ROOT
from rich.console import Console
from test_plan import plan_of

from uad.plan import status

LOG = """2026-11-26 21:00:00,159 computing on the CPU
2026-11-26 21:01:00,880 epoch 2: train 0.19292, validation 0.13965
2026-11-26 21:02:00,246 saved the state: 3 epochs and 15 batches
2026-11-26 21:03:00,798 epoch 6: train 0.11703, validation 0.10168
"""


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "train.log"
    path.write_text(LOG)
    return path


def test_a_training_that_runs(log):
    found = status.training(log, "ae", 1, 10, log.stat().st_mtime + 5)
    assert (found.epoch, found.epochs, found.train, found.validation) == (
        6, 10, "0.11703", "0.10168",
    )  # fmt: skip
    # 120 s for 4 epochs, of which 4 are left.
    assert found.per_epoch == 30 and found.seconds_left == 120
    assert found.quiet == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(
    "end", ["2026-11-26 21:04:00,798 finished after 240.0 s\n", "2026-11-26 Error: no data\n"]
)
def test_a_training_that_ended(log, end):
    log.write_text(LOG + end)
    assert status.training(log, "ae", 1, 10, 0) is None


def test_a_training_without_two_epochs_has_no_time_left(log):
    log.write_text("".join(LOG.splitlines(True)[:2]))
    found = status.training(log, "ae", 1, 10, 0)
    assert found.epoch == 2 and math.isnan(found.seconds_left)
    log.write_text(LOG.splitlines(True)[0])
    assert status.training(log, "ae", 1, 10, 0).epoch == 0
    assert status.training(log.with_name("none.log"), "ae", 1, 10, 0) is None


def costs_of(*lines):
    columns = ["rule", "of", "jobs_planned", "jobs_measured", "hours"]
    return pd.DataFrame(lines, columns=columns)


def test_time_left_is_of_the_same_method_or_else_of_the_rule():
    nan = float("nan")
    found = status.steps(
        costs_of(
            ("evaluate", "ae", 4, 2, 1.0),  # 2 more of half an hour
            ("evaluate", "rd", 3, 0, nan),  # as long as the mean, half an hour
            ("score", "unet", 2, 0, nan),
            ("pretrain", "spark", 0, 0, nan),
        ),
        [],
    )
    assert list(found.index) == ["evaluate", "score"]
    assert tuple(found.loc["evaluate"]) == (2, 7, 1.0, 2.5)
    assert math.isnan(found.loc["score", "left"])
    text = status.sentence(found, False)
    assert text.startswith("Left: about 2 h 30 min") and text.endswith("not known yet: score.")


def test_a_training_under_way_tells_how_long_others_of_it_take():
    running = status.Training("unet-brats", 0, 5, 10, "1", "1", 3600.0, 720.0, 0)
    found = status.steps(costs_of(("train_model", "unet", 3, 0, float("nan"))), [running])
    assert found.loc["train_model", "left"] == pytest.approx(1 + 2 * 2)


def test_what_is_printed(tmp_path):
    plan = plan_of(results=str(tmp_path / "out"), table={"rows": ["ae", "perfect"]})
    folder = tmp_path / "out/logs/train_model/ae"
    folder.mkdir(parents=True)
    (folder / "fold-1.log").write_text(LOG)
    out = io.StringIO()
    status.show(plan, Console(file=out, width=200))
    text = out.getvalue()
    assert "6 of 12" in text and "0.10168" in text and "register_to_sri24" in text
    assert "not known yet: register_to_sri24" in text


def test_an_overlay_that_is_not_there_is_named():
    with pytest.raises(SystemExit, match="gone.yaml: no such file"):
        status.main([str(ROOT / "gone.yaml")])
