"""``python -m uad.contract OVERLAY.yaml ...``: the checks, for methods outside the project."""

import sys
from pathlib import Path

import pytest

from uad.base.errors import InputError


class Chosen:
    """Tells pytest which methods to check."""

    def __init__(self, cases):
        self.cases = cases

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """See `checks.generate`."""
        from uad.contract import checks

        checks.generate(metafunc, self.cases.values())


def main(overlays: list[str]) -> int:
    """Check the methods that overlays of the configuration name.

    Parameters
    ----------
    overlays : list of str
        Paths.

    Returns
    -------
    int
        Exit status: 0 if all checks pass.
    """
    from uad.contract import cases

    if not overlays:
        sys.exit("usage: python -m uad.contract OVERLAY.yaml ...")
    try:
        chosen = cases.of_overlays(*overlays)
    except InputError as mistake:
        sys.exit(str(mistake))
    print(f"checking {', '.join(chosen)}")
    # Not with the settings of the folder it is started in.
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    checks = Path(__file__).with_name("checks.py")
    return pytest.main([*options, str(checks)], plugins=[Chosen(chosen)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
