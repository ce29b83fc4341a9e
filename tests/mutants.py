"""Single faults put into the library: does a test notice? (`make mutants`)

`tests/mutants.toml` lists them by file, with the tests that belong to the file. Each fault is put
into a temporary copy of the checkout, never into the checkout itself, and these tests are run there
until the first fails. First all of them have to pass without a fault. Arguments are paths of files;
then only their faults are tried.

Exits with 1 if a fault survives that is not said to, if one that is said to is noticed, or if tests
cannot be run with it; with 2 if a test fails without a fault, or a fault does not fit the code.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parent.parent
LIST = "tests/mutants.toml"
NEEDED = (
    "src",
    "tests",
    "config",
    "workflow",
    "examples",
    "pyproject.toml",
)  # of a checkout, by the tests
PROCESSES = 2
MOST_SECONDS = 600  # of the tests of one mutant
CAUGHT, SURVIVED, BROKEN = "caught", "SURVIVED", "BROKEN"


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes
    ----------
    path : str
        File that it is put into.
    tests : tuple of str
        Test files that belong to it.
    title : str
    text, becomes : str
        What is replaced, and by what.
    survives : str
        Why no test can notice it; empty if one must.
    """

    path: str
    tests: tuple[str, ...]
    title: str
    text: str
    becomes: str
    survives: str = ""

    def applied(self, source: str) -> str:
        """The file's text with the fault; `ValueError` if it does not fit."""
        found = source.count(self.text)
        if found != 1:
            raise ValueError(f"{self.path}: '{self.title}': its text occurs {found} times")
        return source.replace(self.text, self.becomes)


def read(root: Path) -> list[Mutant]:
    """All mutants of a checkout."""
    listed = tomllib.loads((root / LIST).read_text(encoding="utf-8"))
    return [
        Mutant(file["path"], tuple(file["tests"]), **mutant)
        for file in listed["file"]
        for mutant in file["mutant"]
    ]


class Copies:
    """Copies of a checkout, each for one process at a time."""

    def __init__(self, root: Path, folder: Path):
        self._free = Queue()
        for number in range(PROCESSES):
            copy = folder / str(number)
            for name in NEEDED:
                if (root / name).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(root / name, copy / name, ignore=ignored)
                else:
                    shutil.copy2(root / name, copy / name)
            self._free.put(copy)

    def run(self, tests: Sequence[str]) -> subprocess.CompletedProcess:
        """Tests in a copy without a fault."""
        copy = self._free.get()
        try:
            return pytest(copy, tests)
        finally:
            self._free.put(copy)

    def try_out(self, mutant: Mutant) -> tuple[str, str, float]:
        """What becomes of a mutant, the test that noticed it (or what went wrong), and seconds."""
        copy, began = self._free.get(), time.monotonic()
        path = copy / mutant.path
        source = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutant.applied(source), encoding="utf-8")
            done = pytest(copy, mutant.tests)
        finally:
            path.write_text(source, encoding="utf-8")
            self._free.put(copy)
        failed = re.search(r"^(?:FAILED|ERROR) \S*?::(\S+)", done.stdout, re.M)
        if done.returncode == 1 and failed:
            verdict, by = CAUGHT, failed[1]
        elif done.returncode == 0:
            verdict, by = SURVIVED, ""
        else:  # nothing could be collected, or it took too long
            verdict, by = BROKEN, last_line(done)
        return verdict, by, time.monotonic() - began


def pytest(folder: Path, tests: Sequence[str]) -> subprocess.CompletedProcess:
    """Run tests up to the first failure, with one thread."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    # Without stored bytecode: a fault of the same length may come within the same second.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    try:
        return subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, timeout=MOST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -1, f"took more than {MOST_SECONDS} s", "")


def last_line(done: subprocess.CompletedProcess) -> str:
    """The last thing that pytest said."""
    return ([line for line in done.stdout.splitlines() if line.strip()] or [done.stderr[-300:]])[-1]


def verdicts(root: Path, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, str, str, float]]:
    """Try every mutant of a checkout; results in the order of the list.

    Raises
    ------
    ValueError
        If a test fails without a fault, or a mutant does not fit.
    """
    for mutant in mutants:
        mutant.applied((root / mutant.path).read_text(encoding="utf-8"))
    every = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(PROCESSES) as pool:
        copies = Copies(root, Path(folder))
        shares = [every[number::PROCESSES] for number in range(PROCESSES)]
        for done in pool.map(copies.run, filter(None, shares)):
            if done.returncode:
                raise ValueError(f"tests fail without a fault:\n{done.stdout[-3000:]}{done.stderr}")
        yield from (
            (mutant, *result)
            for mutant, result in zip(mutants, pool.map(copies.try_out, mutants), strict=True)
        )


def main(root: Path = ROOT, paths: Sequence[str] = ()) -> int:
    """Try all, or those of some files; a line for each and a summary. Returns the exit status."""
    began, counts, wrong = time.monotonic(), Counter(), 0
    mutants = [mutant for mutant in read(root) if not paths or mutant.path in paths]
    try:
        for mutant, verdict, by, seconds in verdicts(root, mutants):
            line = f"{verdict:8}  {mutant.path.removeprefix('src/uad/')}: {mutant.title}"
            print(f"{line}  [{by}]" if by else line, f" {seconds:.0f} s", flush=True)
            counts[verdict] += 1
            if verdict == SURVIVED and mutant.survives:
                print(f"          as explained: {mutant.survives}")
            elif verdict == CAUGHT and mutant.survives:
                print("          but it is said to survive: take the explanation out")
                wrong += 1
            elif verdict != CAUGHT:
                wrong += 1
    except ValueError as error:
        print(error)
        return 2
    explained = sum(bool(mutant.survives) for mutant in mutants)
    print(
        f"{len(mutants)} mutants: {counts[CAUGHT]} caught, {counts[SURVIVED]} survived "
        f"({explained} explained), {counts[BROKEN]} broken; "
        f"{(time.monotonic() - began) / 60:.1f} minutes"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(paths=sys.argv[1:]))
