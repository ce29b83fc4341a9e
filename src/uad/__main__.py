"""Snakemake with this workflow, in the current folder: ``sadm``, or ``python -m uad``.

Arguments are Snakemake's. Results, data, configuration and ``.snakemake`` are those of the current
folder; the workflow's own folder is only read.

``uad predict SCANS OUT --bundle FILE`` is ``sadm predict`` in the words of a user who has a bundle;
``uad compare FILES`` lays runs of several labs side by side, ``uad status`` says how far a run is.
"""

import argparse
import json
import sys
from pathlib import Path

from snakemake.cli import main as snakemake

from uad.base import locks
from uad.base.errors import InputError
from uad.predict import bundle
from uad.predict.settings import BRAIN_MASKS

# Laid out alike in a checkout and where the package is installed.
HOME = Path(__file__).parents[2]
# A run that was killed is started again by the same command. Snakemake's own lock would stay; the
# one of `predict` goes with its process. Where a job fails, those of other scans go on.
AGAIN = ("--nolock", "--rerun-incomplete", "--keep-going")


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
    """The command ``uad``: maps of scans by a bundle, labs compared, how far a run is."""
    parser = argparse.ArgumentParser(prog="uad", description="Anomaly maps of brain MRI scans.")
    commands = parser.add_subparsers(
        required=True, dest="command", metavar="predict | compare | status"
    )
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
    command.add_argument(
        "--atlas",
        help="folder with T1.nii and T1_brain.nii of the atlas, or T2.nii …, as the bundle",
    )
    command.add_argument("--cores", default="all", help="default: all")
    command = commands.add_parser(
        "compare", help="runs of several labs side by side, or as one (docs/compare.md)"
    )
    command.add_argument("runs", nargs="+", help="files that snakemake share wrote, two or more")
    command.add_argument("--out", default="compared", help="folder (default: compared)")
    command = commands.add_parser(
        "status", help="how far the run in this folder is, and how long yet"
    )
    command.add_argument("--configfile", nargs="*", default=[], help="overlays, as for the run")
    arguments, others = parser.parse_known_args()
    if arguments.command == "predict":
        predict_once(arguments, others)
    if others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if arguments.command == "status":
        from uad.plan import status

        return status.main(arguments.configfile)
    if len(arguments.runs) < 2:
        parser.error("compare needs two files or more")
    compare(arguments.runs, arguments.out)


def predict_once(arguments: argparse.Namespace, others: list[str]) -> None:
    """Run `predict`, unless another is writing into the same folder; ends the process."""
    work = Path(arguments.out, "work")
    work.mkdir(parents=True, exist_ok=True)
    lock = locks.acquire(work / "lock")
    if lock is None:
        sys.exit(f"{arguments.out}: another `uad predict` is writing here; please wait for it")
    with lock:
        start([*words(arguments), *AGAIN, *others])


def compare(runs: list[str], out: str) -> None:
    """Write what runs of several labs say of each other; ends the process at a mistake."""
    from uad.report import labs  # what predictions do without

    try:
        for sentence in labs.compare(runs, out, HOME):
            print(sentence)
    except InputError as error:
        sys.exit(f"uad compare: {error}")


def words(arguments: argparse.Namespace) -> list[str]:
    """Snakemake's arguments for a prediction; blocks as JSON, which is YAML."""
    block = {key: getattr(arguments, key) for key in ("scans", "bundle", "out", "brain_mask")}
    block = {key: value for key, value in block.items() if value is not None}
    blocks = [f"predict={json.dumps(block, ensure_ascii=False)}"]
    if arguments.atlas:
        stem = str(Path(arguments.atlas, _modality(arguments.bundle)))
        atlas = {"head": f"{stem}.nii", "brain": f"{stem}_brain.nii"}
        blocks.append(f"atlas={json.dumps(atlas, ensure_ascii=False)}")
    return ["predict", "--cores", arguments.cores, "--config", *blocks]


def _modality(path):
    """Contrast of a bundle's scans; what is wrong with one is said when the run is planned."""
    try:
        return bundle.read(path)["modality"]
    except InputError:
        return "T1"


if __name__ == "__main__":
    main()
