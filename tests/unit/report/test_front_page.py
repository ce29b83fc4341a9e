"""The front page: controls, failures, exclusions, costs, and text that is not HTML."""

import json
import re

import pandas as pd
import pytest

from uad.base import logs
from uad.base.errors import InputError
from uad.base.files import write_json
from uad.report import costs, front_page

RUN = {
    "simulated": True,
    "configs": ["config/config.yaml", "a <b>.yaml"],
    "modality": "T1",
    "scheme": "clean",
    "folds": [0],
    "n_folds": 5,
    "seed": 7,
    "accelerator": "cpu",
    "rows": {
        "cddpm": {"block": "I", "label": "cDDPM", "maps": ["cddpm"]},
        "sadm_res-brats": {
            "block": "III",
            "label": "SADM_res",
            "maps": ["cddpm", "unet_res-brats"],
        },
        "perfect": {"block": "control", "maps": ["perfect"]},
        "chance": {"block": "control", "maps": ["chance"]},
    },
    "references": ["cddpm", "sadm_res-brats"],
    "epochs": {"cddpm": 2},
    "test_sets": ["brats"],
    "datasets": ["ixi", "brats21"],
    "judges_claims": False,
    "figures": ["figures/cases_brats.svg", "figures/none.png"],
    "code": "0123",
    "revision": "r+",
}
PLAN = [
    {
        "rule": "train_model",
        "of": "cddpm",
        "files": ["train_model/cddpm/fold-0.tsv"],
        "jobs": 1,
        "jobs_full": 5,
        "gpu": True,
    },
]
FINISHED = "2026-01-01 00:00:00,000 finished after 1.0 s\n"


def text_file(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path):
    """A small finished run."""
    for name in RUN["datasets"]:
        (tmp_path / "inventory").mkdir(exist_ok=True)
        line = {"found": 9, "excluded": [], "left_out": [], "unreadable": []}
        write_json(line, tmp_path / f"inventory/{name}.json")
        text_file(tmp_path / f"packed/{name}/excluded.tsv", "subject\tstatus\n")
        split = "subject\tfold\trole\nA\t0\ttrain\nB\t0\tval\nC\t0\ttest\nD\t0\ttest\nA\t1\ttest\n"
        text_file(tmp_path / f"splits/{name}.tsv", split)
    columns = "dataset\tstage\ttrain_test\ttrain_val\tval_test\tabsent\tabsent_subjects"
    lines = "ixi\tlisted\t5\t5\t5\t0\tn/a\nixi\tused\t0\t0\t0\t0\tn/a\n"
    text_file(tmp_path / "splits/audit.tsv", f"{columns}\n{lines}")
    columns = "block,method,d_unhealthy,test_set,dice_best_mean,auprc_mean,paper_dice_mean\n"
    text_file(
        tmp_path / "tables/table1.csv",
        columns + "I,cddpm,none,brats,0.5,0.4,0.5857\nIII,sadm_res,brats,brats,0.7,0.7,0.6974\n"
        "control,perfect,none,brats,1,1,\ncontrol,chance,none,brats,0.04,0.021,\n",
    )
    text_file(
        tmp_path / "tables/agreement.tsv",
        "test_set\tmetric\tn_rows\ttau_b\twithin\tabove\tbelow\n"
        "brats\tdice_best\t2\t1\t1\t0\t1\nbrats\tauprc\t0\tn/a\t0\t0\t0\n",
    )
    text_file(tmp_path / "logs/compare.log", FINISHED)
    text_file(tmp_path / "logs/train_model/cddpm/fold-0.log", FINISHED)
    text_file(tmp_path / "logs/front_page.log", "")  # of the job that is running
    history = "epoch\tval_loss\tseconds\n1\t0.1\t5\n2\t0.2\t5\n"
    text_file(tmp_path / "models/cddpm/fold-0/history.tsv", history)
    text_file(tmp_path / "models/cddpm/fold-0/about.json", json.dumps({"device": "cpu"}))
    text_file(
        tmp_path / "benchmarks/train_model/cddpm/fold-0.tsv",
        "s\tmax_rss\tcpu_time\n7200\t1024\t3600\n",
    )
    text_file(tmp_path / "figures/cases_brats.svg", "<svg></svg>")
    text_file(tmp_path / "qc/ixi.html", "")
    return tmp_path


