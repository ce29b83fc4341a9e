"""Whether `predict` refuses what it should and keeps its rates: tables of `docs/predict.md`.

    python benchmarks/predict_calibration.py measure OUT --bundle FILE --atlas T1.nii T1_brain.nii
    python benchmarks/predict_calibration.py report OUT

All scans are simulated, whole heads as IXI's if nothing else is said, and new to the bundle.
Healthy ones are of two parts. `reference` stands for the bundle's healthy validation scans, of
which the demo has too few: its scans are assigned to the folds in turn. `new` is compared with them
by the rule of `uad.predict.conformal`. `lesions` are T1 heads of other data sets; what is in
`MISFITS` must be refused. What is measured on a scan is one file in OUT and is measured once, so a
run can be ended at any time, and started again; kinds advance together. About 12 s a scan, one
thread.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import run
import torch
from scipy import ndimage, stats

from uad.base import seeding, settings
from uad.base.errors import InputError
from uad.base.files import write_json
from uad.evaluation.metrics import extent
from uad.imaging import registration, volumes
from uad.imaging.settings import Registration
from uad.plan import docs
from uad.predict import bundle, conformal, maps, prepare
from uad.simulation import names, phantom, scans

PAGE = Path("docs/predict.md")
SEED = 2026  # not the demo's
# How many of each kind; a rate of 1 % needs 99 reference scans.
COUNTS = {
    "reference": 99, "new": 300, "lesions": 40,
    "T2": 12, "FLAIR": 12, "inverted": 12, "cropped": 12, "phantom": 12, "knee": 12,
    "noise": 12,
}  # fmt: skip
MISFITS = tuple(COUNTS)[3:]
OTHERS = ("atlas_v2", "wmh", "atlas_v2", "mslub")  # of `lesions`, in turn
ALPHA = 0.05


# Scans.


def healthy(
    index: int, head: phantom.Phantom, contrast: str = "T1"
) -> tuple[nib.Nifti1Image, dict]:
    """A simulated healthy head, and its site and age."""
    name = names.scans("ixi", COUNTS["reference"] + COUNTS["new"], SEED)[index]
    age = names.age(name, SEED)
    image = scans.simulate("ixi", name, age, SEED, head, contrast).image
    return image, {"site": name.split("-")[1], "age": age}


def with_lesion(index: int, head: phantom.Phantom) -> tuple[nib.Nifti1Image, dict]:
    """A simulated patient's T1 head, of one data set or another."""
    dataset = OTHERS[index % len(OTHERS)]
    name = names.scans(dataset, COUNTS["lesions"], SEED)[index]
    age = names.age(name, SEED)
    return scans.simulate(dataset, name, age, SEED, head).image, {"dataset": dataset}


def inverted(image, within):
    """A head whose dark is bright and whose bright is dark, as no scanner has it.

    `within` the head alone, or with its background.
    """
    unit = scans.native_of("ixi").unit
    old, new = ((0, 0.08, 0.1, 1.3), (0, 0, 1.2, 0)) if within else ((0, 1.3), (1.3, 0))
    values = unit * np.interp(image.get_fdata() / unit, old, new)
    return nib.Nifti1Image(values.astype(np.int16), image.affine, image.header)


def cropped(image, rng):
    """A head of which a half, more or less, is beyond the field of view."""
    image = nib.as_closest_canonical(image)
    axis, above = int(rng.integers(3)), bool(rng.integers(2))
    middle_mm = np.array([0.0, -18, 10])[axis]  # of the brain
    at = middle_mm + (-1 if above else 1) * rng.uniform(-10, 20)
    cut = round((at - image.affine[axis, 3]) / image.affine[axis, axis])
    sides = [slice(None)] * 3
    sides[axis] = slice(cut, None) if above else slice(cut)
    return image.slicer[tuple(sides)]


def _grid(rng):
    """Voxel positions of an upright box about the origin, in mm, and its affine."""
    spacing = rng.uniform(0.9, 1.3)
    shape = np.ceil(rng.uniform(180, 250, 3) / spacing).astype(int)
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = -spacing * (shape - 1) / 2
    at = np.indices(shape, dtype=np.float32)
    return [spacing * axis + affine[i, 3] for i, axis in enumerate(at)], affine


