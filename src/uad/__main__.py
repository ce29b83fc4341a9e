"""Snakemake with this workflow, in the current folder: ``sadm``, or ``python -m uad``.

Arguments are Snakemake's. Results, data, configuration and ``.snakemake`` are those of the current
folder; the workflow's own folder is only read.

``uad predict SCANS OUT --bundle FILE`` is ``sadm predict`` in the words of a user who has a bundle.
``uad status`` says how far a run is.
"""

import argparse
import json
import sys
from pathlib import Path

from snakemake.cli import main as snakemake

from uad.predict.settings import BRAIN_MASKS

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
    start(arguments)


def start(arguments: list[str]) -> None:
    """Start Snakemake with this workflow; ends the process."""
    snakemake(["--snakefile", str(HOME / "Snakefile"), *arguments])


def predict() -> None:
    """The command ``uad``: anomaly maps of scans by a bundle, or how far a run is."""
    parser = argparse.ArgumentParser(prog="uad", description="Anomaly maps of brain MRI scans.")
    commands = parser.add_subparsers(required=True, metavar="predict|status", dest="command")
    status = commands.add_parser(
        "status", help="how far the run in this folder is, and how long yet"
    )
    status.add_argument("--configfile", nargs="*", default=[], help="overlays, as for the run")
    command = commands.add_parser(
        "predict",
        help="maps of scans on these scans (docs/predict.md)",
        epilog="Other arguments are Snakemake's, such as --configfile or --sdm conda.",
    )
    command.add_argument("scans", help="NIfTI file, folder of such files, or BIDS folder")
    command.add_argument("out", help="folder of maps, pages and summary")
    command.add_argument("--bundle", required=True, help="file that snakemake bundle wrote")
    command.add_argument(
        "--brain-mask",
        choices=BRAIN_MASKS,
        help="how brains are found; threshold for scans without a skull (default: as the bundle's)",
    )
    command.add_argument("--atlas", help="folder with T1.nii and T1_brain.nii of the atlas")
    command.add_argument("--cores", default="all", help="default: all")
    arguments, others = parser.parse_known_args()
    if arguments.command == "status":
        from uad.plan import status as of_run

        return of_run.main(arguments.configfile)
    start([*words(arguments), *others])


def words(arguments: argparse.Namespace) -> list[str]:
    """Snakemake's arguments for a prediction; blocks as JSON, which is YAML."""
    block = {key: getattr(arguments, key) for key in ("scans", "bundle", "out", "brain_mask")}
    block = {key: value for key, value in block.items() if value is not None}
    blocks = [f"predict={json.dumps(block, ensure_ascii=False)}"]
    if arguments.atlas:
        folder = Path(arguments.atlas)
        atlas = {"head": str(folder / "T1.nii"), "brain": str(folder / "T1_brain.nii")}
        blocks.append(f"atlas={json.dumps(atlas, ensure_ascii=False)}")
    return ["predict", "--cores", arguments.cores, "--config", *blocks]


if __name__ == "__main__":
    main()