def page(root, finished=True, **changes):
    run = RUN | changes
    if finished:
        front_page.write(root / "index.html", root, run, front_page.measure(root, PLAN, run))
    else:
        front_page.write_failed(root / "index.html", root, run, PLAN)
    return (root / "index.html").read_text()


def checks(text):
    """State and words of each check."""
    return re.findall(r'<li class="(\w+)"><b>.</b> (.*?)</li>', text)


def test_a_run_that_worked(root):
    text = page(root)
    found = checks(text)
    assert {state for state, _ in found} == {"good"}
    words = " ".join(words for _, words in found)
    for part in (
        "Control rows have their expected values: <code>perfect</code> has [DICE] 100.0 (brats)",
        "; <code>chance</code> has AUPRC 2.1 (brats).",
        "No job failed",
        "Every subject",
        "No subject has two roles",
        "0 of 1 trainings",
    ):
        assert part in words, part
    assert "Computed on simulated scans" in text and "not finished" not in text
    assert ">50.0</td>" in text and ">70.0</td>" in text and "58.6" not in text
    assert "within" not in text and "say nothing about simulated scans" in text
    tiles = re.findall(r"<li[^>]*><strong>(.*?)</strong> (.*?)</li>", text)
    assert [number for number, _ in tiles] == ["✓", "6 / 6", "50.0", "70.0", "0 s"]
    assert tiles[2][1] == "[DICE] of cDDPM: BRATS"
    ixi = re.search(r"<tr><td>ixi</td>(.*?)</tr>", text)[1]
    assert re.findall(r">(\w+)</td>", ixi) == ["9", "0", "0", "0", "1", "1", "2"]
    assert '1 of 1</td><td class="n">2 h 0 min</td><td class="n">1 h 0 min' in text
    assert (
        "All 5 folds of this configuration: about <b>10 h 0 min</b>, from 1 measured of 5" in text
    )
    assert "do not extrapolate" in text and "2 rows and 2 controls, tested on brats" in text
    assert page(root) == text


def test_agreement_with_the_paper_of_real_scans_that_are_enough(root):
    text = page(root, simulated=False)
    assert "BRATS: [DICE] within 1 of 2, τ 1.00; AUPRC –." in text
    assert "50.0 <span>58.6 (−8.6)</span>" in text and "paper 58.6" in text
    path = root / "tables/agreement.tsv"
    text_file(path, path.read_text().replace("\t1\t0\t1\n", "\t0\t0\t0\n"))
    text = page(root, simulated=False)
    assert "[DICE] too few subjects, τ 1.00" in text


CLAIMS = """\
claim\ttitle\tverdict\tcomparisons\tas_claimed\tn\teffect\tlow\thigh
a\tSADM_res is <better>\tholds\t1\t1\t30\t0.1\t0.05\t0.15
b\tAnother\tdoes not hold\t2\t1\t30\t-0.1\t-0.15\t-0.05
c\tFew\ttoo few subjects\t2\t1\t3\t0.02\tn/a\tn/a
d\tElsewhere\tnot in this run\t1\t0\t0\tn/a\tn/a\tn/a
"""


