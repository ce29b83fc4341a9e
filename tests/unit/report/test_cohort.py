"""Figures of cohort and splits: what is in which panel."""

import numpy as np
import pandas as pd
import pytest
from conftest import write_pack
from matplotlib import pyplot as plt

from uad.base import exclusion
from uad.base.errors import InputError
from uad.imaging import volumes
from uad.imaging.volumes import Volume
from uad.report import plots
from uad.report.cohort import cohort


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


def image(path, array):
    volumes.write(Volume(array, np.eye(4)), path)
    return path


def test_cohort(tmp_path, rng):
    pack = write_pack(tmp_path / "pack", 2)
    pack.subjects["lesion_ml"] = [0.0, 1.0]
    scans, images, masks = [], [], []
    for n in range(3):
        scans.append(image(tmp_path / f"{n}.nii.gz", rng.random((6, 7, 8), "f4")))
        images.append(image(tmp_path / f"{n}_p.nii.gz", rng.random((4, 5, 6), "f4")))
        inside = np.zeros((4, 5, 6), np.uint8)
        inside[1:3, 1:4, 1:5] = 1
        masks.append(image(tmp_path / f"{n}_m.nii.gz", inside))
    figure = cohort(["S1", "S0", "gone"], scans, images, masks, pack)
    axes = np.array(figure.axes).reshape(3, 7)
    assert [panels[0].get_ylabel() for panels in axes] == ["S1", "S0", "gone"]
    titles = [panel.get_title() for panel in axes[0]]
    assert titles[0] == "native, axial" and titles[3] == "preprocessed"
    assert titles[6] == "packed, lesion slice"
    # Planes of the scan, then of the image with the outline of its mask.
    axial = volumes.read(scans[0]).array[:, :, 4]
    np.testing.assert_array_equal(axes[0, 0].images[0].get_array(), axial.T)
    assert [len(panel.collections) for panel in axes[0]][:6] == [0, 0, 0, 1, 1, 1]
    # The slice with the largest lesion; an excluded subject has none.
    volume = pack.volume("S1")
    z = volume.lesion.sum(axis=(1, 2)).argmax()
    np.testing.assert_array_equal(axes[0, 6].images[0].get_array(), volume.image[z].T)
    assert not axes[2, 6].images and axes[2, 6].texts[0].get_text() == "excluded"


def test_of_an_excluded_subject_what_can_be_read_is_shown(tmp_path, rng):
    pack = write_pack(tmp_path / "pack", 1)
    pack.subjects["lesion_ml"] = 0.0
    scan = image(tmp_path / "scan.nii.gz", rng.random((6, 7, 8), "f4"))
    placeholder = tmp_path / "image.nii.gz"
    with exclusion.recorded([placeholder]):
        raise InputError("N4 diverged")
    figure = cohort(["gone"], [scan], [placeholder], [placeholder], pack)
    panels = figure.axes
    assert [len(panel.images) for panel in panels] == [1, 1, 1, 0, 0, 0, 0]
    assert panels[6].texts[0].get_text() == "excluded" and panels[0].get_ylabel() == "gone"


def test_a_scan_that_is_missing_is_named(tmp_path):
    pack = write_pack(tmp_path / "pack", 1)
    gone = tmp_path / "gone.nii.gz"
    with pytest.raises(InputError, match="gone.nii.gz"):
        cohort(["S0"], [gone], [gone], [gone], pack)


def test_subjects_per_role():
    lines = [("A", 0, "train"), ("B", 0, "train"), ("C", 0, "val"), ("D", 0, "test")]
    lines += [("A", 1, "val"), ("B", 1, "train"), ("C", 1, "train"), ("D", 1, "test")]
    ixi = pd.DataFrame(lines, columns=["subject", "fold", "role"])
    brats = ixi[ixi["role"] != "train"]
    ages = pd.Series({"A": 20.0, "B": 30.0, "C": 40.0, "D": np.nan})
    figure = plots.subjects_per_role({"ixi": ixi, "brats21": brats}, {"ixi": ages})
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == ["ixi", "brats21", "ixi: age"]
    heights = {
        bars.get_label(): [bar.get_height() for bar in bars] for bars in panels[0].containers
    }
    assert heights == {"train": [2, 2], "val": [1, 1], "test": [1, 1]}
    assert [bar.get_y() for bar in panels[0].containers[1]] == [2, 2]  # stacked
    assert [bars.get_label() for bars in panels[1].containers] == ["val", "test"]
    # Each subject once per role, over all folds; D has no known age.
    years = [list(line.get_ydata()) for line in panels[2].lines]
    assert years == [[20, 30, 40], [40, 20], []]
