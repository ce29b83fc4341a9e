"""The container: two recipes of one image, and what it runs, where as much is closed as in it.

No image is built: base images cannot be fetched where this is tested.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_bundle
import yaml
from conftest import ROOT

from uad.base import tsv

# In namespaces of its own: a read-only root, no network, the files of the image, the packages and
# the user's folder below /mnt, since they may be in /tmp, and nothing of the environment.
CLOSED = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/image /mnt/venv /mnt/work
mount --bind {image} /mnt/image
mount --bind {venv} /mnt/venv
mount -o remount,bind,ro /mnt/image
mount --bind {work} /mnt/work
mount -t tmpfs tmpfs /tmp
mount -o remount,bind,ro /
cd /mnt/work
{command}
"""


def dockerfile():
    """What the Dockerfile says: base, files, commands, environment, entry point."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line.partition(" ") for line in text.splitlines() if re.match("[A-Z]+ ", line)]
    found = {"files": {}, "commands": [], "environment": []}
    for word, _, rest in lines:
        if word == "FROM":
            found["base"] = rest
        elif word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                found["files"][source] = target + source if target.endswith("/") else target
        elif word == "RUN":
            found["commands"].append(rest)
        elif word == "ENV":
            found["environment"].append(rest)
        elif word == "ENTRYPOINT":
            found["entry"] = json.loads(rest)
    return found


def apptainer():
    """The same of Apptainer's definition."""
    text = (ROOT / "envs/apptainer.def").read_text()
    head, *parts = re.split(r"^%(\w+)\n", text, flags=re.M)
    parts = {
        name: [line.strip() for line in body.splitlines() if line.strip()]
        for name, body in zip(parts[::2], parts[1::2])
    }
    (run,) = parts["runscript"]
    assert "Bootstrap: docker\n" in head
    return {
        "base": re.search("^From: (.+)$", head, re.M)[1],
        "files": dict(line.split() for line in parts["files"]),
        "commands": parts["post"],
        "environment": [line.removeprefix("export ") for line in parts["environment"]],
        "entry": shlex.split(run.removeprefix("exec ").removesuffix(' "$@"')),
    }


def test_both_recipes_make_the_same_image():
    assert dockerfile() == apptainer()
    assert re.fullmatch(r"python:3\.11-[\w-]+", dockerfile()["base"])


def test_what_is_copied_passes_the_list_of_what_is_ignored():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    passed = [line[1:] for line in ignored if line.startswith("!")]
    for source in dockerfile()["files"]:
        assert any(fnmatch.fnmatch(source, pattern) for pattern in passed), source


@pytest.fixture
def image(tmp_path):
    """The files of the image, as they lie in its /opt/uad."""
    for source, target in dockerfile()["files"].items():
        place = tmp_path / "image" / Path(target).relative_to("/opt/uad")
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)
    # A fork whose own configuration names code elsewhere copies that, too.
    methods = yaml.safe_load((ROOT / "config/config.yaml").read_text())["methods"]
    for code in filter(None, (block.get("code") for block in methods.values())):
        (tmp_path / "image" / code).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / code, tmp_path / "image" / code)
    return tmp_path / "image"


def test_packages_are_those_of_a_clone(image):
    (command,) = (line for line in dockerfile()["commands"] if " make -C " in line)
    words = shlex.split(command)
    targets = words[words.index("make") + 3 :]  # after -C /opt/uad
    assert words[words.index("-C") + 1] == "/opt/uad"

    def steps(folder):
        command = ["make", "--no-print-directory", "-n", *targets]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout

    assert steps(image).count("pip install") == 6 and "pytest" not in steps(image)
    # What is installed in the clone is left out there, hence a folder without.
    assert all(line in steps(image) for line in steps(ROOT).splitlines())


def isolated(script, **places):
    """Run shell commands in namespaces of their own, see `CLOSED`."""
    places["venv"] = Path(sys.prefix).resolve()
    words = {name: shlex.quote(str(place)) for name, place in places.items()}
    return subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", CLOSED.format(command=script, **words)],
        capture_output=True, text=True, timeout=900, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip


def test_predicts_without_a_network_on_a_read_only_root(image, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    possible = shutil.which("unshare") and isolated("true", image=image, work=work)
    if not possible or possible.returncode:
        pytest.skip(f"namespaces are not permitted: {possible and possible.stderr}")
    small_bundle.write(work)
    small_bundle.write_scan(work / "scans/s.nii.gz")
    python = "/mnt/venv/bin"
    connect = 'import socket; socket.create_connection(("127.0.0.1", 9))'
    closed = isolated(
        f"touch /usr/new || touch /mnt/image/new || {python}/python -c {shlex.quote(connect)}",
        image=image, work=work,
    )  # fmt: skip
    assert closed.stderr.count("Read-only file system") == 2
    assert closed.returncode and "Network is unreachable" in closed.stderr

    found = dockerfile()
    environment = [line.replace("/opt/uad/.venv/bin", python) for line in found["environment"]]
    entry = [word.replace("/opt/uad", "/mnt/image") for word in found["entry"]]
    words = "scans maps --bundle small.zip --atlas atlas --cores 1"
    exports = "".join(f"export {line}\n" for line in environment)
    done = isolated(f"{exports}{shlex.join(entry)} predict {words}", image=image, work=work)
    assert done.returncode == 0, done.stdout + done.stderr
    table = tsv.read(work / "maps/summary.tsv")
    assert list(table["scan"]) == ["sub-s"] and table["above_val_ml"][0] > 0
    assert os.listdir(work / "maps/sub-s/anat")
