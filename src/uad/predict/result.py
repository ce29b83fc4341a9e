"""What a scan gets: maps, masks and regions on its own voxels, and how it compares."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine

from uad.base.files import replacing
from uad.evaluation.metrics import extent
from uad.imaging.volumes import Volume
from uad.predict import conformal, native, regions
from uad.predict.prepare import Prepared

# Endings of a scan's files, after its name; BIDS derivative names where there are any.
TRANSFORM = "from-native_to-SRI24_mode-image_xfm.txt"
FILES = {
    "map": "anomalymap.nii.gz",
    "spread": "stat-sd_anomalymap.nii.gz",
    "healthy": "pseudohealthy.nii.gz",
    "brain": "desc-brain_mask.nii.gz",
    "seen": "desc-analysed_mask.nii.gz",
    "transform": TRANSFORM,
}
MASK = "desc-{name}_anomaly_mask.nii.gz"
# The threshold that the largest component of healthy validation scans is measured at.
LARGEST_ABOVE = "val"


class Native(NamedTuple):
    """Volumes on a scan's own grid, LPS order.

    Attributes
    ----------
    scan : Volume
    score, spread : ndarray of float32
        Anomaly score, the mean over folds, and its standard deviation over them.
    healthy : ndarray of float32 or None
        Pseudo-healthy scan, in the scan's intensities.
    brain, seen : ndarray of bool
        Brain, and the part of it that the networks saw.
    """

    scan: Volume
    score: np.ndarray
    spread: np.ndarray
    healthy: np.ndarray | None
    brain: np.ndarray
    seen: np.ndarray


def to_native(
    scan: Volume,
    affine: np.ndarray,
    prepared: Prepared,
    maps: np.ndarray,
    reconstruction: np.ndarray | None,
) -> Native:
    """Carry a scan's results back onto its own voxels.

    Parameters
    ----------
    scan : Volume
    affine : ndarray, shape (4, 4)
        Atlas millimetres to the scan's.
    prepared : Prepared
    maps : ndarray of float32, shape (folds, Z, X, Y)
    reconstruction : ndarray of float32, shape (Z, X, Y), or None
    """

    def carried(array: np.ndarray, interpolation: str = "linear") -> np.ndarray:
        volume = prepared.image.like(np.ascontiguousarray(array))
        return native.resample(volume, scan, affine, interpolation)

    def upright(array: np.ndarray) -> np.ndarray:
        return array.transpose(1, 2, 0)  # (Z, X, Y) -> (X, Y, Z)

    healthy = None
    if reconstruction is not None:
        values = upright(reconstruction) * prepared.gain + prepared.offset
        healthy = carried((values * (prepared.brain.array > 0)).astype(np.float32))
    return Native(
        scan,
        carried(upright(maps.mean(axis=0))),
        carried(upright(maps.std(axis=0))),
        healthy,
        native.resample(prepared.mask, scan, affine, "nearest") > 0,
        carried(prepared.brain.array, "nearest") > 0,
    )


def thresholds(manifest: Mapping) -> dict[str, float]:
    """Thresholds of the mean over folds: the mean of theirs.

    A voxel is above one if the folds lie above their own on average.
    """
    return {name: float(np.mean([*t.values()])) for name, t in manifest["thresholds"].items()}


def compare(maps: np.ndarray, prepared: Prepared, manifest: Mapping) -> dict:
    """How a scan compares with the healthy validation brains of the bundle.

    Parameters
    ----------
    maps : ndarray of float32, shape (folds, Z, X, Y)
    prepared : Prepared
    manifest : mapping

    Returns
    -------
    dict
        `n_healthy`; `measure`, the name of what is compared: the volume above the first threshold;
        `value`, its mean over folds, in ml of the atlas; `percentile` and `p_value` of it, see
        `uad.predict.conformal`; `exceeds`, per rate in per cent whether fewer healthy scans than
        that show as much, None where too few support it; `healthy`, their values.
    """
    brain = prepared.brain.array.transpose(2, 0, 1) > 0
    voxel_ml = prepared.image.voxel_ml
    names, healthy = manifest["thresholds"], manifest["healthy"]
    measure = f"above_{next(iter(names))}_ml"
    values = {
        fold: extent(
            score, brain, {name: of_fold[str(fold)] for name, of_fold in names.items()}, voxel_ml
        )[measure]
        for fold, score in zip(manifest["folds"], maps)
    }
    known = [(line["fold"], line[measure]) for line in healthy]
    p = conformal.p_value(values, known)
    exceeds = conformal.exceeds(p, len(known))
    return {
        "n_healthy": len(known),
        "measure": measure,
        "value": float(np.mean([*values.values()])),
        "percentile": conformal.percentile(values, known),
        "p_value": p,
        "exceeds": {f"{100 * rate:g}": flag for rate, flag in exceeds.items()},
        "healthy": sorted(value for _, value in known),
    }


def find_regions(found: Native, affine: np.ndarray, manifest: Mapping) -> tuple[list[dict], int]:
    """Regions above the first threshold, with `percentile`: per cent of the healthy validation
    scans whose largest region is smaller, at the size of the atlas."""
    first, cut = next(iter(thresholds(manifest).items()))
    scan = found.scan
    listed, n = regions.measure(found.score > cut, found.score, found.spread, scan.affine)
    to_file = np.linalg.inv(nib.load(scan.path).affine) @ scan.affine
    for region in listed:  # voxels as viewers count them, in the order of the file
        voxel = np.rint(apply_affine(to_file, [region[axis] for axis in "ijk"]))
        region |= dict(zip("ijk", map(int, voxel)))
    if first != LARGEST_ABOVE:
        return listed, n
    known = [line["largest_ml"] for line in manifest["healthy"]]
    stretch = abs(np.linalg.det(affine[:3, :3]))  # of the atlas to the scan
    for region in listed:
        ml = region["volume_ml"] / stretch
        region["percentile"] = 100 * float(np.mean([ml > other for other in known]))
    return listed, n


def write(found: Native, manifest: Mapping, transform: Path | str, stem: str) -> list[str]:
    """Write a scan's files; returns their names.

    Parameters
    ----------
    found : Native
    manifest : mapping
    transform : path-like
    stem : str
        Path of the files up to their endings.
    """
    written = []

    def save(array: np.ndarray, ending: str) -> None:
        native.write(array, found.scan.path, f"{stem}_{ending}")
        written.append(Path(f"{stem}_{ending}").name)

    save(found.score, FILES["map"])
    if len(manifest["folds"]) > 1:
        save(found.spread, FILES["spread"])
    for name, cut in thresholds(manifest).items():
        save(found.score > cut, MASK.format(name=name))
    if found.healthy is not None:
        save(found.healthy, FILES["healthy"])
    save(found.brain, FILES["brain"])
    save(found.seen, FILES["seen"])
    with replacing(f"{stem}_{TRANSFORM}") as temporary:
        shutil.copyfile(transform, temporary)
    return [*written, Path(f"{stem}_{TRANSFORM}").name]


def remove(stem: str) -> None:
    """Delete a scan's files of an earlier run, which gave it a map."""
    folder, name = Path(stem).parent, Path(stem).name
    masks = [path.name for path in folder.glob(f"{name}_{MASK.format(name='*')}")]
    for file in [*(f"{name}_{ending}" for ending in FILES.values()), *masks]:
        (folder / file).unlink(missing_ok=True)


def volumes_ml(found: Native, manifest: Mapping) -> dict[str, float]:
    """Volume of the scan above each threshold, ml."""
    return {
        name: float(np.count_nonzero(found.score > cut) * found.scan.voxel_ml)
        for name, cut in thresholds(manifest).items()
    }
