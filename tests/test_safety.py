"""Files from elsewhere are data: nothing in them is run, and no name leads to another folder."""

import ast
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from conftest import ROOT, rule_texts, write_pack

from uad.base.errors import InputError
from uad.data import packed
from uad.engine import checkpoints
from uad.imaging import hd_bet
from uad.models import methods
from uad.plan import schema

TREES = {
    path: ast.parse(path.read_text())
    for folder in ("src", "workflow", "benchmarks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(__file__)  # shows what must not be
}
# Of the standard library and others: what runs what it reads.
UNSAFE_MODULES = {"marshal", "shelve", "dill", "joblib", "cloudpickle"}
UNSAFE_CALLS = {
    "eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "pickle.Unpickler",
    "pd.read_pickle", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.hub.load",
    "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip


def calls(tree):
    """Dotted name, line and keywords of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = {keyword.arg: keyword.value for keyword in node.keywords}
            yield ast.unparse(node.func), node.lineno, keywords


def violations(tree, strict=True):
    """Lines that load or run what they should not; `strict` for all but tests."""
    for name, line, keywords in calls(tree):
        if name == "torch.load" or "weights_only" in keywords:
            value = keywords.get("weights_only")
            if not isinstance(value, ast.Constant) or value.value is not True:
                yield line, "torch.load without weights_only=True"
        if "allow_pickle" in keywords:
            yield line, "allow_pickle"
        if strict and (name in UNSAFE_CALLS or "shell" in keywords):
            yield line, name
    for node in ast.walk(tree):
        if strict and isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            if names & UNSAFE_MODULES:
                yield node.lineno, ast.unparse(node)


def test_nothing_that_is_read_is_run():
    assert len(TREES) > 150
    found = {
        path: list(violations(tree, strict="tests" not in path.relative_to(ROOT).parts))
        for path, tree in TREES.items()
    }
    assert {str(path): lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "text",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "import joblib",
        "from shelve import open",
        "subprocess.run(f'rm {path}', shell=True)",
        "os.system(command)",
        "yaml.load(text, yaml.Loader)",
        "exec(text)",
    ],
)
def test_what_would_run_is_noticed(text):
    assert list(violations(ast.parse(text)))


def test_rules_and_make_load_nothing():
    for path in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]:
        text = path.read_text()
        assert not re.search(
            r"\b(torch|np|pickle)\.load|\bshell\(|\beval\(|\bexec\(|os\.system", text
        )


# Shell commands and names.


def test_file_names_are_quoted_in_shell_commands():
    # Numbers and words out of a list of the schema may stand as they are; a program is quoted where
    # it is put together (`stripping_program`).
    plain = {"threads", "params.accelerator", "params.local_gpus", "params.program"}
    commands = {
        name: text.partition("shell:")[2] for name, text in rule_texts() if "shell:" in text
    }
    assert set(commands) == {
        f"strip_{of}_{way}" for of in ("skull", "scan") for way in ("hd_bet", "deepbet")
    }
    for name, command in commands.items():
        words = re.findall(r"\{([\w.]+)(:q)?\}", command)
        assert len(words) == command.count("{") == (5 if name.endswith("deepbet") else 8)
        assert {word for word, quoted in words if not quoted} <= plain, name
    types = get_type_hints(schema.Config)
    assert get_args(types["accelerator"]) == ("auto", "cpu", "cuda")
    assert types["local_gpus"] is int


def test_recover_cancels_jobs_of_this_folder_whatever_it_is_called(tmp_path):
    folder = tmp_path / 'it\'s "$(touch ran)" `touch ran`; a b'
    programs = tmp_path / "bin"
    for path in (folder, programs):
        path.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    jobs = tmp_path / "jobs"
    jobs.write_text(f"1|uad_a|{folder}\n2|uad_b|{folder}x\n3|other|{folder}\n")
    fakes = {"squeue": f"cat {jobs}", "snakemake": "true",
             "scancel": f'echo "$@" > {tmp_path}/cancelled; : > {jobs}'}  # fmt: skip
    for name, command in fakes.items():
        (programs / name).write_text(f"#!/bin/sh\n{command}\n")
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    command = ["make", "recover", f"VENV={tmp_path}"]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=60)
    assert (tmp_path / "cancelled").read_text() == "1\n"
    assert not list(tmp_path.rglob("ran"))


def test_every_wildcard_is_constrained():
    common = (ROOT / "workflow/rules/common.smk").read_text()
    everywhere = set(
        re.findall(r"^    (\w+)=", common.partition("\nwildcard_constraints:")[2], re.M)
    )
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for text in re.split(r"^(?=(?:use )?rule )", path.read_text(), flags=re.M)[1:]:
            outputs = text.partition("output:")[2].partition("log:")[0]
            here = re.findall(r"wildcard_constraints:\n        (\w+)=", text)
            used = set(re.findall(r"\{(\w+)\}", outputs))
            assert used <= everywhere | set(here), text.partition("\n")[0]


# Files of weights that would run a program.


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def trace(tmp_path):
    """A folder that must not come into being."""
    yield tmp_path / "it-ran"
    assert not (tmp_path / "it-ran").exists()


@pytest.fixture(params=[True, False], ids=["zip", "legacy"])
def malicious(request, tmp_path, trace):
    """A file in one of torch's formats that makes a folder when it is loaded without care."""
    path = tmp_path / "weights.pth"
    content = {"method": "unet", "params": {}, "network": Malicious(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=request.param)
    return path


def test_the_malicious_file_does_what_it_should_not_be_let_do(malicious, trace):
    code = f"import torch; torch.load({str(malicious)!r}, weights_only=False)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert trace.exists()
    trace.rmdir()


def test_malicious_model(malicious):
    with pytest.raises(InputError, match=f"{malicious}: .* could run any program") as error:
        checkpoints.load(malicious)
    assert "\n" not in str(error.value) and "weights_only" not in str(error.value)


def test_malicious_published_weights(malicious):
    block = {"size": 64, "blur": 4, "extractor": {"width": 8, "standardise": True}}
    method = methods.build("rd", block)
    with pytest.raises(InputError, match="could run any program"):
        checkpoints.load_pretrained(method, malicious)


def test_malicious_hd_bet(malicious, monkeypatch):
    # nnU-Net has torch unpickle anything; `set_up` has torch refuse all the same.
    monkeypatch.setenv(hd_bet.WEIGHTS_ONLY, "0")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    for name in hd_bet.THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("nnUNet_compile", "F")
    monkeypatch.setitem(sys.modules, hd_bet.PRIMUS, None)
    hd_bet.set_up(1)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(malicious, weights_only=False)


@pytest.mark.parametrize("content", [[1, 2], torch.ones(3), {"epoch": 3}])
def test_a_file_of_something_else_is_no_model(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match="holds no"):
        checkpoints.load(tmp_path / "model.pt")


def test_malicious_packed_array(tmp_path, trace):
    folder = tmp_path / "packed"
    write_pack(folder, 2)
    np.save(folder / "image.npy", np.array([Malicious(trace)] * 2, object))
    with pytest.raises(InputError, match="image.npy: cannot be read as a packed array"):
        packed.Pack(folder)
