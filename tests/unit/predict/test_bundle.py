"""Bundles: equal bytes, nothing unpickled, and no changed byte that is not noticed."""

import zipfile

import numpy as np
import pytest

from uad.base import digests
from uad.base.errors import InputError
from uad.predict import bundle

MANIFEST = {
    "row": "sadm_res-brats",
    "folds": [0, 1],
    "models": {"cddpm": {}, "unet_res-brats": {}},
    "revision": "abc",
}


@pytest.fixture
def made(tmp_path):
    """A bundle of files that are no models."""
    models = {}
    for i, name in enumerate(bundle.model_files(MANIFEST)):
        models[name] = tmp_path / f"{i}.pt"
        models[name].write_bytes(bytes([i]) * 50)
    path = tmp_path / "made.zip"
    bundle.write(path, MANIFEST, "# Card\n", models)
    return path, models


def test_round_trip(made, tmp_path):
    path, models = made
    assert bundle.read(path) == bundle.check(path) == {"format": bundle.FORMAT, **MANIFEST}
    assert list(bundle.read(path)) == ["format", *MANIFEST]  # in order: the first threshold counts
    folder = tmp_path / "out"
    (folder / "left").mkdir(parents=True)  # by a killed process
    with bundle.unpacked(path, folder) as manifest:
        assert manifest == bundle.read(path) and not (folder / "left").exists()
        for name, source in models.items():
            assert (folder / name).read_bytes() == source.read_bytes()
    assert not folder.exists()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("README.md") == b"# Card\n"
        assert set(archive.namelist()) == {"manifest.json", "README.md", *models}


def test_equal_content_has_equal_bytes(made, tmp_path):
    path, models = made
    again = tmp_path / "again.zip"
    bundle.write(again, MANIFEST, "# Card\n", dict(reversed(models.items())))
    assert again.read_bytes() == path.read_bytes()


def test_any_changed_byte_is_noticed(made, tmp_path):
    path, _ = made
    content = path.read_bytes()
    changed = tmp_path / "changed.zip"
    places = np.linspace(0, len(content) - 1, 200).astype(int)
    for place in {*map(int, places), len(content) - 1, len(content) - 70}:
        damaged = bytearray(content)
        damaged[place] ^= 1
        changed.write_bytes(damaged)
        with pytest.raises(InputError, match="changed.zip: is .*(damaged|format)"):
            bundle.check(changed)
    changed.write_bytes(content[:-100])
    with pytest.raises(InputError, match="damaged"):
        bundle.check(changed)


def test_another_format_is_refused(made, tmp_path, monkeypatch):
    path, _ = made
    monkeypatch.setattr(bundle, "FORMAT", 2)
    with pytest.raises(InputError, match=r"format 1, and this version .* reads format 2 .*\(abc\)"):
        bundle.read(path)


def test_what_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        bundle.read(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(InputError, match="is no model bundle"):
        bundle.read(tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "b")
    with pytest.raises(InputError, match="is no model bundle"):
        bundle.read(tmp_path / "other.zip")


def test_another_atlas_is_refused(tmp_path):
    files = {part: tmp_path / f"{part}.nii" for part in ("head", "brain")}
    for part, path in files.items():
        path.write_text(part)
    manifest = {"atlas": {"sha256": {part: digests.sha256(path) for part, path in files.items()}}}
    bundle.check_atlas("b.zip", manifest, **files)
    files["brain"].write_text("another")
    with pytest.raises(InputError, match="brain.nii: is not the atlas that b.zip was made with"):
        bundle.check_atlas("b.zip", manifest, **files)
    files["head"].unlink()
    with pytest.raises(InputError, match="head.nii: no such file; atlas.head must be"):
        bundle.check_atlas("b.zip", manifest, **files)