def _scanned(signal, affine, rng):
    """Noise as that of a scanner, and a header."""
    noise = rng.normal(0, 0.02, (2, *signal.shape))
    values = 400 * np.hypot(ndimage.gaussian_filter(signal, 0.5) + noise[0], noise[1])
    image = nib.Nifti1Image(values.astype(np.int16), affine)
    image.set_sform(affine, 1)
    return image


def phantom_of_physicists(rng):
    """A ball or a cylinder of water, with inserts."""
    (x, y, z), affine = _grid(rng)
    radius = rng.uniform(70, 95)
    if rng.integers(2):
        signal = (np.hypot(np.hypot(x, y), z) < radius) * 1.0
    else:
        signal = ((np.hypot(x, y) < radius) & (abs(z) < rng.uniform(60, 95))) * 1.0
    for _ in range(rng.integers(8)):
        centre = rng.uniform(-45, 45, 3)
        away = np.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2)
        signal[away < rng.uniform(5, 20)] = rng.uniform(0, 1.5)
    return _scanned(signal, affine, rng)


def knee(rng):
    """A leg with two bones of bright marrow, muscle and fat, a joint between them."""
    (x, y, z), affine = _grid(rng)
    leg, bone = rng.uniform(60, 80), rng.uniform(18, 26)
    across = np.hypot(x, 1.1 * y)
    signal = np.where(across < leg, 1.15, 0.0)  # fat
    signal[across < leg - rng.uniform(6, 14)] = 0.42  # muscle
    flare = bone + 14 * np.exp(-((z / 25) ** 2))  # bones widen towards the joint
    from_axis = np.hypot(x - rng.uniform(-8, 8), y - rng.uniform(-8, 8))
    signal[from_axis < flare] = 0.06  # cortical bone
    signal[from_axis < flare - 4] = 0.9  # marrow
    signal[(abs(z) < rng.uniform(3, 6)) & (from_axis < flare)] = 0.3  # the joint
    patella = np.sqrt(x**2 + (y - leg + 14) ** 2 + (z - 5) ** 2)
    signal[patella < 18] = 0.06
    signal[patella < 15] = 0.9
    return _scanned(signal, affine, rng)


def noise(rng):
    """Nothing but noise, independent between voxels or smooth."""
    (x, _, _), affine = _grid(rng)
    values = rng.normal(0, 1, x.shape).astype(np.float32)
    values = ndimage.gaussian_filter(values, rng.choice([0, 2, 5]))
    return _scanned(abs(values) / values.std(), affine, rng)


def misfit(kind: str, index: int, head: phantom.Phantom) -> nib.Nifti1Image:
    """A scan that no bundle was made for."""
    rng = seeding.generator(SEED, kind, index)
    made = {"phantom": phantom_of_physicists, "knee": knee, "noise": noise}
    if kind in made:
        return made[kind](rng)
    if kind in ("T2", "FLAIR"):
        return healthy(index, head, kind)[0]
    image, _ = healthy(index, head)
    return cropped(image, rng) if kind == "cropped" else inverted(image, within=index % 2 == 0)


# Measuring.


