"""Volumes as pictures: where slices are, and what comes back."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from uad.imaging import mosaic


@pytest.fixture
def volume(rng):
    return rng.integers(0, 255, (5, 4, 7)).astype(np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_slices_lie_where_the_viewer_looks_for_them(volume):
    data = mosaic.url(mosaic.encode(volume, "PNG")).partition(",")[2]
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(data))))
    columns = mosaic.columns(volume.shape)
    for z in range(7):
        left, top = (z % columns) * 5, (z // columns) * 4
        np.testing.assert_array_equal(pixels[top : top + 4, left : left + 5], volume[..., z].T)


def test_what_is_decoded(volume):
    np.testing.assert_array_equal(mosaic.decode(mosaic.encode(volume, "PNG"), volume.shape), volume)
    smooth = np.fromfunction(lambda x, y, z: 2 * x + 3 * y + z, (40, 48, 10)).astype(np.uint8)
    lossy = mosaic.decode(mosaic.encode(smooth), smooth.shape)
    assert lossy.shape == smooth.shape
    assert np.abs(lossy.astype(float) - smooth).mean() < 5


@pytest.mark.parametrize(("form", "kind"), [("PNG", "png"), ("WEBP", "webp"), ("JPEG", "jpeg")])
def test_a_url_says_what_it_holds(volume, form, kind):
    assert mosaic.url(mosaic.encode(volume, form)).startswith(f"data:image/{kind};base64,")
