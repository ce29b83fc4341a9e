"""The page of a scan: three planes to scroll through, regions, and where it stands.

The volumes are in the page as mosaics of axial slices, pictures that every browser decodes; a small
script (`viewer.js`) reads them back into volumes and draws the planes. It needs no network.
"""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, from_matvec

from uad.base.arrays import bounding_box
from uad.imaging import mosaic, registration
from uad.imaging.volumes import Volume
from uad.predict.predictions import NOT_A_DEVICE
from uad.predict.result import Native, thresholds
from uad.report import pages

SPACING_MM = 1.5
MARGIN_MM = 8  # around the brain
LEVELS = 64  # of the anomaly map; more would double its size
JPEG_QUALITY = 70
TEMPLATE = "scan_page.html.j2"


def write(path: Path | str, record: Mapping, found: Native, manifest: Mapping) -> None:
    """Write the page of a scan that has a map."""
    grid = _grid(found)
    scan = _carried(found.scan.array, found, grid)
    brain = _carried(found.brain.astype(np.float32), found, grid) > 0.5
    white = float(np.percentile(scan[brain], 99.5)) * 1.1 if brain.any() else float(scan.max())
    score = _carried(found.score, found, grid)
    cut = next(iter(thresholds(manifest).values()))
    most = max(float(score.max()), 2 * cut, 1e-6)
    steps = np.round(np.clip(score / most, 0, 1) * (LEVELS - 1)).astype(np.uint8)
    pictures = {"scan": ("scan", scan)}
    if found.healthy is not None:
        healthy = _carried(found.healthy, found, grid)
        pictures["healthy"] = ("pseudo-healthy reconstruction", healthy)
    of_file = np.linalg.inv(grid.affine) @ nib.load(found.scan.path).affine
    listed = [
        {**region, "at": _voxel(of_file, [region[axis] for axis in "ijk"], grid.array.shape)}
        for region in record["regions"]
    ]
    middle = [n // 2 for n in grid.array.shape]
    pages.write(
        path,
        TEMPLATE,
        **_common(record, manifest),
        viewer={
            "shape": list(grid.array.shape),
            "columns": mosaic.columns(grid.array.shape),
            "start": listed[0]["at"] if listed else middle,
            "pictures": {
                name: {"label": label, "url": _picture(_grey(array, white))}
                for name, (label, array) in pictures.items()
            },
            "maps": [
                {
                    "label": manifest["label"],
                    "url": mosaic.url(mosaic.encode(steps * (255 // (LEVELS - 1)), "PNG")),
                    "peak": most,
                    "picture": None,
                    "cuts": [{"name": k, "value": v} for k, v in thresholds(manifest).items()],
                    "dice": None,
                }
            ],
            "lesion": None,
        },
        regions=listed,
        first=next(iter(manifest["thresholds"])),
    )


def write_refused(path: Path | str, record: Mapping, manifest: Mapping) -> None:
    """Write the page of a scan that has none."""
    pages.write(path, TEMPLATE, **_common(record, manifest), viewer=None)


def _common(record, manifest):
    return {
        "title": record["scan"],
        "simulated": manifest["simulated"],
        "warnings": [NOT_A_DEVICE, *record.get("warnings", [])],
        "record": record,
        "manifest": manifest,
    }


def _grid(found):
    """Isotropic grid around the brain, along the scan's axes; its array is not used."""
    box = bounding_box(found.brain if found.brain.any() else np.ones_like(found.brain))
    spacing = found.scan.spacing_mm
    margin = MARGIN_MM / spacing
    low = np.array([side.start for side in box]) - margin
    high = np.array([side.stop - 1 for side in box]) + margin
    scale = SPACING_MM / spacing  # voxels of the scan per voxel of the grid
    shape = np.ceil((high - low) / scale).astype(int) + 1
    affine = found.scan.affine @ from_matvec(np.diag(scale), low)
    return Volume(np.zeros(shape, np.uint8), affine)


def _carried(array, found, grid):
    volume = found.scan.like(array.astype(np.float32))
    return registration.resample(volume, grid, np.eye(4), "linear").array


def _grey(array, white):
    return np.clip(array * (255 / white), 0, 255).astype(np.uint8)


def _picture(array):
    return mosaic.url(mosaic.encode(array, "JPEG", quality=JPEG_QUALITY))


def _voxel(to_grid, voxel, shape):
    """Voxel of the grid that is nearest to one of the file."""
    voxel = np.rint(apply_affine(to_grid, voxel)).astype(int)
    return [int(v) for v in np.clip(voxel, 0, np.array(shape) - 1)]