class Bench:
    """A bundle and its atlas, read once."""

    def __init__(self, path, atlas):
        self.path, self.manifest = path, bundle.check(path)
        bundle.check_atlas(path, self.manifest, head=atlas[0], brain=atlas[1])
        registration.set_up(self.manifest["seed"])
        grid = self.manifest["atlas"]["shape"], self.manifest["atlas"]["spacing_mm"]
        self.head, self.brain = volumes.read_atlas(*atlas, *grid)
        block = self.manifest["preprocessing"]["registration"]
        self.search = settings.build(Registration, block, f"{path}: registration")

    def predict(self, scan: str, how: str | None = None) -> tuple:
        """What the steps of the rules make of a scan; `InputError` if it is refused.

        Parameters
        ----------
        scan : str
        how : str, optional
            How its brain is found, if not as the bundle says.

        Returns
        -------
        affine : ndarray, shape (4, 4)
            See `registration.register`.
        maps, reconstruction : ndarray
            See `maps.compute`.
        prepared : prepare.Prepared
        quality : dict
        """
        how = how or self.manifest["brain_mask"]
        target = self.brain if how == "threshold" else self.head
        found = prepare.register(scan, self.manifest["modality"], target, self.brain, self.search)
        mask = prepare.find_brain(found.image, self.brain, how)
        prepared, numbers = prepare.prepare(
            found.image, mask, self.brain, self.manifest["preprocessing"],
            self.manifest["modality"], stripped=how == "threshold",
        )  # fmt: skip
        image, brain = (v.array.transpose(2, 0, 1) for v in (prepared.image, prepared.brain))
        with tempfile.TemporaryDirectory() as folder, bundle.unpacked(self.path, folder):
            cpu = torch.device("cpu")
            scores, made = maps.compute(image, brain > 0, self.manifest, folder, cpu)
        return found.affine, scores, made, prepared, found.quality | numbers

    def measure(self, scan: str) -> dict:
        """What a healthy scan shows above the thresholds of each fold, or why it is refused."""
        try:
            _, scores, _, prepared, quality = self.predict(scan)
        except InputError as error:
            return {"refused": str(error).replace(scan, "SCAN")}
        brain = prepared.brain.array.transpose(2, 0, 1) > 0
        cuts = self.manifest["thresholds"]
        return {
            "quality": quality,
            "shown": {
                str(fold): extent(
                    score, brain, {name: cut[str(fold)] for name, cut in cuts.items()},
                    prepared.image.voxel_ml,
                )
                for fold, score in zip(self.manifest["folds"], scores)
            },
        }  # fmt: skip


def measure(args):
    """Measure what is not yet in OUT, all kinds advancing together."""
    torch.set_num_threads(1)
    bench, head = Bench(args.bundle, args.atlas), phantom.build()
    jobs = [((i + 0.5) / n, kind, i) for kind, n in COUNTS.items() for i in range(n)]
    for _, kind, i in sorted(jobs):
        path = args.out / f"{kind}-{i:03d}.json"
        if path.exists():
            continue
        if kind in MISFITS:
            image, about = misfit(kind, i, head), {}
        elif kind == "lesions":
            image, about = with_lesion(i, head)
        else:  # the new ones follow those of the reference
            image, about = healthy(i + (kind == "new") * COUNTS["reference"], head)
        with tempfile.TemporaryDirectory() as folder:
            scan = f"{folder}/scan.nii"
            nib.save(image, scan)
            began = time.process_time()
            found = bench.measure(scan)
            found["seconds"] = time.process_time() - began
        write_json({"kind": kind, "index": i, **about, **found}, path)


# Reporting.


def of_refusals(records):
    """How many of each kind were refused, and why."""
    lines = []
    for kind in COUNTS:
        of_kind = [record for record in records if record["kind"] == kind]
        if not of_kind:
            continue
        reasons = Counter(_short(r["refused"]) for r in of_kind if "refused" in r)
        said = "; ".join(f"{reason} {n}" for reason, n in reasons.most_common())
        lines.append([LABELS.get(kind, kind), len(of_kind), reasons.total(), said])
    return run.table(["Simulated", "Scans", "Refused", "Reasons"], lines)


LABELS = {
    "reference": "healthy T1 heads, for comparison",
    "new": "healthy T1 heads, new",
    "lesions": "T1 heads with lesions, as ATLAS v2, WMH and MSLUB",
    "T2": "T2 heads",
    "FLAIR": "FLAIR heads",
    "inverted": "inverted heads",
    "cropped": "heads cut in half, more or less",
    "phantom": "balls and cylinders with inserts",
    "knee": "knees, of cylinders",
}


def _short(reason):
    """A reason without the file and without its numbers."""
    reason = reason.partition("SCAN: ")[2] or reason
    for name in (
        "similarity", "scaled by", "cut off", "does not look T1-weighted", "brain mask",
        "cannot register",
    ):  # fmt: skip
        if name in reason:
            return name
    return reason


