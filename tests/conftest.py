"""Fixtures that several tests share."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

# Before NumPy and torch are: test processes that take all cores each wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import yaml

from uad.contract.phantoms import write_pack

pytest.register_assert_rewrite("uad.contract.checks")

__all__ = ["write_pack"]

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "results/demo"


@pytest.fixture(autouse=True)
def denormal_numbers():
    """Jobs of networks round them to zero in their process (`devices.set_up_networks`)."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture
def rng():
    """A generator with a fixed seed."""
    return np.random.default_rng(3141)


@pytest.fixture
def paper_config():
    """`config/config.yaml` as a dict."""
    return yaml.safe_load((ROOT / "config/config.yaml").read_text())


# What rule `inventory` writes of a data set.
LINE = {
    "title": "IXI", "licence": "free & open", "source": "https://example.org/ixi",
    "citation": "IXI",
    "modality": "T1", "layout": "native", "folder": "data/IXI-T1", "cases": 581, "found": 9,
    "needed": 9, "missing": None, "excluded": [], "left_out": [], "unreadable": [], "dated": [],
    "contents": {"image": {}, "lesion": {}},
}  # fmt: skip

# Parameters of a small diffusion model.
SMALL_DIFFUSION = {
    "unet": {
        "channels": 8, "multipliers": [1, 2], "res_blocks": 1, "head_channels": 8,
        "norm_groups": 4,
    },
    "steps": 1000,
    "test_levels": [250, 500],
    "noise": {"octaves": 3, "persistence": 0.8, "wavelength": 16},
}  # fmt: skip


@pytest.fixture
def pack(tmp_path):
    """Four packed phantoms."""
    return write_pack(tmp_path / "packed/brats21", 4)


def write_list(path, names):
    """A split list in the form of the released ones: index, name, and columns nobody needs."""
    lines = [f'{i},{name},"Left, right",1' for i, name in enumerate(names)]
    path.write_text("\n".join([",img_name,Primary Location,label", *lines, ""]))


def rule_texts():
    """Name and text of every rule that does work."""
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for text in re.split(r"^(?=(?:use )?rule )", path.read_text(), flags=re.M)[1:]:
            if "script:" in text or "shell:" in text:
                yield re.match(r"rule (\w+)", text)[1], text


class Checkout:
    """A copy of the repository in which a test may run Snakemake and edit files."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("Snakefile", "config", "src", "workflow", "envs", "profiles"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)
        # Methods of a fork are elsewhere.
        written = yaml.safe_load((ROOT / "config/config.yaml").read_text())
        for code in filter(None, (block.get("code") for block in written["methods"].values())):
            (folder / code).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / code, folder / code)

    def overlay(self, **changes):
        """Write changes as an overlay and return its path."""
        path = self.folder / "overlay.yaml"
        path.write_text(yaml.safe_dump(changes))
        return path

    def snakemake(self, *arguments, configfiles=(), timeout=900):
        """Run Snakemake here; returns the finished process with its output as text."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *map(str, arguments)]
        if configfiles:
            command += ["--configfile", *map(str, configfiles)]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=timeout
        )


@pytest.fixture
def checkout(tmp_path):
    """See `Checkout`."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    return Checkout(folder)


def make_demo():
    """Run `make demo` in the repository, in the environment of the tests."""
    environment = Path(sys.prefix)
    return subprocess.run(
        ["make", "demo", f"VENV={environment}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3600,
    )


@contextmanager
def alone(factory):
    """Wait until no other worker is in here; yields a file that all of a session share."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with open(folder / "repository.lock", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The results folder of a finished demo. One worker makes it, for which others wait."""
    with alone(tmp_path_factory) as file:
        file.seek(0)
        if not file.read():
            done = make_demo()
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
            file.write("made")
    return DEMO


@pytest.fixture(scope="module")
def repository(demo, tmp_path_factory):
    """The demo, for tests of one worker at a time: they run Snakemake or write beside it."""
    with alone(tmp_path_factory):
        yield demo
