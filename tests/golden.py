"""Golden values: what the demo's data path and metrics gave when these tables were written.

Speed-ups must not change results. What is compared here involves no training, whose rounding
errors grow from step to step and differ between processors: packed volumes (registration, skull
stripping, bias correction, downsampling, synthetic anomalies), the metrics of the controls, and the
transforms of the registration. How far they may differ is in `docs/processors.md`.

    python tests/golden.py    writes both tables from results/demo
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

TABLE = Path(__file__).with_suffix(".tsv")
TRANSFORMS = TABLE.with_name("golden_transforms.tsv")
CONTROLS = ("perfect", "chance", "intensity")
METRICS = ("dice_best", "dice_val", "auprc", "auroc")

# What is allowed. Simulated processors move nothing (docs/processors.md). For what could not be
# simulated, other compilers and libraries: as much as moves when all scans are rounded otherwise,
# rounded up; of voxels, a share and one voxel. Stored are six digits.
VOXELS = {"brain, voxels": 0.0015, "lesion, voxels": 0.015}
VALUES = {
    "mean in the brain": 0.001,
    "SD in the brain": 0.0015,
    "dice_best": 0.0025,
    "dice_val": 0.0035,
    "auprc": 0.001,
    "auroc": 0.001,
}
DISPLACEMENT_MM = 0.5


def tolerance(table):
    """How far each value of a table, as from `measure`, may be off on another processor."""
    voxels = 1 + table["value"] * table["quantity"].map(VOXELS)
    return table["quantity"].map(VALUES).fillna(voxels)


def measure(demo):
    """Golden quantities of a finished demo.

    Returns
    -------
    DataFrame
        `of` (a data set's subject, or a row, test set and fold), `quantity`, `value`.
    """
    lines = []
    for folder in sorted(path for path in (demo / "packed").iterdir() if path.is_dir()):
        subjects = pd.read_csv(folder / "subjects.tsv", sep="\t")["subject"]
        arrays = [np.load(folder / f"{name}.npy") for name in ("image", "brain", "lesion")]
        for subject, image, brain, lesion in zip(subjects, *arrays):
            inside = image[brain > 0].astype(float)
            values = {
                "brain, voxels": inside.size,
                "lesion, voxels": int((lesion > 0).sum()),
                "mean in the brain": inside.mean(),
                "SD in the brain": inside.std(),
            }
            lines += [(f"{folder.name} {subject}", *item) for item in values.items()]
    for row in CONTROLS:
        for path in sorted((demo / "metrics" / row).glob("fold-?.tsv")):
            for test_set, of in pd.read_csv(path, sep="\t").groupby("test_set"):
                means = of[list(METRICS)].mean()
                lines += [(f"{row} {test_set} {path.stem}", *item) for item in means.items()]
    table = pd.DataFrame(lines, columns=["of", "quantity", "value"])
    return table.sort_values(["of", "quantity"], ignore_index=True)


def transforms(demo):
    """The affines that the registration found.

    Returns
    -------
    DataFrame
        A line per subject (`data set subject`): the 12 numbers of its ITK file, atlas to native
        LPS mm, rows of the matrix and then the translation.
    """
    found = {}
    for path in sorted((demo / "preprocessed").glob("*/*/*_xfm.txt")):
        subject = path.parent.name.removeprefix("sub-")
        (line,) = [x for x in path.read_text().splitlines() if x.startswith("Parameters:")]
        found[f"{path.parts[-3]} {subject}"] = [float(number) for number in line.split()[1:]]
    table = pd.DataFrame.from_dict(found, orient="index").rename_axis("of")
    return table.set_axis([f"p{i}" for i in range(12)], axis="columns")


def displacements(expected, demo):
    """How far a demo's transforms carry the atlas brain away from where others carry it.

    Parameters
    ----------
    expected : DataFrame
        As from `transforms`.
    demo : path-like

    Returns
    -------
    Series
        mm per subject, the largest of all voxels of the atlas brain.
    """
    brain = nib.load(demo / "atlas/T1_brain.nii")
    voxels = np.argwhere(np.asarray(brain.dataobj) > 0)
    ras = nib.affines.apply_affine(brain.affine, voxels)
    points = ras * [-1, -1, 1]
    found = transforms(demo)
    if list(found.index) != list(expected.index):
        raise ValueError(f"other subjects: {set(found.index) ^ set(expected.index)}")
    apart = (found - expected).to_numpy()
    matrices, shifts = apart[:, :9].reshape(-1, 3, 3), apart[:, 9:]
    largest = [
        np.linalg.norm(points @ matrix.T + shift, axis=1).max()
        for matrix, shift in zip(matrices, shifts)
    ]
    return pd.Series(largest, index=found.index, name="displacement_mm")


if __name__ == "__main__":
    measure(Path("results/demo")).to_csv(TABLE, sep="\t", index=False, float_format="%.6g")
    transforms(Path("results/demo")).to_csv(TRANSFORMS, sep="\t", float_format="%.9g")
