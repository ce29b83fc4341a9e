"""Which device a job gets: one GPU each, on a machine that has none (torch is told otherwise)."""

import logging
import select
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT

from uad.base import devices, locks

CARDS = ["GPU-a", "GPU-b"]
# Takes a card, says which, and keeps it until it is killed.
HOLDER = """
import sys, time
sys.path.insert(0, {scripts!r})
from uad.base import locks
locks.POLL_SECONDS = 0.05
print("looking", flush=True)
print(locks.take({cards!r}, {per_card}, {folder!r}), flush=True)
time.sleep(60)
"""


@pytest.fixture
def hold(tmp_path):
    """Start a process that takes a card; returns it. `card(process)` waits until it has one."""
    started = []

    def start(per_card=1):
        code = HOLDER.format(
            scripts=str(ROOT / "src"),
            cards=CARDS,
            per_card=per_card,
            folder=str(tmp_path / "locks"),
        )
        command = [sys.executable, "-c", code]
        # Unbuffered, so that `select` sees what there is to read.
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0))
        assert started[-1].stdout.readline() == b"looking\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def card(process):
    return int(process.stdout.readline())


def waits(process):
    """Whether it looks for a card in vain, six times at least."""
    return select.select([process.stdout], [], [], 0.3) == ([], [], [])


def test_no_two_jobs_on_one_card_and_a_killed_one_frees_its_own(hold):
    first, second = hold(), hold()
    taken = {process: card(process) for process in (first, second)}
    assert sorted(taken.values()) == [0, 1]
    third = hold()
    assert waits(third)
    second.send_signal(signal.SIGKILL)
    assert card(third) == taken[second]
    assert first.poll() is None


def test_cards_are_shared_only_if_allowed_and_evenly(hold):
    jobs = [hold(per_card=2) for _ in range(4)]
    assert sorted(card(job) for job in jobs) == [0, 0, 1, 1]
    assert waits(hold(per_card=2))


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """Torch sees two GPUs; returns what it was told to compute on."""
    current = []
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(locks.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(locks, "_held", [])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    properties = {i: SimpleNamespace(uuid=name) for i, name in enumerate(CARDS)}
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties.get)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    return current


def test_a_job_gets_a_card_of_its_own(two_gpus):
    # Locks are of files, not of processes, so one process can be two jobs.
    assert [devices.claim("auto", 2) for _ in range(2)] == two_gpus
    assert two_gpus == [torch.device("cuda", 0), torch.device("cuda", 1)]


def test_more_jobs_than_cards_share_them(two_gpus):
    assert [devices.claim("cuda", 3).index for _ in range(4)] == [0, 1, 0, 1]


def test_a_cluster_job_takes_the_card_it_was_given(two_gpus, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for _ in range(2):  # two jobs whose only card is number 0, on one node or on two
        assert devices.claim("auto", 1) == torch.device("cuda", 0)
    assert locks._held == []


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        ("cpu", "32-true", None),
        ("cpu", "16-mixed", None),
        ("cpu", "bf16-mixed", torch.bfloat16),
        ("cuda", "32-true", None),
        ("cuda", "16-mixed", torch.float16),
        ("cuda", "bf16-mixed", torch.bfloat16),
    ],
)
def test_precision_of_the_networks(device, precision, expected):
    assert devices.reduced(torch.device(device), precision) is expected


def test_sent_to_a_gpu_without_waiting(monkeypatch, rng):
    """Only a copy from pinned memory that is not waited for leaves the GPU at work."""
    calls = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: calls.append("pinned") or self)
    monkeypatch.setattr(
        torch.Tensor, "to", lambda self, *args, **how: calls.append((args, how)) or self
    )
    devices.send(rng.random(3), torch.device("cuda", 0))
    assert calls == ["pinned", ((torch.device("cuda", 0),), {"non_blocking": True})]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_freed_memory_is_kept():
    """A second block of 100 MB takes no new pages from the system."""
    code = (
        f"import resource, sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "import numpy as np\nfrom uad.base import devices\n"
        "def faults():\n    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def fill():\n    before = faults(); np.ones(10**8, np.uint8); return faults() - before\n"
        "fill(); print(fill()); devices.set_up_cpu(1); fill(); print(fill())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    default, kept = map(int, done.stdout.split())
    assert kept < default / 10


def test_on_the_cpu_nothing_is_copied(rng):
    array = rng.random(3)
    assert devices.send(array, "cpu").data_ptr() == array.ctypes.data


def test_without_a_gpu_the_log_says_why(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    caplog.set_level(logging.INFO, logger="uad")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.claim("cpu", 1) == devices.claim("auto", 1) == torch.device("cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert devices.claim("auto", 1) == torch.device("cpu")
    assert caplog.messages == [
        "computing on the CPU",
        "computing on the CPU: torch sees no GPU",
        "computing on the CPU: torch cannot use the GPU that this job was given (number 3)",
    ]


def test_denormal_numbers_are_zero_for_networks_alone():
    torch.set_flush_denormal(False)
    try:
        tiny = torch.full((64,), 1e-39)
        assert (tiny * 1).any()
        devices.set_up_cpu(torch.get_num_threads())
        assert (tiny * 1).any()  # SciPy's k-d tree needs them
        devices.set_up_networks(torch.get_num_threads())
        if torch.set_flush_denormal(True):  # where the processor can
            assert not (tiny * 1).any()
    finally:
        torch.set_flush_denormal(False)