def compared(records, measure="above_val_ml"):
    """New scans with their p-values by the reference, and how many that has.

    Each scan of the reference counts for one fold, the next for the next, as healthy validation
    scans of a bundle do.
    """
    shown = [r for r in records if "shown" in r]
    reference = sorted((r for r in shown if r["kind"] == "reference"), key=lambda r: r["index"])
    folds = sorted(map(int, reference[0]["shown"]))
    known = [
        (folds[i % len(folds)], r["shown"][str(folds[i % len(folds)])][measure])
        for i, r in enumerate(reference)
    ]
    new = []
    for record in (r for r in shown if r["kind"] == "new"):
        values = {fold: record["shown"][str(fold)][measure] for fold in folds}
        new.append({**record, "p": conformal.p_value(values, known)})
    return new, len(known)


def groups(new):
    """Scans by name of what they have in common."""
    found = {"all": new}
    for site in sorted({r["site"] for r in new}):
        found[f"site {site}"] = [r for r in new if r["site"] == site]
    for decade in sorted({int(r["age"] // 10) for r in new}):
        found[f"age {10 * decade} to {10 * decade + 9}"] = [
            r for r in new if r["age"] // 10 == decade
        ]
    return found


def holm(values):
    """Holm's adjusted p-values."""
    order = np.argsort(values)
    steps = (len(values) - np.arange(len(values))) * np.array(values)[order]
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def rates(new, n):
    """Observed rates against the nominal ones.

    If scans of a group and of the reference are drawn alike, the number of `m` scans with a p-value
    of at most alpha has a beta-binomial distribution, since the reference is drawn too: of its `n`
    scans and a new one, k = floor(alpha (n + 1)) may show the most.

    Returns
    -------
    list of dict
        `group`, `scans`, `rate`, `exceeding`; `low` and `high`, per cent of scans between which
        95 % of draws lie; `p`, two-sided, and `holm`, adjusted for all lines.
    """
    lines = []
    for name, members in groups(new).items():
        for rate in conformal.RATES:
            k = int(np.floor(rate * (n + 1) * (1 + 1e-9)))
            if not conformal.supported(rate, n):
                continue
            m = len(members)
            many = stats.betabinom(m, k, n + 1 - k)
            found = sum(r["p"] <= rate for r in members)
            p = min(1, 2 * min(many.cdf(found), many.sf(found - 1)))
            low, high = many.ppf((ALPHA / 2, 1 - ALPHA / 2))
            lines.append(
                {"group": name, "scans": m, "rate": rate, "exceeding": found, "p": float(p),
                 "low": 100 * low / m, "high": 100 * high / m}
            )  # fmt: skip
    for line, adjusted in zip(lines, holm([line["p"] for line in lines])):
        line["holm"] = float(adjusted)
    return lines


def of_rates(records):
    """Table of observed rates."""
    lines, new = [], compared(records)
    for line in rates(*new):
        share = 100 * line["exceeding"] / line["scans"]
        lines.append(
            [
                line["group"], line["scans"], f"{100 * line['rate']:g} %",
                f"{share:.1f} % ({line['exceeding']})",
                f"{line['low']:.1f} to {line['high']:.1f} %", f"{line['holm']:.2g}",
                "yes" if line["holm"] > ALPHA else "**no**",
            ]
        )  # fmt: skip
    header = [
        "New healthy scans", "Scans", "Nominal", "Observed", "95 % of draws", "p (Holm)", "Kept",
    ]  # fmt: skip
    said = f"{len(new[0])} new scans, compared with {new[1]}"
    if not lines:
        return f"{said}, which are too few for any rate (10 % needs 9): not measured."
    return f"{said}.\n\n{run.table(header, lines)}"


def report(args):
    """Write the tables."""
    records = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(args.out.glob("*.json"))
    ]
    docs.fill_in(PAGE, {"refusals": of_refusals(records), "rates": of_rates(records)})


def main():
    """As the docstring of the module says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["measure", "report"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--bundle")
    parser.add_argument("--atlas", nargs=2, metavar=("HEAD", "BRAIN"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    (measure if args.what == "measure" else report)(args)


if __name__ == "__main__":
    main()
