"""Scans that a bundle was not made for, and what is unusual about others."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from uad.base import tsv
from uad.base.errors import InputError
from uad.imaging.volumes import Volume
from uad.predict import checks, making

AFFINE = np.diag([-1.0, -1, 1, 1])


@pytest.fixture
def brain():
    """A brain of fluid, grey and white matter, and its mask."""
    rng = np.random.default_rng(0)
    tissue = rng.choice([200.0, 600, 900], (20, 20, 20), p=[0.15, 0.45, 0.4])
    mask = np.zeros(tissue.shape, np.uint8)
    mask[2:-2, 2:-2, 2:-2] = 1
    noise = rng.normal(0, 20, tissue.shape)
    return Volume(((tissue + noise) * mask).astype(np.float32), AFFINE, "b"), mask


def contrast(brain, function):
    template, mask = brain
    image = template.like(function(template.array))
    checks.check_contrast(Volume(image.array, AFFINE, "scan.nii"), template.like(mask), template)


def t2(x):
    return 1000 - x


def flair(x):
    return np.interp(x, (0, 200, 600, 900), (0, 100, 900, 700))


@pytest.mark.parametrize("function", [t2, flair, np.ones_like, lambda x: 0 * x])
def test_other_contrasts_are_refused(brain, function):
    with pytest.raises(InputError, match="scan.nii: does not look T1-weighted: medians"):
        contrast(brain, function)


def test_t1_is_not_refused_whatever_its_scale_or_a_large_lesion(brain):
    contrast(brain, lambda x: x)
    contrast(brain, lambda x: 0.01 * x)
    contrast(brain, lambda x: np.sqrt(x))

    def with_lesion(x):
        x = x.copy()
        x[:8] *= 0.4  # a third of the brain
        return x

    contrast(brain, with_lesion)


def test_a_brain_beside_that_of_the_atlas_is_refused(brain):
    template, mask = brain
    shifted = template.like(np.roll(mask, 10, 0) * (1 - mask))
    with pytest.raises(InputError, match="lies beside|does not look"):
        checks.check_contrast(template, shifted, template.like(template.array * (mask > 0)))


def test_unknown_orientation(tmp_path):
    image = nib.Nifti1Image(np.ones((4, 4, 4), np.float32), np.eye(4))
    for codes, refused in (((0, 0), True), ((0, 1), False), ((2, 0), False)):
        image.set_sform(np.eye(4), codes[0])
        image.set_qform(np.eye(4), codes[1])
        nib.save(image, tmp_path / "scan.nii")
        if refused:
            with pytest.raises(InputError, match="does not say how the scan is oriented"):
                checks.check_file(tmp_path / "scan.nii")
        else:
            checks.check_file(tmp_path / "scan.nii")
    (tmp_path / "text.nii").write_text("no image")
    checks.check_file(tmp_path / "text.nii")  # reading says what is wrong


def test_warnings():
    scan = Volume(np.ones((4, 4, 4), np.float32), np.diag([1, 1, 5.0, 1]))
    numbers = {"similarity": 0.6, "noise_percent": 1.0, "starts": 13, "field_ratio": None}
    limits = {"similarity": [0.7, 0.8], "noise_percent": [0.5, 2], "field_ratio": [1, 2]}
    thick, unlike = checks.warnings(scan, numbers, limits)
    assert "slices of 5.0 mm" in thick
    assert unlike == "similarity is 0.6; healthy validation scans had 0.7 to 0.8"
    assert checks.warnings(Volume(scan.array, np.eye(4)), {}, limits) == []


def test_limits_are_those_of_validation_scans_with_a_margin(tmp_path):
    values = np.linspace(0.7, 0.8, 11)
    lines = [f"S{i}\t{x:.6g}\tn/a" for i, x in enumerate(values)] + ["T\t0.1\tn/a"]
    (tmp_path / "qc.tsv").write_text("\n".join(["subject\tsimilarity\tcoverage", *lines, ""]))
    roles = [f"S{i}\t{i % 2}\tval" for i in range(11)] + ["T\t0\ttest"]
    (tmp_path / "split.tsv").write_text("\n".join(["subject\tfold\trole", *roles, ""]))
    found = making.limits([tmp_path / "qc.tsv"], [tmp_path / "split.tsv"], [0, 1])
    margin = making.UNUSUAL * 1.4826 * 0.03  # the median absolute deviation of these
    assert found == {"similarity": pytest.approx([0.75 - margin, 0.75 + margin], rel=1e-5)}
    # Five scans are too few.
    assert making.limits([tmp_path / "qc.tsv"], [tmp_path / "split.tsv"], [1]) == {}


def test_a_bundle_says_nothing_of_a_threshold_that_is_missing(tmp_path):
    """Of fold 1, whose validation subjects have no lesion."""
    pooled, validation = [], []
    for fold, cut in enumerate((0.5, float("nan"))):
        about = {"row": "a", "test_set": "brats", "fold": [fold], "threshold_val": cut}
        rates = dict.fromkeys(("threshold_fpr1", "threshold_fpr5", "threshold_fpr10"), 0.1)
        tsv.write(pd.DataFrame(about | rates), tmp_path / f"pooled{fold}.tsv")
        shown = {"row": "a", "test_set": "brats", "subject": ["S"], "fold": fold}
        shown |= {"above_val_ml": cut, "above_fpr1_ml": 2.0, "largest_ml": cut, "score_max": 1.0}
        tsv.write(pd.DataFrame(shown), tmp_path / f"validation{fold}.tsv")
        pooled.append(tmp_path / f"pooled{fold}.tsv")
        validation.append(tmp_path / f"validation{fold}.tsv")
    assert list(making.thresholds(pooled, [0, 1], "brats")) == ["fpr1", "fpr5", "fpr10"]
    assert making.healthy(validation, "brats") == [
        {"fold": fold, "above_fpr1_ml": 2.0, "score_max": 1.0} for fold in (0, 1)
    ]