def test_claims_are_counted_and_listed(root):
    assert "What the paper says" not in page(root)  # of a run without claims
    text = page(root, judges_claims=True)
    assert "have not been judged yet" in text
    text_file(root / "tables/claims.tsv", CLAIMS)
    text_file(root / "tables/claims.html", "")
    text = page(root, judges_claims=True)
    panel = text.partition("What the paper says")[2].partition("</section>")[0]
    assert '<a href="tables/claims.html">claims</a>' in panel
    assert "1 holds, 1 does not hold, 1 has too few subjects, 1 is not in this run, in" in panel
    assert "in this simulation." in panel
    lines = re.findall(r'<li class="([a-z-]+)"><b>(.)</b> (.*?)\s*<span>(.*?)</span>', panel)
    assert lines == [
        ("holds", "✓", "SADM<sub>res</sub> is &lt;better&gt;", "+10.0 [5.0, 15.0]"),
        ("does-not-hold", "✗", "Another", "−10.0 [−15.0, −5.0]"),
        ("too-few-subjects", "…", "Few", "+2.0, 1 of 2 as claimed"),
        ("not-in-this-run", "–", "Elsewhere", "not in this run"),
    ]
    assert "in this simulation" not in page(root, judges_claims=True, simulated=False)
    assert ">the paper&#39;s claims</a>" in text


def test_a_failing_control(root):
    sentence = "control perfect: dice_best of brats, subject <S> is 0.98 and must be 1"
    text_file(root / "logs/compare.log", f"2026-01-01 00:00:00,000 Error: {sentence}\n")
    text = page(root, finished=False)
    assert checks(text)[0] == (
        "bad",
        f"Controls and tables: {sentence.replace('<S>', '&lt;S&gt;')}",
    )
    assert "have their expected values" not in text and "the run is not finished" in text
    assert re.search(
        r"Table 1 is as of 20[\d: -]{14}, before that: what failed has its earlier", text
    )
    assert "No job failed" not in text


def test_a_table_without_controls_or_no_table_yet(root):
    state, words = checks(page(root, rows={"cddpm": RUN["rows"]["cddpm"]}, references=["cddpm"]))[0]
    assert state == "look" and "nothing vouches" in words
    (root / "tables/table1.csv").unlink()
    text = page(root)
    assert checks(text)[0][0] == "look" and "There is no Table 1 yet" in text


LEARNED = RUN["rows"] | {"intensity": {"block": "control", "maps": ["intensity"]}}
CONTROLS = (
    "control,intensity,none,brats,0.3,0.2,\ncontrol,intensity,none,draem,0.9,0.9,\n"
    "control,chance,none,draem,0.9,0.9,\nI,cddpm,none,draem,0.1,0.1,\n"
)


def about_learning(text):
    return [(state, words) for state, words in checks(text) if "above" in words]


def test_rows_that_learned_nothing_are_named_with_their_numbers(root):
    path = root / "tables/table1.csv"
    text_file(path, path.read_text() + CONTROLS)
    # Not on the synthetic test set: what is found there says nothing of lesions.
    said = "Every row is above chance and intensity on every test set with real lesions."
    assert about_learning(page(root, rows=LEARNED)) == [("good", said)]
    whole = path.read_text()
    text_file(path, whole.replace("brats,0.5,0.4,", "brats,0.3,0.4,"))
    said = "1 of 2 rows not above chance (4.0) and intensity (30.0): <code>cddpm</code> 30.0."
    assert about_learning(page(root, rows=LEARNED)) == [("look", f"[DICE] on brats: {said}")]
    text_file(
        path, whole.replace("0.5,0.4,", "0.2,0.4,").replace("brats,0.7,0.7,", "brats,0.3,0.1,")
    )
    assert [words for _, words in about_learning(page(root, rows=LEARNED))] == [
        "[DICE] on brats: 2 of 2 rows not above chance (4.0) and intensity (30.0): "
        "<code>cddpm</code> 20.0; <code>sadm_res-brats</code> 30.0.",
        "AUPRC on brats: 1 of 2 rows not above chance (2.1) and intensity (20.0): "
        "<code>sadm_res-brats</code> 10.0.",
    ]


