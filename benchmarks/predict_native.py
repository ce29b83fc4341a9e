"""Maps on the scan against maps on the networks' grid: table of `docs/predict.md`.

    python benchmarks/predict_native.py results/demo --bundle FILE

The bundle is one of that demo. Its test patients' raw scans go through all steps from the file on;
Dice is with the lesion mask on the networks' grid and with the one on the scan. About 15 s a scan.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from predict_calibration import Bench
from run import table

from uad.base import tsv
from uad.base.paths import Paths
from uad.data import splits
from uad.data.packed import Pack
from uad.evaluation import metrics
from uad.imaging import volumes
from uad.plan import docs
from uad.predict import native, result

PAGE = Path("docs/predict.md")
PATIENTS = {"atlas_v2": ("stroke", "atlas"), "brats21": ("tumour", "threshold")}


def files(demo, dataset, subject):
    """A subject's raw scan and its lesion mask."""
    folder = demo / "raw" / dataset
    if dataset == "brats21":
        name = subject.replace("BraTS", "BraTS2021_")
        return folder / name / f"{name}_t1.nii.gz", folder / name / f"{name}_seg.nii.gz"
    (scan,) = folder.rglob(f"sub-{subject}_*T1w.nii.gz")
    (lesion,) = folder.rglob(f"sub-{subject}_*mask.nii.gz")
    return scan, lesion


def line(bench, demo, dataset, subject):
    """A patient's lesion; its Dice on the grid, on the scan in the networks' box, and in all."""
    kind, how = PATIENTS[dataset]
    scan, mask = files(demo, dataset, subject)
    affine, maps, made, prepared, _ = bench.predict(str(scan), how)
    image = volumes.read(str(scan))
    found = result.to_native(image, affine, prepared, maps, made)
    whole = volumes.read_mask(str(mask)).array > 0
    ones = prepared.image.like(np.ones(prepared.image.array.shape, np.uint8))
    inside = whole & (native.resample(ones, image, affine, "nearest") > 0)
    packed = Pack(demo / "packed" / dataset).volume(subject)
    cut, mean = result.thresholds(bench.manifest)["val"], maps.mean(axis=0)
    scored = [(mean, packed.lesion), (found.score, inside), (found.score, whole)]
    best = [metrics.best_dice(metrics.count(score, lesion))[0] for score, lesion in scored]
    given = [metrics.dice(score > cut, lesion) for score, lesion in scored]
    beyond = 1 - inside.sum() / whole.sum()
    ml = whole.sum() * abs(np.linalg.det(image.affine[:3, :3])) / 1000
    numbers = [f"{value:.3f}" for value in (*best, *given)]
    return [f"{kind}, {ml:.0f} ml", f"{100 * beyond:.0f} %", *numbers]


def main():
    """As the docstring of the module says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("--bundle", required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(
        args.bundle, [str(args.demo / f"atlas/{name}.nii") for name in ("T1", "T1_brain")]
    )
    lines = []
    for dataset in PATIENTS:
        split = tsv.read(Paths(str(args.demo)).split(dataset))
        for subject in splits.subjects(split, 0, "test"):
            lines.append(line(bench, args.demo, dataset, subject))
            print(*lines[-1], flush=True)
    ways = ("on the grid", "on the scan, in the box", "on the scan")
    header = [
        "",
        "Beyond the box",
        *(f"{d} {way}" for d in ("Best Dice", "Dice at `val`") for way in ways),
    ]
    docs.fill_in(PAGE, {"native": table(header, lines)})


if __name__ == "__main__":
    main()
