"""Writes the files of this folder (`make hashes`): what each environment holds, with hashes.

Versions are those of the constraints files. uv finds which of them an environment needs, on Python
3.11 to 3.13 and any system, and asks the package index for the hashes of all their files, so that
one list fits all machines. torch is left out, since its builds differ by machine, and so is what
only comes with it or only exists for Windows: what no constraints file names.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Their wheels differ by machine; the second must fit the first.
BY_MACHINE = ("torch", "torchvision")
COMMON = "constraints.txt"
OLDEST = "3.11.5"  # of Python; the pins of the documentation need it
HEAD = "# Written by `make hashes`, from pyproject.toml and the constraints files; do not edit.\n"


def compiled(uv: str, asked: Sequence[str], constraints: Sequence[str], *more: str) -> dict:
    """Lines of each package that an environment with these packages holds.

    Parameters
    ----------
    uv : str
        The program.
    asked : sequence of str
        Packages, as in pyproject.toml.
    constraints : sequence of str
        Files of the repository; others than their packages are left out.
    *more : str
        Further arguments of uv.

    Returns
    -------
    dict of str to str
        Name to version, marker and hashes, as pip reads them.
    """
    command = [uv, "pip", "compile", "-", "--universal", "--python-version", OLDEST, "--quiet",
               "--generate-hashes", "--no-header", "--no-annotate", "--no-config",
               *(f"--constraint={name}" for name in constraints), *more]  # fmt: skip
    text = subprocess.run(
        command, input="\n".join(asked), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    known = {name for path in constraints for name in pinned(ROOT / path)}
    blocks = re.findall(r"^([\w.-]+)(?:\[.*?\])?(==.*\n(?:    --hash.*\n)*)", text, re.M)
    return {name: rest for name, rest in blocks if name in known - set(BY_MACHINE)}


def pinned(path: Path) -> dict[str, str]:
    """Version of each package of a constraints file, by its normal name."""
    pins = re.findall(r"^([\w.-]+)==(\S+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def environments(uv: str) -> dict[str, dict]:
    """What `compiled` returns, for each file of this folder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    run, extra = project["dependencies"], project["optional-dependencies"]
    found = {"run": compiled(uv, run, [COMMON])}
    both = compiled(uv, [*run, *extra["test"]], [COMMON])
    both |= compiled(uv, extra["test-alone"], [COMMON], "--no-deps")
    found["test"] = {name: rest for name, rest in both.items() if name not in found["run"]}
    found["docs"] = compiled(uv, extra["docs"], ["constraints-docs.txt"])
    for name in ("hdbet", "deepbet"):
        found[name] = compiled(uv, extra[name], [COMMON, f"constraints-{name}.txt"])
    return found


def main(uv: str) -> None:
    """Write all files."""
    for name, packages in environments(uv).items():
        lines = [name_ + rest for name_, rest in sorted(packages.items())]
        (ROOT / f"requirements/{name}.txt").write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