def test_missing_values_are_told_with_their_reason(root):
    path = root / "tables/table1.csv"
    columns, *lines = path.read_text().splitlines()
    lines = [line + ",0.5" for line in lines] + [
        f"{block},{row},none,mslub,,,,"
        for block, row in (("I", "cddpm"), ("control", "perfect"), ("control", "chance"))
    ]
    text_file(path, "\n".join([columns + ",dice_val_mean", *lines, ""]))
    found = checks(page(root))
    assert ("look", "Values on mslub are missing: no test subject has a lesion.") in found
    (words,) = (words for _, words in found if "expected values" in words)
    assert "mslub" not in words and "100.0 (brats)" in words
    assert about_learning(page(root))[0][0] == "good"
    text_file(path, path.read_text().replace(",0.5\n", ",\n"))
    why = "no validation subject has a lesion, so that there is no threshold for Dice_val."
    assert ("look", f"Values on brats are missing: {why}") in checks(page(root))
    # On no test set.
    text_file(path, "\n".join([columns, *(line[:-4] for line in lines[-3:]), ""]))
    found = checks(page(root))
    assert found[0] == (
        "look", "Controls: none has a value, so nothing vouches for the evaluation.",
    )  # fmt: skip
    assert not about_learning(page(root))


def test_one_control_tells_and_none_cannot(root):
    assert about_learning(page(root))[0][1].startswith("Every row is above chance on every")
    only = {row: block for row, block in RUN["rows"].items() if row != "chance"}
    said = (
        "Whether anything was learned cannot be told: the table has neither chance nor intensity."
    )
    assert ("look", said) in checks(page(root, rows=only))
    (root / "tables/table1.csv").unlink()
    assert not any("learned" in words for _, words in checks(page(root)))


def test_remarks_on_maps_made_elsewhere(root):
    for name, fold in (("perfect", 0), ("perfect", 1), ("other", 0), ("chance", 0)):
        words = "" if name == "chance" else "ixi: 2 of 2 maps are zero everywhere: A, B\n"
        text_file(root / f"scores/{name}/fold-{fold}/remarks.txt", words)
    found = [words for state, words in checks(page(root)) if state == "look"]
    assert found == ["Maps of perfect, fold 0: ixi: 2 of 2 maps are zero everywhere: A, B."]


def test_failed_jobs(root):
    trace = "2026-01-01 00:00:00,000 Traceback:\n  File\nValueError: no <value>\n"
    text_file(root / "logs/evaluate/cddpm/fold-0.log", trace)
    text_file(root / "logs/pack/ixi.log", "2026-01-01 00:00:00,000 reading\n")
    text_file(
        root / "logs/check.log", "2026-01-01 00:00:00,000 no data\n"
    )  # says nothing of results
    for k in range(5):
        text_file(root / f"logs/score/m/fold-{k}.log", "2026 Error: disk full\n")
    state, words = checks(page(root, finished=False))[1]
    assert state == "bad" and words.startswith("7 job(s) failed: ")
    assert "<code>logs/evaluate/cddpm/fold-0.log</code>: no &lt;value&gt;" in words
    assert "<code>logs/pack/ixi.log</code>: ended without a reason" in words
    assert words.endswith("… and 2 more.") and "check.log" not in words
    # A run that came to its end did not need them.
    state, words = checks(page(root))[1]
    told = "7 job(s) failed earlier but are not needed by this run: "
    assert state == "look" and words.startswith(told)


