"""Whether `predict` marks the same anatomy however a head is stored: table of `docs/predict.md`.

    python benchmarks/predict_geometry.py measure OUT --bundle FILE --atlas T1.nii T1_brain.nii
    python benchmarks/predict_geometry.py report OUT

One simulated head with a tumour, in a sample of orientations, resolutions, with a neck or not, as
`.nii` or `.nii.gz`, and number formats, in which pairs of these are as many as so many scans can
hold. Each goes through all steps from the file on, registration among them. What a case shows is
one file in OUT, made once. About 15 s a case, one thread.
"""

import argparse
import itertools
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import nibabel as nib
import numpy as np
import run
import torch
from nibabel.affines import from_matvec
from predict_calibration import Bench

from uad.base.files import replacing
from uad.imaging import registration, volumes
from uad.plan import docs
from uad.predict import native, result
from uad.simulation import phantom, scans

PAGE = Path("docs/predict.md")
CASES = 40
SEED = 2027
RESOLUTIONS = {
    "1 mm": (1, 1, 1), "0.94 x 0.94 x 1.2 mm": (0.9375, 0.9375, 1.2), "2 mm": (2, 2, 2),
    "1 x 1 x 3 mm": (1, 1, 3),
}  # fmt: skip
FACTORS = {
    "orientation": [
        "".join(pair[i] for pair, i in zip(axes, signs))
        for axes in itertools.permutations((("R", "L"), ("A", "P"), ("S", "I")))
        for signs in itertools.product((0, 1), repeat=3)
    ][::2],
    "resolution": [*RESOLUTIONS],
    "neck": ["neck", "no neck"],
    "file": [".nii", ".nii.gz"],
    "numbers": ["int16", "float32", "scl_slope"],
}
# The orientations are those of a right-handed system and, mirrored, the others: 48 in all, of which
# a head can be stored in each; 24 are tried, every other one.
STEPS = {"int16": 1, "scl_slope": 0.37}  # between stored intensities
PLAIN = {"orientation": "RAS", "file": ".nii", "numbers": "float32"}
LOW_MM, HIGH_MM = np.array([-90, -135, -150]), np.array([90, 110, 110])
WITHOUT_NECK_MM = -75


def sample(n, seed=0):
    """Cases, each next one the drawn one with most pairs of values that none had before."""
    rng, seen, found = np.random.default_rng(seed), set(), []

    def pairs(case):
        return set(itertools.combinations(sorted(case.items()), 2))

    turns = rng.permutation(FACTORS["orientation"])
    while len(found) < n:
        # Every orientation once, then any.
        first = [turns[len(found)]] if len(found) < len(turns) else FACTORS["orientation"]
        drawn = [
            {k: str(rng.choice(first if k == "orientation" else v)) for k, v in FACTORS.items()}
            for _ in range(200)
        ]
        best = max(drawn, key=lambda case: len(pairs(case) - seen))
        seen |= pairs(best)
        found.append(best)
    return found


def references():
    """The plain cases: the same head and grid in the usual order, stored as it is."""
    return [
        {**PLAIN, "resolution": resolution, "neck": neck}
        for resolution, neck in itertools.product(FACTORS["resolution"], FACTORS["neck"])
    ]


def name(case):
    """Of a case's file."""
    return "_".join(case[key].replace(" ", "") for key in FACTORS)


def simulate(case, head):
    """The head on the grid of a case, RAS order, float32."""
    spacing = np.array(RESOLUTIONS[case["resolution"]])
    low = LOW_MM.copy()
    if case["neck"] == "no neck":
        low[2] = WITHOUT_NECK_MM
    shape = np.ceil((HIGH_MM - low) / spacing).astype(int)
    grid = replace(
        scans.native_of("ixi"), shape=tuple(map(int, shape)), lesion="glioma", dtype=np.float32,
        affine=from_matvec(np.diag(spacing), low + spacing / 2),
    )  # fmt: skip
    with mock.patch.object(scans, "native_of", return_value=grid):
        return scans.simulate("tumour", "head", 50.0, SEED, head).image


