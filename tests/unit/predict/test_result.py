"""Back from the networks' intensities, comparison with healthy brains, page and summary."""

import json
import re
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from uad.imaging import volumes
from uad.imaging.volumes import Volume
from uad.predict import predictions, prepare, result, scan_page

MANIFEST = {
    "row": "sadm-x", "label": "SADM", "folds": [0, 1], "simulated": True, "revision": "abc",
    "code": "def",
    "thresholds": {"val": {"0": 0.4, "1": 0.6}, "fpr5": {"0": 0.2, "1": 0.4}},
    "healthy": [
        {"fold": 0, "above_val_ml": 1.0, "largest_ml": 0.5},
        {"fold": 0, "above_val_ml": 30.0, "largest_ml": 9.0},
        {"fold": 1, "above_val_ml": 3.0, "largest_ml": 0.1},
    ],
}  # fmt: skip


@pytest.fixture
def scan(tmp_path):
    """A scan of 2 mm, stored in another order than LPS, with a brain and a lesion in it."""
    rng = np.random.default_rng(0)
    affine = np.array([[0, 0, 2.0, -30], [-2, 0, 0, 30], [0, 2, 0, -30], [0, 0, 0, 1]])
    path = tmp_path / "scan.nii.gz"
    values = rng.normal(500, 20, (31, 29, 30)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, affine), path)
    return volumes.read(path)


@pytest.fixture
def prepared(scan):
    """The same grid as the networks', with a brain that leaves a rim."""
    brain = np.zeros(scan.array.shape, np.uint8)
    brain[4:-4, 4:-4, 4:-4] = 1
    grid = Volume(scan.array / 1000, scan.affine)
    ones = np.ones(scan.array.shape, np.float32)
    return prepare.Prepared(grid, grid.like(brain), grid.like(brain), 1000 * ones, 0 * ones)


@pytest.fixture
def found(scan, prepared):
    """Native results of two folds that agree on one region and differ by it."""
    maps = np.zeros((2, *(scan.array.shape[i] for i in (2, 0, 1))), np.float32)
    maps[0, 10:14, 8:12, 9:12] = 0.9
    maps[1, 10:14, 8:12, 9:12] = 0.7
    maps[0, 20, 20, 20] = 0.45  # above the threshold of its fold only
    maps[1, 20, 10, 10] = 0.42  # above that of the other fold only
    healthy = np.full(maps.shape[1:], 0.5, np.float32)
    return SimpleNamespace(
        maps=maps, native=result.to_native(scan, np.eye(4), prepared, maps, healthy)
    )


def test_results_are_on_the_scan(scan, prepared, found):
    native = found.native
    np.testing.assert_allclose(native.score, found.maps.mean(axis=0).transpose(1, 2, 0), atol=1e-6)
    np.testing.assert_allclose(native.spread.max(), 0.225, atol=1e-6)
    inside = prepared.brain.array > 0
    assert np.array_equal(native.brain, inside) and np.array_equal(native.seen, inside)
    np.testing.assert_allclose(native.healthy[inside], 500, rtol=1e-5)
    assert not native.healthy[~inside].any()


def test_way_back_gives_the_scans_intensities():
    rng = np.random.default_rng(1)
    grid = Volume(np.zeros((12, 12, 12), np.float32), np.diag([-1.0, -1, 1, 1]))
    small = rng.uniform(0, 1, grid.array.shape).astype(np.float32)
    field = np.linspace(0.8, 1.2, 12)[:, None, None]
    corrected = (300 + 500 * small).astype(np.float32)
    brain = np.ones(small.shape, np.uint8)
    gain, offset = prepare._way_back(
        grid.like((corrected * field).astype(np.float32)), grid.like(corrected), grid.like(small),
        grid.like(brain),
    )  # fmt: skip
    np.testing.assert_allclose(gain * small + offset, corrected * field, rtol=1e-3)


def test_thresholds_of_the_mean_are_means(found):
    assert result.thresholds(MANIFEST) == pytest.approx({"val": 0.5, "fpr5": 0.3})
    ml = result.volumes_ml(found.native, MANIFEST)
    assert ml == pytest.approx({"val": 48 * 0.008, "fpr5": 48 * 0.008})


def test_comparison_with_healthy_brains(found, prepared):
    compared = result.compare(found.maps, prepared, MANIFEST)
    # 49 voxels above 0.4 in fold 0, 48 above 0.6 in fold 1: 0.392 and 0.384 ml.
    assert compared["value"] == pytest.approx((0.392 + 0.384) / 2)
    assert compared["percentile"] == 0 and compared["p_value"] == 1
    assert compared["exceeds"] == {"1": None, "5": None, "10": None}
    assert compared["healthy"] == [1, 3, 30] and compared["n_healthy"] == 3


