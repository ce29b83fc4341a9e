"""The profile on a real SLURM: what jobs ask for, and that a run survives what happens on clusters.

One run of a cut of the demo (`overlay.yaml`), in which a job uses more memory than it asked for,
another is cancelled, and Snakemake itself is killed. Then `make recover` and the same command
again, during which the controller is away for a while. What happened is read from SLURM's
accounting.
"""

import csv
import io
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from conftest import ROOT, Checkout

pytestmark = pytest.mark.slurm

CLUSTER = ROOT / "tests/slurm/cluster.sh"
CONFIGFILES = ["config/demo.yaml", str(ROOT / "tests/slurm/overlay.yaml")]
MODEL = "results/slurm/models/unet-brats/fold-0/model.pt"
STATE = "results/slurm/models/unet-brats/fold-0/.state.pt"
LOG = "results/slurm/logs/train_model/unet-brats/fold-0.log"
# What a site fills in, in the three marked lines of the profile; as `cluster.sh` has it.
SITE = ["research", "long", "accelerated"]
FIELDS = "JobID,Comment,State,Partition,Account,ReqCPUS,ReqMem,TimelimitRaw,AllocTRES,Elapsed"
FINISHED = ("COMPLETED", "FAILED", "CANCELLED", "OUT_OF_MEMORY", "TIMEOUT")
# Registration needs more than the first, and less than the second.
TOO_LITTLE_MB = 500
OUTAGE_SECONDS = 15


@dataclass
class Story:
    """What remained of the run: job records, Snakemake's words, the checkout."""

    jobs: list
    second_output: str
    orphan_state: str
    recover: subprocess.CompletedProcess
    left_in_queue: str
    locks: list
    checkout: Checkout

    def of(self, rule):
        """Records of a rule's (or group's) jobs, in order of submission."""
        return [job for job in self.jobs if job["Comment"].startswith(f"rule_{rule}")]


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def accounting():
    """Every job that SLURM knows of, as dicts with the keys FIELDS."""
    command = ["sacct", "--allocations", "--parsable2", f"--format={FIELDS}"]
    return list(csv.DictReader(io.StringIO(output_of(*command)), delimiter="|"))


def fill_in_site(profile):
    """Edit the marked lines; give registration too little memory, in the block at the end."""
    values = iter(SITE)
    lines = [
        re.sub(r"(slurm_\w+: )\w+", rf"\g<1>{next(values)}", line) if "# <-" in line else line
        for line in profile.read_text().splitlines(keepends=True)
    ]
    assert next(values, None) is None
    lines.append(f"  register_to_sri24: {{mem_mb: {TOO_LITTLE_MB} * attempt}}\n")
    profile.write_text("".join(lines))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A running cluster; its folder."""
    if shutil.which("slurmctld") is None:
        pytest.fail("slurmctld is not installed; make test-slurm installs it")
    folder = tmp_path_factory.mktemp("cluster")
    try:
        subprocess.run([CLUSTER, "up", folder], check=True, timeout=120)
        yield folder
    finally:
        subprocess.run([CLUSTER, "down", folder], check=True, timeout=120)


class Run:
    """Snakemake with the profile, in the background."""

    def __init__(self, checkout, log, request):
        self.log = log
        command = [sys.executable, "-m", "snakemake", "--profile", "slurm", MODEL]
        command += ["--configfile", *CONFIGFILES]
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                command, cwd=checkout.folder, stdout=file, stderr=subprocess.STDOUT
            )
        request.addfinalizer(self.process.kill)

    def wait_for(self, condition, seconds=300):
        """Wait until `condition()` is true and return what it returned."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            if self.process.poll() not in (None, 0):
                break
            time.sleep(0.5)
        pytest.fail(f"waited in vain; Snakemake said\n{self.log.read_text()}\n{accounting()}")

    def wait_until_running(self, rule, other_than=None):
        """Wait for a job of a rule or group to run; its identifier."""

        def find():
            for line in output_of("squeue", "-h", "--states=R", "--format=%i|%k").splitlines():
                identifier, _, comment = line.partition("|")
                if comment.startswith(f"rule_{rule}") and identifier != other_than:
                    return identifier
            return None

        return self.wait_for(find)