def store(image, case, folder):
    """Write a head as a case has it; returns the path."""
    array = image.get_fdata(dtype=np.float32)
    if case["numbers"] != "float32":
        array = np.rint(array / STEPS[case["numbers"]]).astype(np.int16)
    stored = nib.Nifti1Image(array, image.affine, image.header)
    stored.set_data_dtype(np.float32 if case["numbers"] == "float32" else np.int16)
    codes = nib.orientations.axcodes2ornt(case["orientation"])
    stored = stored.as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), codes)
    )
    if case["numbers"] == "scl_slope":
        stored.header.set_slope_inter(STEPS["scl_slope"], 0)
    path = f"{folder}/scan{case['file']}"
    nib.save(stored, path)
    return path


def measure(args):
    """Predict what is not yet in OUT."""
    torch.set_num_threads(1)
    bench, head = Bench(args.bundle, args.atlas), phantom.build()
    # Each case behind the plain one of its grid, so that what is there can be compared.
    plain = {(c["resolution"], c["neck"]): c for c in references()}
    cases = [c for case in sample(CASES) for c in (plain[case["resolution"], case["neck"]], case)]
    for case in cases:
        path = args.out / f"{name(case)}.npz"
        if path.exists():
            continue
        began = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            scan_path = store(simulate(case, head), case, folder)
            affine, maps, made, prepared, quality = bench.predict(scan_path)
            found = result.to_native(volumes.read(scan_path), affine, prepared, maps, made)
            mask = found.score > result.thresholds(bench.manifest)["val"]
            native.write(mask, scan_path, f"{folder}/mask.nii")
            stored = nib.as_closest_canonical(nib.load(f"{folder}/mask.nii"))
            about = {**case, "quality": quality, "seconds": time.process_time() - began}
            with replacing(path) as temporary, open(temporary, "wb") as file:
                np.savez_compressed(
                    file, mask=np.asarray(stored.dataobj, np.uint8), affine=stored.affine,
                    case=json.dumps(about),
                )  # fmt: skip


def dice(first, second):
    """Dice of two masks of one grid."""
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def of_cases(folder):
    """Table of the Dice with the plain case of the same grid, and with that of 1 mm."""
    stored = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            stored[path.stem] = (json.loads(str(file["case"])), file["mask"] > 0, file["affine"])
    alone, grids = [], {}
    for case, mask, affine in stored.values():
        grid = {key: case[key] for key in ("resolution", "neck")}
        plain = stored.get(name(PLAIN | grid))
        if plain and any(case[key] != PLAIN[key] for key in PLAIN):
            alone.append(dice(mask, plain[1]))
        fine = stored.get(name(PLAIN | {"resolution": "1 mm", "neck": "neck"}))
        if fine and any(grid[k] != fine[0][k] for k in grid):
            volume = volumes.Volume(mask.astype(np.float32), affine)
            onto = volumes.Volume(fine[1].astype(np.uint8), fine[2])
            carried = registration.resample(volume, onto, np.eye(4), "linear").array > 0.5
            grids.setdefault((grid["resolution"], grid["neck"]), []).append(dice(carried, fine[1]))
    lines = [
        [
            "orientation, file and numbers, on the same grid", len(alone), f"{min(alone):.4f}",
            f"{np.median(alone):.4f}",
        ],
        *(
            [f"{resolution}, {neck}; with 1 mm and a neck", len(d), f"{min(d):.3f}",
             f"{np.median(d):.3f}"]
            for (resolution, neck), d in sorted(grids.items())
        ),
    ]  # fmt: skip
    return run.table(["Differing in", "Scans", "Least Dice", "Median"], lines)


def main():
    """As the docstring of the module says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["measure", "report"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--bundle")
    parser.add_argument("--atlas", nargs=2, metavar=("HEAD", "BRAIN"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.what == "measure":
        measure(args)
    else:
        docs.fill_in(PAGE, {"geometry": of_cases(args.out)})


if __name__ == "__main__":
    main()
