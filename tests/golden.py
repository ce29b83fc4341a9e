"""Golden values: what the demo's data path and metrics gave when this file's table was written.

Speed-ups must not change results. What is compared here involves no training, whose rounding
errors grow from step to step and differ between processors: packed volumes (registration, skull
stripping, bias correction, downsampling, synthetic anomalies) and the metrics of the controls.

    python tests/golden.py    writes tests/golden.tsv from results/demo
"""

from pathlib import Path

import numpy as np
import pandas as pd

TABLE = Path(__file__).with_suffix(".tsv")
CONTROLS = ("perfect", "chance", "intensity")
METRICS = ("dice_best", "dice_val", "auprc", "auroc")


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


if __name__ == "__main__":
    measure(Path("results/demo")).to_csv(TABLE, sep="\t", index=False, float_format="%.6g")