@pytest.fixture(scope="module")
def story(cluster, tmp_path_factory, request):
    """The run, as told above."""
    folder = tmp_path_factory.mktemp("checkout")
    checkout = Checkout(folder)
    shutil.copytree(ROOT / "slurm", folder / "slurm")
    shutil.copy(ROOT / "Makefile", folder)
    fill_in_site(folder / "slurm/config.yaml")
    # Scans are made here, which takes less time than three rounds of jobs.
    done = checkout.snakemake(MODEL, "--until", "simulate_brats21", configfiles=CONFIGFILES)
    assert done.returncode == 0, done.stdout + done.stderr

    first = Run(checkout, folder / "first.log", request)
    cancelled = first.wait_until_running("subject")
    output_of("scancel", cancelled)
    first.wait_for((folder / STATE).exists, seconds=600)
    first.process.kill()
    first.process.wait()
    orphan = accounting()[-1]["State"]
    recover = subprocess.run(
        ["make", "recover", f"VENV={sys.prefix}"],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    left, locks = output_of("squeue", "--noheader"), list((folder / ".snakemake/locks").glob("*"))

    second = Run(checkout, folder / "second.log", request)
    # A job that is only starting when the controller goes fails, and is retried.
    log = folder / LOG
    second.wait_for(lambda: log.exists() and "resuming after epoch" in log.read_text())
    subprocess.run([CLUSTER, "stop", cluster], check=True, timeout=60)
    time.sleep(OUTAGE_SECONDS)
    subprocess.run([CLUSTER, "start", cluster], check=True, timeout=60)
    second.wait_for(lambda: second.process.poll() == 0)
    # Accounting hears of the last job a little later than Snakemake.
    second.wait_for(lambda: all(j["State"].split()[0] in FINISHED for j in accounting()), 30)
    return Story(
        accounting(), second.log.read_text(), orphan, recover, left, locks, checkout,
    )  # fmt: skip


def test_print_the_accounting(story, capsys):
    names = FIELDS.split(",")
    rows = [names, *([job[name][:60] for name in names] for job in story.jobs)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
    with capsys.disabled():
        print("\n")
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def test_the_model_is_there(story):
    assert (story.checkout.folder / MODEL).exists()
    assert not (story.checkout.folder / STATE).exists()


def test_jobs_ask_for_what_their_rules_say(story):
    (pack,), (split,) = story.of("pack"), story.of("make_splits")
    assert (pack["ReqMem"], pack["TimelimitRaw"], pack["ReqCPUS"]) == ("2000M", "60", "1")
    assert (split["ReqMem"], split["TimelimitRaw"], split["ReqCPUS"]) == ("500M", "5", "1")
    for job in story.of("train_model"):
        assert (job["ReqMem"], job["TimelimitRaw"], job["ReqCPUS"]) == ("16000M", "720", "1")
    assert {job["Account"] for job in story.jobs} == {"research"}


def test_training_and_nothing_else_holds_a_gpu(story):
    for job in story.jobs:
        training = job["Comment"].startswith("rule_train_model")
        assert ("gres/gpu=1" in job["AllocTRES"]) == training, job
        assert job["Partition"] == ("accelerated" if training else "long")
    log = (story.checkout.folder / LOG).read_text()
    # The stand-in is no GPU to torch, so training says why it computes on the CPU.
    assert "computing on the CPU: torch cannot use the GPU that this job was given" in log


def test_subjects_are_batched_one_after_another(story):
    """Three subjects are one job: the CPU and memory of one, the time of three."""
    registrations, chains = story.of("register"), story.of("subject")
    assert {job["ReqCPUS"] for job in registrations + chains} == {"1"}
    assert registrations[0]["TimelimitRaw"] == str(3 * 15)
    assert chains[0]["TimelimitRaw"] == str(3 * (10 + 10 + 10))  # strip, N4, downsample
    assert chains[0]["ReqMem"] == "2000M"


def test_too_little_memory_comes_back_with_more(story):
    killed, done = story.of("register")
    assert killed["State"] in ("FAILED", "OUT_OF_MEMORY") and done["State"] == "COMPLETED"
    assert [killed["ReqMem"], done["ReqMem"]] == [f"{TOO_LITTLE_MB * n}M" for n in (1, 2)]
    assert [killed["TimelimitRaw"], done["TimelimitRaw"]] == ["45", "90"]


def test_cancelled_job_is_retried(story):
    cancelled, done = story.of("subject")
    assert cancelled["State"].startswith("CANCELLED") and done["State"] == "COMPLETED"
    assert done["ReqMem"] == "4000M"  # grown, as after any failure


def test_recover_cancels_what_a_killed_run_left(story):
    assert story.orphan_state == "RUNNING"
    assert story.recover.returncode == 0, story.recover.stdout + story.recover.stderr
    assert story.left_in_queue == "" and not story.locks
    assert story.of("train_model")[0]["State"].startswith("CANCELLED")


def test_controller_restart_loses_no_job(story):
    # The second training ran meanwhile; Snakemake noticed its end (or `story` had waited in vain).
    assert [job["State"] for job in story.of("train_model")][1:] == ["COMPLETED"]


def test_nothing_finished_is_repeated(story):
    for rule in ("register", "subject", "pack", "make_splits", "train_model"):
        assert [job["State"] for job in story.of(rule)].count("COMPLETED") == 1, rule
    finished = re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", story.second_output)
    assert finished == ["train_model"]
    log = (story.checkout.folder / LOG).read_text()
    assert "resuming after epoch" in log
