"""Rule strip_skull_hd_bet: brain mask on the atlas grid, by HD-BET.

A program with arguments, since it runs on the interpreter that has HD-BET, not Snakemake's.
"""

import argparse

from uad.base import exclusion, logs
from uad.imaging import hd_bet, hd_bet_weights, volumes

parser = argparse.ArgumentParser(description=__doc__)
for name in ("image", "weights", "mask", "accelerator", "log"):
    parser.add_argument(f"--{name}", required=True)
for name in ("threads", "local-gpus"):
    parser.add_argument(f"--{name}", type=int, required=True)
arguments = parser.parse_args()

with logs.job(arguments.log) as log:
    for name, digest in hd_bet_weights.check(arguments.weights).items():
        log.info("weights %s: sha256 %s", name, digest)
    hd_bet.set_up(arguments.threads)
    from uad.base import devices  # imports torch, so after set_up

    device = devices.claim(arguments.accelerator, arguments.local_gpus)
    log.info("on %s, %d threads", device, arguments.threads)
    predictor = hd_bet.load(arguments.weights, device)
    with exclusion.recorded([arguments.mask]):
        mask = hd_bet.find_brain(volumes.read(arguments.image), predictor)
        volumes.check_not_empty(mask)
        log.info("brain mask: %.0f ml", mask.array.sum() * mask.voxel_ml)
        volumes.write(mask, arguments.mask)
