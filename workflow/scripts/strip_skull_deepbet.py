"""Rule strip_skull_deepbet: brain mask on the atlas grid, by deepbet.

A program with arguments, since it runs on the interpreter that has deepbet, not Snakemake's.
"""

import argparse

from uad.base import exclusion, logs
from uad.imaging import deepbet, volumes

parser = argparse.ArgumentParser(description=__doc__)
for name in ("image", "mask", "log"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--threads", type=int, required=True)
arguments = parser.parse_args()

with logs.job(arguments.log) as log:
    deepbet.set_up(arguments.threads)
    networks = deepbet.load()
    with exclusion.recorded([arguments.mask]):
        mask = deepbet.find_brain(volumes.read(arguments.image), networks)
        volumes.check_not_empty(mask)
        log.info("brain mask: %.0f ml", mask.array.sum() * mask.voxel_ml)
        volumes.write(mask, arguments.mask)
