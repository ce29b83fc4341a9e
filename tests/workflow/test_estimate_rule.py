"""`snakemake estimate`, on a configuration whose scans need not be there yet."""

import re


def test_says_what_a_run_costs_before_it_starts(checkout):
    done = checkout.snakemake(
        "estimate", "--cores", "2", "--config", "table={rows: [ae, intensity], test_sets: [brats]}",
        configfiles=["config/demo.yaml"],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    assert lines["train_model"][0] == "2"  # folds
    assert lines["train_model"][-1] == "here"
    assert lines["register_to_sri24"][-1] == "shipped"
    assert int(lines["all"][0]) == sum(
        int(words[0]) for words in lines.values() if words and words[-1] in ("here", "shipped", "unknown")
    )
    assert re.search(r"With 2 cores about \d+ (s|min), if they are busy", done.stdout)
    assert done.stderr.count("measuring ae") == 1
    assert not (checkout.folder / "results/demo/models").exists()


def test_a_run_that_cannot_be_planned_ends_it_in_a_sentence(checkout):
    done = checkout.snakemake("estimate", "--cores", "2", configfiles=["config/config.yaml"])
    assert done.returncode == 1
    assert "data/IXI" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