def test_excluded_left_out_and_unreadable(root):
    names = [f"IXI{k:03}" for k in range(7)]
    lines = "".join(f"{name}\tlow similarity\n" for name in names)
    text_file(root / "packed/ixi/excluded.tsv", f"subject\tstatus\n{lines}")
    line = {
        "found": 3, "excluded": [["P3", "excluded: moved"]], "left_out": [["<x>", "no lesion"]],
        "unreadable": [["raw/f.nii", "cut"]],
    }  # fmt: skip
    write_json(line, root / "inventory/brats21.json")
    # The table of the excluded repeats what was left out.
    lines = "<x>\tno lesion\nP3\texcluded: moved\nB\tlow\n"
    text_file(root / "packed/brats21/excluded.tsv", f"subject\tstatus\n{lines}")
    text = page(root)
    words = [re.sub("</?code>", "", words) for state, words in checks(text) if state == "look"]
    assert words[0] == (
        "ixi: 7 excluded by preprocessing: IXI000 (low similarity); IXI001 (low similarity); "
        "IXI002 (low similarity); IXI003 (low similarity); IXI004 (low similarity); … and 2 more."
    )
    assert words[1:5] == [
        "brats21: 1 left out by the configuration: P3 (excluded: moved).",
        "brats21: 1 left out as incomplete or doubled: &lt;x&gt; (no lesion).",
        "brats21: 1 unreadable files: f.nii (cut).",
        "brats21: 1 excluded by preprocessing: B (low).",
    ]
    assert "Every subject" not in text and "<x>" not in text


def test_listed_subjects_that_are_not_used_are_named(root):
    audit = root / "splits/audit.tsv"
    lines = [f"ixi\tlisted\t0\t0\t0\t2\t{names}\n" for names in ("A B", "B C")]
    audit.write_text(audit.read_text() + "".join(lines))
    words = [re.sub("</?code>", "", words) for _, words in checks(page(root))]
    assert "ixi: 3 subjects of the released lists not used: A; B; C." in words


DAMAGE = [b"\xff\xfe\x00", b"", b"one\ttwo\n1\n", b'{"a": ', b"other\n1\n"]
READ = [
    "models/cddpm/fold-0/history.tsv",
    "models/cddpm/fold-0/about.json",
    "inventory/ixi.json",
    "packed/ixi/excluded.tsv",
    "splits/ixi.tsv",
    "splits/audit.tsv",
    "tables/table1.csv",
    "tables/agreement.tsv",
    "tables/claims.tsv",
    "provenance.json",
]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", READ)
def test_a_damaged_file_does_not_kill_the_page_of_a_failed_run(root, name, damage):
    text_file(root / "tables/claims.tsv", CLAIMS)
    text_file(root / "provenance.json", "{}")
    (root / name).write_bytes(damage)
    words = " ".join(words for _, words in checks(page(root, finished=False, judges_claims=True)))
    assert "The run stopped, but no log says why" in words
    if not name.endswith("json") and damage == DAMAGE[0]:  # and it is named
        assert "Parts of this page could not be made: <code>" in words
        assert f"{root / name}: is damaged" in words
        with pytest.raises(InputError, match=f"^{root / name}: is damaged"):
            page(root, judges_claims=True)


def test_a_damaged_picture_does_not_kill_the_page_of_a_failed_run(root):
    text_file(root / "figures/none.png", "no picture")
    assert "<code>figures</code>: " in page(root, finished=False)


def test_a_history_cut_short_ends_the_page_by_name(root):
    path = root / "models/cddpm/fold-0/history.tsv"
    text_file(path, "epoch\tval_loss\tseconds\n1\t0.1\t5\n")
    with pytest.raises(InputError, match=f"^{path}: does not have each of the 2 epochs"):
        page(root)
    assert f"{path}: does not have each of the 2 epochs" in page(root, finished=False)


def test_a_benchmark_that_cannot_be_read_is_named_and_not_counted(root):
    text_file(root / "benchmarks/train_model/cddpm/fold-0.tsv", "s\tmax_rss\tcpu_time\n7200\t10")
    text = page(root)
    said = "1 benchmark file cannot be read: <code>benchmarks/train_model/cddpm/fold-0.tsv</code>."
    assert ("look", said) in checks(text) and "Nothing was measured" in text


def test_leaking_splits(root):
    audit = root / "splits/audit.tsv"
    audit.write_text(audit.read_text().replace("used\t0\t0\t0", "used\t2\t0\t1"))
    assert ("bad", "Splits leak: 3 times a subject has two roles in a fold.") in checks(page(root))


