"""How large the pages of rows and subjects are at the paper's size, on generated numbers and maps.

    PYTHONPATH=src .venv/bin/python benchmarks/report_size.py [FOLDER]

1,900 test subjects, 25 rows, 5 folds, volumes of 96 x 96 x 50 voxels. Nothing here is a result:
scores are random, subjects being easier or harder for all rows; scans and maps are smoothed noise,
maps about as rough as those of the demo. Prints the number of pages, their size on disk, the
largest, and that of all in a zip.
"""

import dataclasses
import sys
import tempfile
import time
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd
import yaml
from scipy import ndimage

from uad.data.packed import PackedVolume
from uad.evaluation import map_pictures
from uad.evaluation.map_pictures import Kept, MapPicture
from uad.imaging import mosaic
from uad.report import chosen, details, row_page, subject_page, subjects_page

SIZES = {"brats": 1150, "atlas": 589, "draem": 161}
DATASETS = {"brats": "brats21", "atlas": "atlas_v2", "draem": "draem"}
FOLDS = range(5)
SHAPE = (50, 96, 96)  # (Z, X, Y)
DIFFERENT = 8  # scans, each of which many subjects have
FLAGGED = 0.05  # of the subjects
ROUGHNESS = 2.5  # voxels; then a map takes somewhat more bits per voxel than the mean of the demo


class Scans:
    """Generated scans in the place of a packed data set; a few of them, each of many subjects."""

    def __init__(self):
        grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
        radius = np.sqrt(sum((g / r) ** 2 for g, r in zip(grid, (0.98, 0.78, 0.92))))
        self.brain = radius < 1
        self.pool = [self._one(np.random.default_rng(k)) for k in range(DIFFERENT)]

    def _one(self, rng):
        image = 0.5 + 0.2 * noise(rng, 1.0)
        lesion = ndimage.gaussian_filter(rng.normal(size=SHAPE), 6)
        lesion = (lesion > np.quantile(lesion[self.brain], 0.985)) & self.brain
        image = np.clip(image + 0.3 * lesion, 0, 1) * self.brain
        return PackedVolume("", image.astype(np.float32), self.brain, lesion, self.brain)

    def volume(self, subject: str) -> PackedVolume:
        """One of them, under a subject's name."""
        return dataclasses.replace(self.pool[int(subject[-5:]) % DIFFERENT], subject=subject)


def noise(rng, sigma):
    """Smoothed noise of standard deviation one."""
    found = ndimage.gaussian_filter(rng.normal(size=SHAPE), sigma)
    return found / found.std()


def generated(rows):
    """Metrics per row, subject and fold."""
    rng = np.random.default_rng(0)
    lines = []
    for test_set, n in SIZES.items():
        subjects = [f"{test_set}{k:05d}" for k in range(n)]
        ease = rng.normal(size=n)
        lesion_ml = rng.lognormal(2.5, 1.2, n).round(3)
        for row in rows:
            for fold in FOLDS:
                dice = 1 / (1 + np.exp(-(0.8 * ease + rng.normal(-0.5, 0.8, n))))
                table = {"row": row, "test_set": test_set, "subject": subjects, "fold": fold}
                table |= {"dice_best": dice, "dice_val": dice * 0.8, "auprc": dice * 0.9}
                table |= {"threshold": 0.3, "lesion_ml": lesion_ml, "hd95_mm": 40 * (1 - dice)}
                table |= {"lesion_recall": dice, "lesion_precision": dice}
                lines.append(pd.DataFrame(table))
    return pd.concat(lines, ignore_index=True)


class Maps:
    """Generated pictures: residuals are rough everywhere, segmentations a few blobs."""

    def __init__(self, scans):
        self.rough = [self._one(volume, k) for k, volume in enumerate(scans.pool)]
        self.sparse = [self._one(volume, k, True) for k, volume in enumerate(scans.pool)]

    def _one(self, volume, k, sparse=False):
        rng = np.random.default_rng([k, sparse])
        score = np.abs(noise(rng, ROUGHNESS)) * volume.brain
        if sparse:
            blobs = ndimage.gaussian_filter(rng.normal(size=SHAPE), 4)
            score *= blobs > np.quantile(blobs, 0.97)
        peak = float(score.max())
        shown = map_pictures.boxed(score, volume.brain)
        healthy = np.clip(volume.image + 0.03 * noise(rng, 1.5), 0, 1) * volume.brain
        pictures = {
            "map": mosaic.encode(map_pictures.scaled(shown, peak)),
            "healthy": mosaic.encode(
                map_pictures.scaled(map_pictures.boxed(healthy, volume.brain), 1)
            ),
        }
        dice = map_pictures.dice_above(score, volume.lesion)
        return MapPicture(list(shown.shape), peak, dice), pictures

    def of_row(self, row, block, linked):
        """What `map_pictures.write` takes."""
        alone = len(block["maps"]) == 1
        sparse = alone and "unet" in block["maps"][0]
        reconstructs = alone and block["block"] == "I" and row not in ("fae", "rd")
        kinds = ("map", "healthy") if reconstructs else ("map",)
        for test_set, subjects in linked.items():
            for subject in subjects:
                pool = self.sparse if sparse else self.rough
                about, pictures = pool[int(subject[-5:]) % DIFFERENT]
                yield test_set, subject, about, {kind: pictures[kind] for kind in kinds}


def main(folder: Path) -> None:
    """Write the pages and say how large they are."""
    config = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    begun, rows, scans = time.time(), config["rows"], Scans()
    maps = Maps(scans)
    _, pictures = maps.rough[0]
    inside = 8 / scans.brain.sum()
    print({kind: f"{len(of) * inside:.2f} bits per voxel" for kind, of in pictures.items()})
    run = details.Run(rows, DATASETS, 0, list(FOLDS), True, ["brats", "atlas"])
    metrics = generated(rows)
    per_subject = chosen.means(metrics)
    rng = np.random.default_rng(1)
    flagged = {
        name: {f"{name}{k:05d}": "generated" for k in np.flatnonzero(rng.random(n) < FLAGGED)}
        for name, n in SIZES.items()
        if name != "draem"
    }
    linked = chosen.choose(per_subject, run.scored, flagged)
    kept = {}
    for row in run.scored:
        path = folder / f"maps/{row}.zip"
        map_pictures.write(maps.of_row(row, rows[row], linked), path)
        kept[row] = Kept(path)
    pages = folder / "pages"
    for name in SIZES:
        subjects_page.write(pages / f"subjects/{name}.html", run, name, per_subject, linked[name])
        subject_page.write(
            pages / f"subjects/{name}",
            run, name, per_subject, linked[name], kept, scans, metrics,
        )  # fmt: skip
    columns = ["row", "test_set", "fold", *row_page.THRESHOLDS]
    pooled = pd.DataFrame(columns=columns)
    for row in rows:
        row_page.write(
            pages / f"rows/{row}.html",
            run, row, per_subject, pooled, linked, kept.get(row),
            dict.fromkeys(SIZES, scans), {}, [], folder,
        )  # fmt: skip
    files = sorted(pages.rglob("*.html"))
    with ZipFile(folder / "pages.zip", "w", ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file)
    sizes = [file.stat().st_size for file in files]
    print(f"{sum(map(len, linked.values()))} of {sum(SIZES.values())} subjects have a page")
    print(f"{len(files)} pages, {sum(sizes) / 1e6:.0f} MB; the largest {max(sizes) / 1e6:.2f} MB")
    print(f"in a zip {(folder / 'pages.zip').stat().st_size / 1e6:.0f} MB")
    print(f"{(time.time() - begun) / 60:.0f} minutes")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
