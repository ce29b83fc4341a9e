"""The rules of provenance, methods text and front page, on stand-ins for everything before them."""

import json
import re
from functools import partial

import pytest

from uad.base import tsv
from uad.base.files import write_json
from uad.base.paths import FORMAT

TABLE = "table={rows: [cddpm, perfect], test_sets: [brats]}"
ABOUT = {
    "format": FORMAT,
    "seed": 1,
    "code": "0",
    "revision": "r",
    "device": "cpu",
    "versions": {"torch": "2"},
}
RULES = ("write_methods", "record_provenance", "front_page")


def stand_in(path):
    """What stands for an input of these rules; empty where only its presence counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.name == "subjects" and not path.suffix:
        path.mkdir()
    elif path.name == "about.json":
        fold = int(path.parent.name.removeprefix("fold-"))
        write_json(ABOUT | {"model": path.parts[-3], "fold": fold}, path)
    elif path.parent.name == "inventory" and path.suffix == ".json":
        nothing = {key: [] for key in ("excluded", "left_out", "unreadable")}
        write_json({"found": 9, **nothing, "sha256": "0" * 64}, path)
    elif path.name == "table1.csv":
        path.write_text(
            "block,method,d_unhealthy,test_set,dice_best_mean,auprc_mean,paper_dice_mean\n"
            "I,cddpm,none,brats,0.5,0.4,0.5855\ncontrol,perfect,none,brats,1,1,\n"
        )
    elif path.name == "audit.tsv":
        path.write_text("stage\ttrain_test\ttrain_val\tval_test\nused\t0\t0\t0\n")
    elif path.parent.name == "splits" and path.suffix == ".tsv":
        path.write_text("subject\tfold\trole\nA\t0\ttrain\n")
    elif path.name == "agreement.tsv":
        path.write_text("test_set\tmetric\tn_rows\ttau_b\twithin\tabove\tbelow\n")
    elif path.name == "statistics.tsv":
        path.write_text("row\ttest_set\tstratum\tlevel\tmetric\tn\tmean\tlow\thigh\n")
    elif path.name == "claims.tsv":
        path.write_text(
            "claim\ttitle\tverdict\tcomparisons\tas_claimed\tn\teffect\tlow\thigh\n"
            "one\tA claim\tnot in this run\t1\t0\t0\tn/a\tn/a\tn/a\n"
        )
    else:
        path.touch()


@pytest.fixture
def run(checkout):
    """Run the three rules, without any other."""

    def go(*arguments, target="index.html", ends=0):
        done = checkout.snakemake(
            f"results/demo/{target}", "--config", TABLE, "--rerun-triggers", "mtime", "params",
            *arguments, configfiles=["config/demo.yaml"],
        )  # fmt: skip
        assert done.returncode == ends, done.stdout + done.stderr
        return done.stdout + done.stderr * bool(ends)

    inputs = re.findall(r"^(?:local)?rule (\w+):\n    input: (.*)$", go("-n"), flags=re.M)
    for rule, names in inputs:
        if rule in RULES:
            for name in names.split(", "):
                if not name.endswith(("methods.md", "provenance.json")):
                    stand_in(checkout.folder / name)
    (checkout.folder / "results/demo/failed.html").touch()
    allowed = partial(go, "--allowed-rules", *RULES)
    return allowed, checkout.folder / "results/demo"


def test_written_with_what_there_is(run):
    go, results = run
    go()
    page = (results / "index.html").read_text()
    assert "1 row and 1 control, tested on brats" in page and "config/demo.yaml" in page
    assert '<a href="rows/cddpm.html#brats">50.0</a></td>' in page
    assert "58.6" not in page  # simulated
    assert "</b> A claim\n <span>not in this run</span>" in page
    assert "register_to_sri24" not in page and "Nothing was measured" in page
    assert not (results / "failed.html").exists()
    costs = tsv.read(results / "tables/costs.tsv")
    jobs = costs.set_index(["rule", "of"])[["jobs_planned", "jobs_full"]]
    assert tuple(jobs.loc[("register_to_sri24", "ixi")]) == (10, 10)
    assert tuple(jobs.loc[("train_model", "cddpm")]) == (2, 2)  # the demo has two folds
    assert tuple(jobs.loc[("reconstruct", "cddpm")]) == (4, 4)  # of BraTS21 and IXI
    assert tuple(jobs.loc[("pretrain", "spark")]) == (2, 2)
    assert costs["jobs_measured"].eq(0).all()
    record = json.loads((results / "provenance.json").read_text())
    assert record["config"]["table"]["rows"] == ["cddpm", "perfect"]
    assert set(record["models"]) == {f"{m}/fold-{k}" for m in ("spark", "cddpm") for k in (0, 1)}
    assert "workflow/resources/table1_paper.csv" in record["inputs"]
    assert record["packages_of_training"] == [{"torch": "2"}]
    assert "### cddpm" in (results / "methods.md").read_text()
    # Written again, the record has the same bytes; of another input it has others.
    first = (results / "provenance.json").read_bytes()
    (results / "provenance.json").unlink()
    go(target="provenance.json")
    assert (results / "provenance.json").read_bytes() == first
    (results / "splits/ixi.tsv").write_text("subject\tfold\trole\nB\t0\ttrain\n")
    go(target="provenance.json")
    assert (results / "provenance.json").read_bytes() != first


def test_a_failed_run_leaves_no_page_that_looks_like_a_result(run):
    go, results = run
    go()
    green = (results / "index.html").read_text()
    history = results / "models/cddpm/fold-0/history.tsv"
    history.write_bytes(b"\xff\xfe")  # no job of this run reads it, but the page of a failure does
    inventory = results / "inventory/ixi.json"
    whole = inventory.read_text()
    inventory.write_text(whole[:10])
    said = go(ends=1)
    assert "inventory/ixi.json: is damaged" in said
    assert "Partial results and errors: results/demo/failed.html" in said
    assert not (results / "index.html").exists()
    assert "A later one stopped with an error" in (results / "earlier.html").read_text()
    page = (results / "failed.html").read_text()
    assert "the run is not finished" in page and 'href="earlier.html"' in page
    assert "history.tsv: is damaged (not text)" in page
    assert "logs/record_provenance.log</code>: results/demo/inventory/ixi.json: is damaged" in page
    # Mended, the page comes back, and what the failure left goes.
    inventory.write_text(whole)
    history.unlink()
    go()
    by_the_clock = r"<strong>[^<]*</strong> by the clock[^<]*"
    again = (results / "index.html").read_text()
    assert re.sub(by_the_clock, "", again) == re.sub(by_the_clock, "", green) != green
    assert not (results / "failed.html").exists() and not (results / "earlier.html").exists()