def test_trainings_that_should_go_on(root):
    history = "epoch\tval_loss\tseconds\n1\t0.3\t5\n2\t0.2\t5\n"
    text_file(root / "models/cddpm/fold-0/history.tsv", history)
    state, words = checks(page(root))[-1]
    assert state == "look" and words.startswith("1 of 1 trainings are best at their last epoch")


def test_gpu_hours_only_where_there_was_a_gpu(root):
    def hours(accelerator):
        return front_page.measure(root, PLAN, RUN | {"accelerator": accelerator})["gpu_hours"][0]

    assert hours("cpu") == hours("auto") == 0 and hours("cuda") == 2
    text_file(root / "models/cddpm/fold-0/about.json", json.dumps({"device": "cuda"}))
    assert hours("auto") == 2


def test_an_empty_folder_has_a_page_too(tmp_path):
    text = page(tmp_path, finished=False)
    assert "Nothing was measured" in text and "no log says why" in text
    assert "ixi: not preprocessed yet" in text and "Table 1 is as of" not in text


def test_what_was_never_measured_is_named_not_guessed(root):
    run = RUN | {"simulated": False}
    plan = [*PLAN, {**PLAN[0], "rule": "score", "files": ["score/cddpm/fold-0.tsv"]}]
    table = front_page.measure(root, plan, run)
    front_page.write(root / "index.html", root, run, table)
    text = (root / "index.html").read_text()
    assert "Not included, since never measured: score cddpm." in text
    assert "10 h 0 min" in text and "imulated" not in text
    assert isinstance(costs.by_rule(table), pd.DataFrame)


def test_page_is_whole_escaped_and_its_links_lead_somewhere(root):
    text = page(root)
    assert "a &lt;b&gt;.yaml" in text and "a <b>" not in text
    links = re.findall(r'href="([^"]*)"', text)
    assert "qc/ixi.html" in links and "figures/cases_brats.svg" in links
    for link in links:
        assert (root / link).is_file() and not link.startswith(("/", "http")), link
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', text))
    assert "r+ (uncommitted changes)" in text


def test_failure_of_a_job_that_finished(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("2026 Error: is only a word here\n" + FINISHED)
    assert logs.failure(path) is None
    with pytest.raises(ValueError), logs.job(path):
        raise ValueError("bad <value>")
    assert logs.failure(path) == "bad <value>"
    with logs.job(path) as log:
        log.info("working")
    assert logs.failure(path) is None


def test_a_run_of_which_every_job_was_measured_guesses_nothing(root):
    run = RUN | {"n_folds": 1}
    plan = [{**PLAN[0], "jobs_full": 1}]
    front_page.write(root / "index.html", root, run, front_page.measure(root, plan, run))
    text = (root / "index.html").read_text()
    assert "<b>2 h 0 min</b>, every one of these jobs measured" in text
    assert "is assumed" not in text.replace("\n", " ") and "about <b>" not in text


def test_pages_of_rows_and_subjects_are_linked_and_spelled_as_in_the_tables(root):
    pages = ("rows/sadm_res-brats", "rows/cddpm", "methods/cddpm", "subjects/brats")
    for name in (*pages, "subjects/brats/S1", "figures/cases_brats"):
        path = root / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "figures/cases_brats.svg").write_text("<svg/>")
    text = page(root)
    for link in (
        '<a href="rows/sadm_res-brats.html">SADM<sub>res</sub> · BRATS</a>',
        '<a href="rows/cddpm.html#brats">',
        '<a href="methods/cddpm.html">cDDPM</a>',
        '<a href="subjects/brats.html">all of BRATS</a>',
        '<a href="figures/cases_brats.html">',
    ):
        assert link in text, link
    assert "cases_brats.svg" not in text and "S1.html" not in text  # a page has the figure
