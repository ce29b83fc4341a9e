"""What the BIDS validator finds in a folder."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def errors(folder, cache):
    """Errors as (code, place), warnings left out; `cache` is a folder for the validator's own."""
    program = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("bids-validator-deno is not installed here; make setup installs it")
    done = subprocess.run(
        [program, "--json", str(folder)], capture_output=True, text=True, timeout=600,
        env={"PATH": str(Path(program).parent), "DENO_DIR": str(cache), "HOME": str(cache)},
    )  # fmt: skip
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [
        (issue["code"], issue.get("subCode"), issue.get("location"))
        for issue in issues
        if issue["severity"] == "error"
    ]
