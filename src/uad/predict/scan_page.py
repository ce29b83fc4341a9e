"""The page of a scan: three planes to scroll through, regions, and where it stands.

The volumes are in the page as mosaics of axial slices, pictures that every browser decodes; a small
script (`viewer.js`) reads them back into volumes and draws the planes. It needs no network.
"""

import base64
import io
import math
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, from_matvec
from PIL import Image

from uad.base.arrays import bounding_box
from uad.imaging import registration
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
    images = {
        "scan": _mosaic(_grey(scan, white), "JPEG"),
        "map": _mosaic(steps * (255 // (LEVELS - 1)), "PNG"),
    }
    if found.healthy is not None:
        images["healthy"] = _mosaic(_grey(_carried(found.healthy, found, grid), white), "JPEG")
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
            "columns": _columns(grid.array.shape),
            "cut": round(255 * cut / most),
            "start": listed[0]["at"] if listed else middle,
            "images": images,
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


def _columns(shape):
    return math.ceil(math.sqrt(shape[2]))


def _mosaic(array, form):
    """Axial slices of a volume (X, Y, Z), row by row, as a picture in a URL."""
    columns = _columns(array.shape)
    x, y, z = array.shape
    rows = math.ceil(z / columns)
    padded = np.zeros((x, y, rows * columns), np.uint8)
    padded[..., :z] = array
    # (X, Y, rows, columns) -> (rows, Y, columns, X)
    tiles = padded.reshape(x, y, rows, columns).transpose(2, 1, 3, 0)
    buffer = io.BytesIO()
    options = {"quality": JPEG_QUALITY} if form == "JPEG" else {"optimize": True}
    Image.fromarray(tiles.reshape(rows * y, columns * x)).save(buffer, form, **options)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{form.lower()};base64,{data}"


def _voxel(to_grid, voxel, shape):
    """Voxel of the grid that is nearest to one of the file."""
    voxel = np.rint(apply_affine(to_grid, voxel)).astype(int)
    return [int(v) for v in np.clip(voxel, 0, np.array(shape) - 1)]
