"""How large the pages of rows and subjects are at the paper's size, on generated numbers and maps.

    PYTHONPATH=src .venv/bin/python benchmarks/report_size.py [FOLDER]

1,900 test subjects, 25 rows, 5 folds, volumes of 96 x 96 x 50 voxels. Nothing here is a result:
scores are random, subjects being easier or harder for all rows; scans and maps are smoothed noise,
maps about as rough as those of the demo. Prints the number of pages, their size on disk, the
largest, and that of all in a zip.
"""

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
from uad.report import chosen, row_page, subject_pages

SIZES = {"brats": 1150, "atlas": 589, "draem": 161}
DATASETS = {"brats": "brats21", "atlas": "atlas_v2", "draem": "draem"}
FOLDS = range(5)
SHAPE = (50, 96, 96)  # (Z, X, Y)
FLAGGED = 0.05  # of the subjects
ROUGHNESS = 0.8  # voxels; of noise with the bits per voxel of the demo's residual maps


class Scans:
    """Generated scans in the place of a packed data set."""

    def __init__(self):
        grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
        radius = np.sqrt(sum((g / r) ** 2 for g, r in zip(grid, (0.98, 0.78, 0.92))))
        self.brain = radius < 1

    def volume(self, subject: str) -> PackedVolume:
        """A scan with one lesion, the same each time."""
        rng = np.random.default_rng(list(subject.encode()))
        image = 0.5 + 0.2 * noise(rng, 1.0)
        lesion = ndimage.gaussian_filter(rng.normal(size=SHAPE), 6)
        lesion = (lesion > np.quantile(lesion[self.brain], 0.985)) & self.brain
        image = np.clip(image + 0.3 * lesion, 0, 1) * self.brain
        return PackedVolume(subject, image.astype(np.float32), self.brain, lesion, self.brain)


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


def maps(row, block, linked, scans):
    """Generated pictures of a row: residuals are rough everywhere, segmentations a few blobs."""
    alone = len(block["maps"]) == 1
    sparse = alone and "unet" in block["maps"][0]
    for test_set, subjects in linked.items():
        for subject in subjects:
            volume = scans.volume(subject)
            rng = np.random.default_rng(list(f"{row} {subject}".encode()))
            score = np.abs(noise(rng, ROUGHNESS)) * volume.brain
            if sparse:
                blobs = ndimage.gaussian_filter(rng.normal(size=SHAPE), 4)
                score *= blobs > np.quantile(blobs, 0.97)
            shown = map_pictures.boxed(score, volume.brain)
            peak = float(score.max())
            pictures = {"map": mosaic.encode(map_pictures.scaled(shown, peak))}
            if alone and not sparse and block["block"] == "I" and row not in ("fae", "rd"):
                healthy = np.clip(volume.image + 0.03 * noise(rng, 1.5), 0, 1) * volume.brain
                boxed = map_pictures.boxed(healthy, volume.brain)
                pictures["healthy"] = mosaic.encode(map_pictures.scaled(boxed, 1))
            dice = map_pictures.dice_above(score, volume.lesion)
            yield test_set, subject, MapPicture(list(shown.shape), peak, dice), pictures


def main(folder: Path) -> None:
    """Write the pages and say how large they are."""
    config = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    rows, scans, begun = config["rows"], Scans(), time.time()
    run = subject_pages.Run(rows, DATASETS, 0, list(FOLDS), True, ["brats", "atlas"])
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
        map_pictures.write(maps(row, rows[row], linked, scans), path)
        kept[row] = Kept(path)
        print(f"{row}: {path.stat().st_size / sum(map(len, linked.values())):.0f} bytes a map")
    pages = folder / "pages"
    for name in SIZES:
        subject_pages.write_table(
            pages / f"subjects/{name}.html", run, name, per_subject, linked[name]
        )
        subject_pages.write_pages(
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