def test_regions_have_voxels_of_the_file(scan, found):
    (region,), n = result.find_regions(found.native, np.eye(4), MANIFEST)
    assert n == 1 and region["volume_ml"] == pytest.approx(48 * 0.008)
    assert region["percentile"] == pytest.approx(100 / 3)
    at = [region[axis] for axis in "ijk"]
    world = nib.affines.apply_affine(nib.load(scan.path).affine, at)
    array = nib.affines.apply_affine(np.linalg.inv(scan.affine), world)
    assert found.native.score[tuple(np.rint(array).astype(int))] == pytest.approx(region["peak"])
    assert region["peak_sd"] == pytest.approx(0.1)


def record_of(scan, found, prepared, name="sub-1"):
    listed, n = result.find_regions(found.native, np.eye(4), MANIFEST)
    return {
        "scan": name, "file": scan.path, "warnings": ["thick <b>slices</b>"],
        "above_ml": result.volumes_ml(found.native, MANIFEST),
        "compared": result.compare(found.maps, prepared, MANIFEST), "spread": 0.1,
        "seen_percent": 90.0, "n_regions": n, "regions": listed, "page": "sub-1.html",
        "quality": {"similarity": 0.7, "noise_percent": None},
    }  # fmt: skip


def test_page_holds_everything_and_needs_no_network(scan, found, prepared, tmp_path):
    record = record_of(scan, found, prepared)
    scan_page.write(tmp_path / "p.html", record, found.native, MANIFEST)
    text = (tmp_path / "p.html").read_text()
    assert not re.search(r"""(?:src|href)=["'](?:http|/)""", text) and len(text) < 2_000_000
    assert "thick &lt;b&gt;" in text and "<b>0.38 ml</b> above" in text
    (data,) = re.findall(r'id="volumes">(.*?)</script>', text, re.S)
    viewer = json.loads(data)
    assert set(viewer["pictures"]) == {"scan", "healthy"} and viewer["lesion"] is None
    (shown,) = viewer["maps"]
    assert {cut["name"]: cut["value"] for cut in shown["cuts"]} == result.thresholds(MANIFEST)
    assert shown["peak"] >= 2 * shown["cuts"][0]["value"]
    # The cross starts in the region, whose grid is 1.5 mm.
    at, shape = viewer["start"], viewer["shape"]
    assert all(0 <= x < n for x, n in zip(at, shape))
    assert shown["url"].startswith("data:image/png;base64,")


def test_refused_scans_have_a_page_and_a_line(scan, found, prepared, tmp_path):
    refused = {"scan": "sub-2", "file": "b.nii", "bundle": "sadm-x", "refused": "is <empty>"}
    scan_page.write_refused(tmp_path / "p.html", refused, MANIFEST)
    text = (tmp_path / "p.html").read_text()
    assert "is &lt;empty&gt;" in text and "<canvas" not in text
    more = record_of(scan, found, prepared, "sub-3")
    more["compared"] = {**more["compared"], "p_value": 0.25}
    records = predictions.sort([refused, record_of(scan, found, prepared), more])
    assert [record["scan"] for record in records] == ["sub-3", "sub-1", "sub-2"]
    table = predictions.table(records, MANIFEST).set_index("scan")
    assert table.loc["sub-2", "refused"] == "is <empty>" and table.loc["sub-2"].notna().sum() == 2
    assert table.loc["sub-1", "exceeds_5"] == "n/a"
    assert table.loc["sub-1", "above_val_ml"] == pytest.approx(0.384)
    predictions.write(tmp_path / "s.html", records, MANIFEST)
    text = (tmp_path / "s.html").read_text()
    assert "<b>2</b> scans with a map, <b>1</b> without" in " ".join(text.split())
    assert 'href="sub-1.html"' in text


def test_files_of_an_earlier_run_go(scan, found, tmp_path):
    transform = tmp_path / "t.txt"
    transform.write_text("affine")
    stem = str(tmp_path / "out/sub-1")
    names = result.write(found.native, MANIFEST, transform, stem)
    folder = tmp_path / "out"
    assert {path.name for path in folder.iterdir()} == set(names)
    assert "sub-1_desc-fpr5_anomaly_mask.nii.gz" in names
    (folder / "sub-12_anomalymap.nii.gz").touch()
    result.remove(stem)
    assert [path.name for path in folder.iterdir()] == ["sub-12_anomalymap.nii.gz"]
