"""Right and wrong poses of real and of simulated scans: the numbers of `docs/registration.md`.

    python benchmarks/registration.py measure OUT --atlas T1.nii T1_brain.nii --heads FILE ...
        --brains FILE ... --misfits FILE ...   real scans: heads, stripped brains, what is no T1
    python benchmarks/registration.py measure OUT --simulated 12 [--contrast T2]
    python benchmarks/registration.py measure OUT --atlas T1.nii T1_brain.nii --exchange T1 T2 T1 T2
        stripped brains of two patients, each the template of the other: a contrast without atlas
    python benchmarks/registration.py exact OUT --simulated 4       searches against the truth
    python benchmarks/registration.py report OUT   tables and figure of docs/registration.md

The scans are no part of the project. What is measured on a scan is one file in OUT, and is measured
once. One thread; run it alone where times matter.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import yaml
from nibabel.affines import apply_affine, from_matvec
from scipy.spatial.transform import Rotation

from uad.imaging import registration, volumes
from uad.imaging.registration import SIMILARITY_MM, coarsen
from uad.imaging.settings import Registration
from uad.imaging.volumes import Volume
from uad.plan import docs

PAGE = Path("docs/registration.md")
SEED = 2024
STUDY = {"ixi": 60, "brats21": 40, "atlas_v2": 40}  # scans of config/study.yaml, to draw from
IN_PLACE_MM = 5  # mean distance in the brain from the reference up to which a pose is right
ASTRAY_MM = 10  # and from which it is wrong
MEASURES = {
    "similarity": "correlation in the brain (`similarity`)",
    "information": "normalized mutual information - 1",
    "ratio": "correlation ratio",
}


def settings_of(*names):
    """`preprocessing.registration` of the paper, with overlays."""
    block = {}
    for name in ("config", *names):
        content = yaml.safe_load(Path(f"config/{name}.yaml").read_text(encoding="utf-8"))
        block |= content.get("preprocessing", {}).get("registration", {})
    return Registration(**block)


# Poses.


def wrong_places(centre):
    """Affines that carry a brain in place elsewhere, by name; about its `centre`, in mm."""

    def about(matrix):
        return from_matvec(matrix, centre - matrix @ centre)

    found = {}
    for axis, name in enumerate("xyz"):
        unit = np.eye(3)[axis]
        for degrees in (-20, 20, 90, 180):
            turn = Rotation.from_euler("xyz", degrees * unit, degrees=True).as_matrix()
            found[f"turned by {degrees} about {name}"] = about(turn)
        for shift in (-15, 15):
            found[f"shifted by {shift} along {name}"] = from_matvec(np.eye(3), shift * unit)
    for size in (0.8, 1.25):
        found[f"scaled by {size}"] = about(size * np.eye(3))
    found["axes swapped"] = about(np.roll(np.eye(3), 1, axis=0))
    return found


class Target:
    """An atlas template on the grid of the similarity, its brain, and distances in it."""

    def __init__(self, atlas, brain):
        self.atlas, self.brain = (coarsen(v, SIMILARITY_MM) for v in (atlas, brain))
        self.inside = self.brain.array > 0
        self.points = apply_affine(self.brain.affine, np.argwhere(self.inside)[::20])

    def apart_mm(self, affine, other):
        """Mean distance in the brain between where two affines place it, on the atlas."""
        places = apply_affine(np.linalg.inv(other) @ affine, self.points)
        return float(np.linalg.norm(places - self.points, axis=1).mean())

    def measures(self, scan, affine, settings):
        """The library's quality of a pose, and other measures on the same voxels."""
        found = registration.quality(scan, self.atlas, self.brain, affine, settings)
        image = registration.resample(scan, self.atlas, affine, "linear").array
        ones = scan.like(np.ones(scan.array.shape, np.uint8))
        reach = registration.resample(ones, self.atlas, affine, "nearest").array > 0
        both = reach & self.inside
        atlas = self.atlas.array
        others = dict.fromkeys(list(MEASURES)[1:], 0.0)
        if both.sum() > 100 and image[both].std() > 0:
            others = {
                "information": shared_information(image[both], atlas[both]),
                "ratio": correlation_ratio(image[both], atlas[both]),
            }
        return {**found, **others}


