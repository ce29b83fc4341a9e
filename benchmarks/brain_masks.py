"""Brain masks of real scans, made in the workflow's ways and compared with each other.

python benchmarks/brain_masks.py --atlas T1.nii T1_brain.nii
    --heads HEAD.nii.gz HEAD.nii.gz=MASK.nii.gz ... --stripped SCAN.nii.gz=MASK.nii.gz ...

Heads get masks by `atlas` and by `deepbet` (after `make setup-deepbet`), stripped scans by
`threshold`. A mask behind `=` is one that somebody else made, on the grid of its scan. All are
compared on the atlas grid, to which the demo's settings register the scans: the table of
docs/brain_masks.md.
"""

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import run
import yaml
from scipy import ndimage

from uad.imaging import brain_masks, registration, volumes
from uad.imaging.settings import Registration

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-deepbet/bin/python"
GRID = (240, 240, 155), 1
HEADER = ["Scan", "Similarity", "Masks", "ml", "Dice", "Surface distance, mm"]


def settings():
    """The demo's registration."""
    block = {}
    for path in ("config/config.yaml", "config/demo.yaml"):
        text = (ROOT / path).read_text(encoding="utf-8")
        block |= yaml.safe_load(text)["preprocessing"]["registration"]
    return Registration(**block)


def deepbet(head):
    """Mask by the rule's script."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.nii.gz" for name in ("image", "mask", "log")}
        volumes.write(head, files["image"])
        words = [word for name, path in files.items() for word in (f"--{name}", path)]
        script = ROOT / "workflow/scripts/strip_skull_deepbet.py"
        subprocess.run([PYTHON, script, *words, "--threads", "1"], check=True)
        return volumes.read(files["mask"], bool).array


def dice(first, second):
    """Dice of two masks that are not empty."""
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def surface_distance(first, second):
    """Mean distance in voxels from a voxel of one mask's surface to the other's, both ways."""
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (first, second)]
    to_edge = [ndimage.distance_transform_edt(~edge) for edge in edges]
    return np.concatenate([to_edge[1][edges[0]], to_edge[0][edges[1]]]).mean()


def masks(scan, given, stripped, atlas, brain):
    """Masks of a scan on the atlas grid, by name, and how well it matches the atlas."""
    image = volumes.read(scan)
    mask = volumes.read(given, np.uint8) if given else image.empty_mask()
    template = brain if stripped else atlas
    done = registration.register_subject(image, mask, template, brain, settings())
    if stripped:
        found = {"threshold": brain_masks.from_threshold(done.image.array)}
    else:
        found = {"atlas": brain_masks.from_atlas(done.image.array, brain.array > 0)}
        found["deepbet"] = deepbet(done.image)
    if given:
        found["given"] = done.lesion.array > 0  # carried as a lesion mask is
    return found, done.quality["similarity"]


def lines(scans, stripped, atlas, brain):
    """A line of the table for each pair of masks of each scan."""
    for words in scans:
        scan, _, given = words.partition("=")
        found, similarity = masks(scan, given or None, stripped, atlas, brain)
        name = re.sub(r"\.nii(\.gz)?$", "", Path(scan).name)
        for one, other in itertools.combinations(found, 2):
            first, second = found[one], found[other]
            line = [
                name,
                f"{similarity:.2f}",
                f"{one}, {other}",
                f"{first.sum() / 1000:.0f}, {second.sum() / 1000:.0f}",
                f"{dice(first, second):.3f}",
                f"{surface_distance(first, second):.1f}",
            ]
            print(*line, sep=" | ", file=sys.stderr)  # as it goes: a minute per head
            yield line


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--atlas", nargs=2, required=True, metavar=("HEAD", "BRAIN"))
    parser.add_argument("--heads", nargs="*", default=[], metavar="SCAN[=MASK]")
    parser.add_argument("--stripped", nargs="*", default=[], metavar="SCAN=MASK")
    arguments = parser.parse_args()
    registration.set_up(3141)
    templates = volumes.read_atlas(*arguments.atlas, *GRID)
    rows = [
        *lines(arguments.heads, False, *templates),
        *lines(arguments.stripped, True, *templates),
    ]
    print(run.table(HEADER, rows))
