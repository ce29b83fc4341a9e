"""Snakemake with this workflow, in the current folder: ``sadm``, or ``python -m uad``.

Arguments are Snakemake's. Results, data, configuration and ``.snakemake`` are those of the current
folder; the workflow's own folder is only read.
"""

import sys
from pathlib import Path

from snakemake.cli import main as snakemake

# Laid out alike in a checkout and where the package is installed.
HOME = Path(__file__).parents[2]


def main() -> None:
    """Start Snakemake with the arguments of the command line; ends the process."""
    arguments = sys.argv[1:]
    if {"-h", "--help"} & set(arguments):
        print(
            "sadm ARGUMENTS: the workflow in the current folder; Snakemake's arguments follow.\n"
            f"Copy what you need of {HOME / 'config'} (overlays) and {HOME / 'slurm'} (profile).\n"
        )
    snakemake(["--snakefile", str(HOME / "Snakefile"), *arguments])


if __name__ == "__main__":
    main()