def _ranks(values, bins=32):
    """Bin of each value, of about as many values each."""
    return np.searchsorted(np.quantile(values, np.arange(1, bins) / bins), values)


def shared_information(a, b, bins=32):
    """Studholme's normalized mutual information, less 1: 0 for independent images."""
    joint = np.bincount(_ranks(a) * bins + _ranks(b), minlength=bins**2).reshape(bins, bins)
    joint = joint / joint.sum()

    def entropy(p):
        return -(p[p > 0] * np.log(p[p > 0])).sum()

    return float((entropy(joint.sum(0)) + entropy(joint.sum(1))) / entropy(joint) - 1)


def correlation_ratio(a, b, bins=32):
    """Share of the variance of `a` that is between bins of `b`."""
    at = _ranks(b)
    n = np.maximum(np.bincount(at, minlength=bins), 1)
    sums, squares = (np.bincount(at, x, bins) for x in (a, a.astype(float) ** 2))
    return float(1 - (squares - sums**2 / n).sum() / (a.size * a.var()))


# Measuring.


def once(path, measure):
    """The content of a JSON file, which `measure` makes if it is not there."""
    if not path.exists():
        content = measure()
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
        print(path.stem, flush=True)
    return json.loads(path.read_text(encoding="utf-8"))


def poses(scan, atlas, brain, settings, truth=None, fits=True):
    """Every pose of a scan, with its measures.

    Parameters
    ----------
    scan, atlas, brain : Volume
    settings : Registration
    truth : ndarray, shape (4, 4), optional
        The pose that is right; without it the one found, looked at by a person.
    fits : bool
        Whether the scan is a T1 brain, so that there is a right pose.
    """
    target = Target(atlas, brain)
    begin = time.process_time()
    affine, found = registration.register(scan, atlas, brain, settings)
    seconds = time.process_time() - begin
    reference = affine if truth is None else truth
    small = coarsen(scan, SIMILARITY_MM)
    coarse = [coarsen(v, registration.START_MM) for v in (scan, atlas)]
    places = {"found": affine}
    if truth is not None:
        places["true"] = truth
    if fits:
        centre = target.points.mean(axis=0)
        places |= {name: reference @ at for name, at in wrong_places(centre).items()}
    if _same_grid(scan, atlas):
        places["as it came"] = np.eye(4)
    for turn in ((0, 0, 180), (0, 180, 0)):  # where a search ends that begins upside down
        start = _turned(*coarse, turn)
        places[f"searched from {turn}"] = registration.search(
            *coarse, registration.START_STEPS, start
        )
    rows = [
        {"pose": name, "apart_mm": target.apart_mm(at, reference) if fits else None,
         **target.measures(small, at, settings)}
        for name, at in places.items()
    ]  # fmt: skip
    return {"seconds": seconds, "starts": found["starts"], "affine": affine.tolist(), "rows": rows}


def _same_grid(scan, atlas):
    return scan.array.shape == atlas.array.shape and np.allclose(scan.affine, atlas.affine)


def _turned(scan, atlas, degrees):
    centre = registration._centre_of_mass(atlas)
    matrix = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    turn = from_matvec(matrix, centre - matrix @ centre)
    shift = from_matvec(np.eye(3), centre - registration._centre_of_mass(scan))
    return np.linalg.inv(turn @ shift)


def measure_real(args):
    """Poses of the real scans."""
    settings = settings_of()
    read = [Volume(v.array, v.affine, v.path) for v in map(volumes.read, args.atlas)]
    for kind in ("heads", "brains", "misfits"):
        for path in getattr(args, kind):
            label = Path(path).name.removesuffix(".gz").removesuffix(".nii")
            target = read[1] if kind == "brains" else read[0]
            once(
                args.out / f"real-{kind}-{label}.json",
                lambda path=path, target=target, kind=kind: poses(
                    volumes.read(path), target, read[1], settings, fits=kind != "misfits"
                ),
            )


