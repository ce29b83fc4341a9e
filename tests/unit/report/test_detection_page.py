"""The page of detection limits: what is read, refused, drawn and said."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from small_pages import CONTRASTS, VOLUMES_ML, planted, seen
from small_pages import SEEING as ROWS

from uad.base import tsv
from uad.base.errors import InputError
from uad.evaluation import detection_limits
from uad.report import detection_page


@pytest.fixture
def files(tmp_path):
    """Tables of two rows and two folds, and that of the planted lesions."""
    lesions = planted()
    tsv.write(lesions, tmp_path / "lesions.tsv", sealed=True)
    paths = []
    for row, fold in itertools.product(ROWS, (0, 1)):
        table = seen(lesions, row, fold)
        paths.append(tmp_path / row / f"fold-{fold}.tsv")
        tsv.write(table, paths[-1], sealed=True)
    return paths, tmp_path / "lesions.tsv"


@pytest.fixture
def tables(files):
    curves = detection_limits.curves(detection_page.read(*files, ROWS, [0, 1]))
    return curves, detection_limits.limits(curves)


def test_tables_of_all_rows_and_folds_are_put_together(files):
    found = detection_page.read(*files, ROWS, [0, 1])
    assert found.groupby(["row", "fold"]).size().tolist() == [len(planted())] * 4


def test_a_table_of_another_row_or_fold_is_refused(files):
    paths, lesions = files
    with pytest.raises(InputError, match="is not of row cddpm, fold 1"):
        detection_page.read([paths[0], paths[0], *paths[2:]], lesions, ROWS, [0, 1])


def test_a_table_that_lost_a_lesion_is_refused(files):
    paths, lesions = files
    tsv.write(tsv.read(paths[1]).drop(index=3), paths[1], sealed=True)
    with pytest.raises(InputError, match=r"fold-1\.tsv: does not have the lesions of"):
        detection_page.read(paths, lesions, ROWS, [0, 1])


def test_page_says_from_which_volume_on_lesions_are_seen(tables, tmp_path):
    path = tmp_path / "page.html"
    detection_page.write(path, *tables, ROWS, "threshold_fpr5", simulated=True)
    text = path.read_text()
    assert "5 % of" in " ".join(text.split()) and "3 subjects" in text
    assert "10 % of its voxels" in " ".join(text.split())
    assert text.count("<svg") == 2 and 'id="sadm_res-brats"' in text
    assert "SADM<sub>res</sub> (BRATS)" in text
    # Between 1 and 5 ml for the cDDPM, between 0.2 and 1 for SADM_res; bright ones by neither.
    _, cddpm, sadm = text.split("<section")
    assert "from 2.2 ml (" in cddpm and "from 2.2 ml (" not in sadm
    assert "from 0.45 ml (" in sadm
    assert cddpm.count("not up to 20 ml") == sadm.count("not up to 20 ml") == 3
    assert "nan" not in text.lower().replace("nanum", "")
    assert "With\nso few subjects" in text


def test_with_enough_subjects_nothing_is_excused(tmp_path):
    found = pd.concat(seen(planted(15), row, 0) for row in ROWS)
    curves = detection_limits.curves(found)
    path = tmp_path / "page.html"
    detection_page.write(
        path, curves, detection_limits.limits(curves), ROWS, "threshold_fpr1", False
    )
    assert "so few subjects" not in path.read_text() and "1 % of" in path.read_text()


def test_overview_has_a_map_per_row_with_the_half_points(tables):
    figure = detection_page.overview(*tables, list(ROWS), ROWS)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 2
    for panel, from_ml in zip(panels, (5**0.5, 0.2**0.5)):
        shares = panel.images[0].get_array()
        assert shares.shape == (len(VOLUMES_ML), len(CONTRASTS))
        assert shares[-1].tolist() == [1, 1, 0] and shares[0].tolist() == [0, 0, 0]
        heights = panel.lines[0].get_ydata()
        assert np.isnan(heights[2])  # bright lesions are not seen
        between = np.interp(np.log(from_ml), np.log(VOLUMES_ML), range(len(VOLUMES_ML)))
        np.testing.assert_allclose(heights[:2], between, atol=1e-6)
    plt.close(figure)


def test_curves_of_a_row_are_drawn_by_contrast_and_by_place(tables):
    curves, limits = (table[table["row"] == "cddpm"] for table in tables)
    figure = detection_page.figure_of(curves, limits)
    panels = {axes.get_title(): axes for axes in figure.axes}
    legend = [text.get_text() for text in panels["darker"].get_legend().get_texts()]
    assert legend == ["-60 %", "-20 %"]
    line = panels["darker"].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), VOLUMES_ML)  # the first is not moved
    np.testing.assert_array_equal(line.get_ydata(), [0, 0, 1, 1])
    assert not panels["brighter"].lines[0].get_ydata().any()
    by_place = panels["by place and texture, -60 %"].get_legend().get_texts()
    assert [text.get_text() for text in by_place] == ["cortex", "deep"]
    plt.close(figure)
