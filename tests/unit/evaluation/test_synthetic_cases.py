"""Synthetic anomalies: which slices are shown, and the picture of before, after and difference."""

import numpy as np
import pytest
from conftest import write_pack

from uad.data import packed
from uad.evaluation import synthetic_cases
from uad.report import canvas, pictures

SHAPE = (12, 24, 20)


@pytest.fixture
def packs(tmp_path):
    """Three subjects, healthy and with anomalies; the second has none."""
    healthy = write_pack(tmp_path / "packed/ixi", 3, shape=SHAPE)
    write_pack(tmp_path / "packed/draem", 3, shape=SHAPE)
    lesion = np.zeros((3, *SHAPE), np.uint8)
    for z, area in ((2, 9), (5, 1), (7, 4)):  # the median area is 4
        lesion[0, z, 10, 5 : 5 + area] = 1
    lesion[2, 4, 10, 10] = 1
    np.save(tmp_path / "packed/draem/lesion.npy", lesion)
    image = np.array(healthy.image)
    image[0][lesion[0] > 0] += 0.25
    image[2][lesion[2] > 0] -= 0.5
    np.save(tmp_path / "packed/draem/image.npy", image)
    return packed.Pack(tmp_path / "packed/draem"), healthy


def test_examples(packs):
    made, healthy = packs
    examples = synthetic_cases.collect(made, healthy, ["S0", "S1", "S2"])
    assert [(example.subject, example.z) for example in examples] == [("S0", 7), ("S2", 4)]
    first = examples[0]
    assert first.mask.sum() == 4
    np.testing.assert_array_equal(first.before, healthy.image[0, 7])
    np.testing.assert_allclose(first.after - first.before, 0.25 * first.mask, atol=1e-6)


def test_no_more_than_are_shown(packs, monkeypatch):
    monkeypatch.setattr(synthetic_cases, "SHOWN", 1)
    assert [e.subject for e in synthetic_cases.collect(*packs, ["S2", "S0"])] == ["S2"]


def test_picture(packs, tmp_path):
    """One grey scale, one scale of differences about zero, with a bar that says what it means."""
    figure = pictures.synthetic(synthetic_cases.collect(*packs, ["S0", "S1", "S2"]))
    *panels, bar = figure.axes
    limits = [panel.images[0].get_clim() for panel in panels]  # of (3, 2) panels
    assert limits[:4] == [(0, 1)] * 4
    assert limits[4:] == [(pytest.approx(-0.5), pytest.approx(0.5))] * 2
    shown = np.asarray(panels[5].images[0].get_array())
    assert shown.min() == pytest.approx(-0.5) and np.count_nonzero(shown) == 1
    assert [panel.get_ylabel() for panel in panels[::2]] == ["before", "after", "difference"]
    assert panels[0].get_title() == "S0, slice 8"
    assert bar.get_xlabel() == "after − before, intensity"
    canvas.save(figure, tmp_path / "synthetic.png")
    assert (tmp_path / "synthetic.png").stat().st_size > 5000


def test_none_to_show(packs):
    (panel,) = pictures.synthetic(synthetic_cases.collect(*packs, ["S1"])).axes
    assert panel.texts[0].get_text() == "no test subject has an anomaly"
