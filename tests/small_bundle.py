"""A bundle that predicts in seconds: heads of 4 mm, and networks of random weights in two folds."""

from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import yaml
from scipy import ndimage
from scipy.spatial.transform import Rotation

import phantoms
from uad.base import digests
from uad.engine import checkpoints
from uad.models import methods
from uad.predict import bundle

MODEL, PARAMS = "unet-brats", {"widths": [2, 4]}
SETTINGS = {
    "registration": {
        "resolution_mm": 4, "iterations": [60], "shrink_factors": [1], "smoothing_sigmas": [1],
        "retry_below": -1, "min_similarity": 0.425, "min_coverage": 0.9,
        "scale_range": [0.75, 1.35], "lesions": "nearest",
    },
    "bias_field": {"shrink_factor": 2, "iterations": [5], "tolerance": 0.0005, "weights": "binary"},
    "crop": [48, 56, 32],
    "spacing_mm": 4,
}  # fmt: skip


def anatomy():
    """A head and its brain (float32, LPS, 4 mm): scalp, bone, fluid, grey and white matter."""
    head, brain = phantoms.atlas()
    depth = ndimage.distance_transform_edt(brain > 0)
    ventricles = phantoms.ellipsoid(head.shape, np.array(head.shape) / 2, (5, 9, 4))
    tissue = np.select([(depth <= 1) | ventricles, depth <= 4], [200.0, 600], 900)
    image = ndimage.gaussian_filter(np.where(brain > 0, tissue, head), 0.6).astype(np.float32)
    return image, image * (brain > 0)


def write_atlas(folder):
    """`T1.nii` and `T1_brain.nii`; returns their paths."""
    paths = folder / "T1.nii", folder / "T1_brain.nii"
    for path, array in zip(paths, anatomy()):
        phantoms.save(array, path)
    return paths


def write_scan(path, seed=0, change=None):
    """Another person's head: turned, shifted, scaled, with noise; `change` alters its voxels."""
    rng = np.random.default_rng(seed)
    head, _ = anatomy()
    middle = np.array(head.shape) / 2
    turn = Rotation.from_euler("xyz", rng.normal(0, 4, 3), degrees=True).as_matrix()
    turn = turn @ np.diag(rng.uniform(0.95, 1.05, 3))
    offset = middle - turn @ middle + rng.normal(0, 1, 3)
    array = ndimage.affine_transform(head, turn, offset, order=1)
    array = np.abs(array + rng.normal(0, 10, array.shape)).astype(np.float32)
    image = nib.Nifti1Image(change(array) if change else array, phantoms.AFFINE)
    image.header.set_xyzt_units("mm")
    image.set_sform(phantoms.AFFINE, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def manifest_of(head, brain, spacing_mm=4, **preprocessing):
    """What the bundle says beside its weights."""
    root = Path(__file__).parent.parent
    paper = yaml.safe_load((root / "config/config.yaml").read_text(encoding="utf-8"))
    return {
        "row": "unet-brats", "label": "Unet", "modality": "T1", "seed": 1, "threads": 1,
        "folds": [0, 1], "maps": [MODEL],
        "models": {MODEL: {"reconstructs": False, "upstream": None, "test": {}}},
        "residual": paper["residual"],
        "preprocessing": paper["preprocessing"] | SETTINGS | preprocessing,
        "brain_mask": "atlas",
        "atlas": {
            "shape": list(nib.load(head).shape), "spacing_mm": spacing_mm,
            "sha256": {"head": digests.sha256(head), "brain": digests.sha256(brain)},
        },
        "tuned_on": "brats", "simulated": True,
        "thresholds": {"val": {"0": 0.5, "1": 0.5}, "fpr5": {"0": 0.4, "1": 0.4}},
        "healthy": [
            {"fold": i % 2, "above_val_ml": float(i), "largest_ml": i / 2} for i in range(20)
        ],
        "limits": {}, "code": "abc", "versions": {}, "revision": "abc",
    }  # fmt: skip


def write(folder, manifest=None):
    """The bundle `small.zip`, and its atlas if it is the small one."""
    manifest, models = manifest or manifest_of(*write_atlas(folder / "atlas")), {}
    for fold in manifest["folds"]:
        torch.manual_seed(fold)
        network = methods.build("unet", PARAMS).network.state_dict()
        models[bundle.model_name(MODEL, fold)] = folder / f"fold-{fold}.pt"
        checkpoints.save(folder / f"fold-{fold}.pt", "unet", PARAMS, network, "abc")
    bundle.write(folder / "small.zip", manifest, "", models)
