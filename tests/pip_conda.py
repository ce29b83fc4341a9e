"""A `conda` that makes environments by pip: as much of it as Snakemake asks for, and no channel.

An environment is a virtual one that sees the packages of this Python, pip among them; it adds those
of the file that are missing there. Packages of channels are refused but for Python and pip.
"""

import argparse
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import yaml

COMMAND = """#!{python}
import sys
sys.path.insert(0, {folder!r})
import pip_conda
pip_conda.main({home!r}, sys.argv[1:])
"""
ACTIVATE = 'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n'
USUAL = ("python", "pip")


def write(home: Path) -> Path:
    """Write the commands below a folder; the folder to put in front of `PATH`."""
    folder = home / "bin"
    folder.mkdir(parents=True)
    here = str(Path(__file__).parent)
    text = COMMAND.format(python=sys.executable, folder=here, home=str(home))
    (folder / "conda").write_text(text)
    (folder / "conda").chmod(0o755)
    (folder / "activate").write_text(ACTIVATE)
    return folder


def main(home: str, arguments: list[str]) -> None:
    """Answer as conda does."""
    if arguments == ["--version"]:
        print("conda 25.9.0")
    elif arguments[:1] == ["info"]:
        print(json.dumps({"conda_prefix": home, "platform": "linux-64"}))
    elif arguments[:1] == ["config"]:
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif arguments[:2] == ["env", "create"]:
        parser = argparse.ArgumentParser()
        parser.add_argument("--file", type=Path)
        parser.add_argument("--prefix", type=Path)
        options, _ = parser.parse_known_args(arguments[2:])
        create(options.file, options.prefix)
    elif arguments[:1] != ["clean"]:
        sys.exit(f"not known here: conda {' '.join(arguments)}")


def create(file: Path, prefix: Path) -> None:
    """Make the environment of a file."""
    wanted = []
    for line in yaml.safe_load(file.read_text())["dependencies"]:
        if isinstance(line, dict):
            wanted += line["pip"]
        elif line.partition("=")[0] not in USUAL:
            sys.exit(f"{file}: {line} is of a channel")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    (packages,) = prefix.glob("lib/python*/site-packages")
    (shared,) = Path(sys.prefix).glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text(f"{shared}\n")
    missing = [pin for pin in wanted if not _there(*pin.split("=="))]
    if missing:
        command = [prefix / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*command, *missing], check=True)


def _there(name, version):
    try:
        # Builds for a kind of machine have it behind a plus sign.
        return metadata.version(name).partition("+")[0] == version
    except metadata.PackageNotFoundError:
        return False