def measure_exchanged(args):
    """Poses of two patients' scans with the other's as template; a T1 scan's pose is right."""
    settings, brain = settings_of(), volumes.read(args.atlas[1])
    patients = []
    for pair in (args.exchange[:2], args.exchange[2:]):
        scans = [volumes.read(path) for path in pair]
        patients.append((scans, registration.register(scans[0], brain, brain, settings)[0]))
    for (mine, truth), (others, at) in zip(patients, reversed(patients)):
        for scan, other in zip(mine, others):
            template = registration.resample(other, brain, at, "linear")
            template = template.like(np.where(brain.array > 0, template.array, 0))
            label = Path(scan.path).name.removesuffix(".gz").removesuffix(".nii")
            once(
                args.out / f"exchanged-brains-{label}.json",
                lambda scan=scan, template=template, truth=truth: poses(
                    scan, template, brain, settings, truth
                ),
            )


def simulated(n, contrast="T1"):
    """Name, data set, volume, truth, and templates (target, brain) of simulated scans."""
    from uad.simulation import names, phantom, scans

    def volume(image):
        return Volume(*volumes._reorient(np.asarray(image.dataobj, np.float32), image.affine))

    head = phantom.build()
    whole, brain = (volume(image) for image in scans.atlas(head, contrast).values())
    for i in range(n):
        dataset = list(STUDY)[i % len(STUDY)]
        listed = names.scans(dataset, STUDY[dataset], SEED)
        at = np.linspace(0, len(listed) - 1, -(-n // len(STUDY))).astype(int)[i // len(STUDY)]
        scan = listed[at]
        about = (dataset, scan, names.age(scan, SEED), SEED, head)
        target = brain if scans.native_of(dataset).brain_only else whole

        def made(about=about):
            return volume(scans.simulate(*about, contrast).image), scans.true_affine(*about)

        yield scan, dataset, made, target, brain


def measure_simulated(args):
    """Poses of simulated scans, whose truth is known."""
    settings = settings_of()
    origin = "simulated" if args.contrast == "T1" else args.contrast
    for scan, dataset, made, target, brain in simulated(args.simulated, args.contrast):

        def measure(made=made, target=target, brain=brain):
            image, truth = made()
            return poses(image, target, brain, settings, truth)

        once(args.out / f"{origin}-{dataset}-{scan}.json", measure)


# Searches against the truth.

# The search before this one: affine at once, the whole image, ANTs' default steps.
BEFORE = ([2100, 1200, 1200, 10], [6, 4, 2, 1], [3, 2, 1, 0])
# Affine searches by name: grid in mm, iterations, shrink factors, smoothing.
WAYS = {
    "1 mm, 4 levels": (1, [2100, 1200, 1200, 10], [6, 4, 2, 1], [3, 2, 1, 0]),
    "1 mm, 2 levels": (1, [100, 50], [4, 2], [2, 1]),
    "2 mm": (2, [100, 50], [2, 1], [1, 0]),
    "3 mm": (3, [100, 50], [2, 1], [1, 0]),
    "4 mm": (4, [100, 50], [2, 1], [1, 0]),
    "demo": (3, [200, 100], [4, 2], [2, 1]),
}


def exact(args):
    """Distance from the truth and time of several searches, on simulated scans."""
    settings = settings_of()
    for scan, dataset, made, target, brain in simulated(args.simulated):
        image = truth = None
        distance = Target(target, brain).apart_mm
        for name in ["before", *WAYS]:
            if args.ways and name not in args.ways:
                continue
            path = args.out / f"exact-{dataset}-{scan}-{name}.json"
            if path.exists():
                continue
            if image is None:
                image, truth = made()
            begin = time.process_time()
            if name == "before":
                affine = registration.search(image, target, BEFORE)
            else:
                mm, *steps = WAYS[name]
                changed = dataclasses.replace(
                    settings, resolution_mm=mm, iterations=steps[0], shrink_factors=steps[1],
                    smoothing_sigmas=steps[2],
                )  # fmt: skip
                affine, _ = registration.register(image, target, brain, changed)
            seconds = time.process_time() - begin
            error = distance(affine, truth)
            found = {"seconds": seconds, "error_mm": error, "affine": affine.tolist()}
            once(path, lambda found=found: found)
            print(f"{scan} {name}: {error:.2f} mm, {seconds:.1f} s", flush=True)


# Report.


def read_all(folder, origins=("real", "simulated")):
    """Measured poses as dicts with `kind`, `scan`, `half` and whether the pose is `right`."""
    rows = []
    for path in sorted(folder.glob("*.json")):
        origin, kind, scan = path.stem.split("-", 2)
        if origin not in origins:
            continue
        content = json.loads(path.read_text(encoding="utf-8"))
        for row in content["rows"]:
            apart = row["apart_mm"]
            right = False if apart is None else None
            if apart is not None and (apart <= IN_PLACE_MM or apart >= ASTRAY_MM):
                right = apart <= IN_PLACE_MM
            rows.append(
                {**row, "origin": origin, "kind": kind, "scan": scan, "right": right,
                 "seconds": content["seconds"], "starts": content["starts"]}
            )  # fmt: skip
    # Scans of one patient (TCGA) are in one half.
    patients = sorted({patient(row) for row in rows})
    halves = {name: "choose" if i % 2 == 0 else "judge" for i, name in enumerate(patients)}
    return [{**row, "half": halves[patient(row)]} for row in rows if row["right"] is not None]


def patient(row):
    """Name of the patient that a scan is of."""
    return row["scan"][:12] if row["scan"].startswith("TCGA") else row["scan"]


def table(header, lines):
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def separation(rows):
    """Per measure: range over right and over wrong poses, and the limit between them."""
    lines = []
    for measure, title in MEASURES.items():
        for half in ("choose", "judge"):
            right, wrong = (
                [r[measure] for r in rows if r["right"] is side and r["half"] == half]
                for side in (True, False)
            )
            if not right or not wrong:
                continue
            if half == "choose":
                limit = (min(right) + max(wrong)) / 2
            lines.append(
                [title, half, len(right), f"{min(right):.3f}", len(wrong), f"{max(wrong):.3f}",
                 f"{limit:.3f}", sum(x < limit for x in right), sum(x >= limit for x in wrong)]
            )  # fmt: skip
    header = [
        "Measure", "half", "right poses", "least", "wrong poses", "greatest",
        "limit, from the first half", "right refused", "wrong kept",
    ]  # fmt: skip
    return table(header, lines)


def of_scans(rows):
    """A line per scan: the pose found, and the wrong pose that comes nearest."""
    lines = []
    for scan in dict.fromkeys((r["origin"], r["kind"], r["scan"]) for r in rows):
        mine = [r for r in rows if (r["origin"], r["kind"], r["scan"]) == scan]
        (found,) = (r for r in mine if r["pose"] == "found")
        wrong = max((r for r in mine if not r["right"]), key=lambda r: r["similarity"])
        lines.append(
            [*scan, f"{found['similarity']:.3f}", f"{found['coverage']:.2f}",
             f"{found['scale_min']:.2f}-{found['scale_max']:.2f}", found["starts"],
             f"{found['seconds']:.1f}", f"{wrong['similarity']:.3f} ({wrong['pose']})"]
        )  # fmt: skip
    header = ["", "kind", "scan", "similarity", "coverage", "stretch", "starts", "s", "wrong pose"]
    return table(header, lines)


def of_contrasts(folder):
    """Similarities of simulated scans by contrast, each with a template of its own."""
    lines = []
    for origin, contrast in {"simulated": "T1", "T2": "T2", "FLAIR": "FLAIR"}.items():
        rows = read_all(folder, [origin])
        for kind in STUDY:
            mine = [r for r in rows if r["kind"] == kind]
            found = [r for r in mine if r["pose"] == "found"]
            if not found:
                continue
            searched = [r for r in mine if r["pose"].startswith("searched") and not r["right"]]
            wrong = max((r for r in mine if not r["right"]), key=lambda r: r["similarity"])
            lines.append(
                [contrast, kind, len(found), f"{max(r['apart_mm'] for r in found):.1f}",
                 _range(r["similarity"] for r in found),
                 f"{wrong['similarity']:.3f} ({wrong['pose']})",
                 f"{max(r['similarity'] for r in searched):.3f}" if searched else "none"]
            )  # fmt: skip
    header = [
        "Contrast", "data set", "scans", "furthest from the truth, mm", "similarity found",
        "greatest of a wrong pose", "of one that a search ended at",
    ]  # fmt: skip
    return table(header, lines)


def of_exchanged(folder):
    """Similarities of scans whose template is another patient's scan."""
    rows = read_all(folder, ["exchanged"])
    lines = []
    for scan in dict.fromkeys(r["scan"] for r in rows):
        mine = [r for r in rows if r["scan"] == scan]
        by_pose = {r["pose"]: r for r in mine}
        found = by_pose["found"]
        wrong = max((r for r in mine if not r["right"]), key=lambda r: r["similarity"])
        lines.append(
            [scan, f"{by_pose['true']['similarity']:.3f}",
             f"{found['similarity']:.3f}, {found['apart_mm']:.1f} mm away",
             f"{wrong['similarity']:.3f} ({wrong['pose']})"]
        )  # fmt: skip
    header = ["Scan", "in place", "found by the search", "greatest of a wrong pose"]
    return table(header, lines)


def _range(values):
    values = sorted(values)
    return f"{values[0]:.3f}-{values[-1]:.3f}"


def errors(folder):
    """Mean error and time of every search against the truth."""
    by_way = {}
    for path in sorted(folder.glob("exact-*.json")):
        way = path.stem.removeprefix("exact-").split("-")[-1]
        by_way.setdefault(way, []).append(json.loads(path.read_text(encoding="utf-8")))
    lines = []
    for way, found in by_way.items():
        means = (np.mean([one[key] for one in found]) for key in ("error_mm", "seconds"))
        lines.append([way, len(found), *(f"{mean:.2f}" for mean in means)])
    return table(["affine search", "scans", "mean error, mm", "processor time, s"], lines)


def report(args):
    """Put the tables of poses into the page, draw both distributions, print the errors."""
    rows = read_all(args.out)
    tables = {"gate": separation(rows), "scans": of_scans(rows)}
    # What was not measured keeps its table.
    for name, found, of in (
        ("contrasts", "T2-*.json", of_contrasts), ("exchanged", "exchanged-*.json", of_exchanged),
    ):  # fmt: skip
        if any(args.out.glob(found)):
            tables[name] = of(args.out)
    docs.fill_in(PAGE, tables)
    print(errors(args.out))
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, measure in zip(axes, ("similarity", "ratio")):
        for right, colour, label in ((True, "#1b7f5c", "right"), (False, "#b3352b", "wrong")):
            for i, origin in enumerate(("real", "simulated")):
                found = [r[measure] for r in rows if r["right"] is right and r["origin"] == origin]
                at = np.full(len(found), i) + (0.12 if right else -0.12)
                axis.plot(found, at, "|", color=colour, label=None if i else label)
        axis.set(xlabel=measure, yticks=[0, 1], yticklabels=["real", "simulated"], ylim=(-0.5, 1.5))
    axes[0].legend(frameon=False)
    figure.savefig(PAGE.with_suffix(".svg"), metadata={"Date": None})


def main():
    """As the docstring of the module says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["measure", "exact", "report"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--atlas", nargs=2)
    for kind in ("heads", "brains", "misfits", "ways"):
        parser.add_argument(f"--{kind}", nargs="*", default=[])
    parser.add_argument("--exchange", nargs=4)
    parser.add_argument("--simulated", type=int, default=0)
    parser.add_argument("--contrast", default="T1", choices=["T1", "T2", "FLAIR"])
    args = parser.parse_args()
    if args.exchange and not args.atlas:
        parser.error("--exchange needs --atlas, whose grid and brain the templates get")
    args.out.mkdir(parents=True, exist_ok=True)
    registration.set_up(3141)
    if args.what == "exact":
        exact(args)
    elif args.what == "measure":
        if args.atlas:
            measure_real(args)
        if args.exchange:
            measure_exchanged(args)
        measure_simulated(args)
    else:
        report(args)


if __name__ == "__main__":
    main()
