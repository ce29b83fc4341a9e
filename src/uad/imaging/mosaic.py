"""Volumes as pictures that a browser decodes: axial slices side by side, as `viewer.js` reads them.

Volumes are (X, Y, Z) in LPS order and uint8; slices begin at the top left and go on row by row.
"""

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

# What WebP loses is lost in the pictures, not in what is counted.
OPTIONS = {"WEBP": {"quality": 25, "method": 6}, "PNG": {"optimize": True}, "JPEG": {}}


def columns(shape: Sequence[int]) -> int:
    """Slices in a row of the picture of a volume of this shape."""
    return math.ceil(math.sqrt(shape[2]))


def encode(volume: np.ndarray, form: str = "WEBP", **options: int) -> bytes:
    """A volume as a picture.

    Parameters
    ----------
    volume : ndarray of uint8, shape (X, Y, Z)
    form : {"WEBP", "PNG", "JPEG"}
        WEBP loses some of it, PNG nothing.
    **options
        Of Pillow, such as `quality`.
    """
    across = columns(volume.shape)
    x, y, z = volume.shape
    down = math.ceil(z / across)
    padded = np.zeros((x, y, down * across), np.uint8)
    padded[..., :z] = volume
    # (X, Y, down, across) -> (down, Y, across, X)
    tiles = padded.reshape(x, y, down, across).transpose(2, 1, 3, 0)
    buffer = io.BytesIO()
    picture = Image.fromarray(tiles.reshape(down * y, across * x))
    picture.save(buffer, form, **OPTIONS[form] | options)
    return buffer.getvalue()


def decode(picture: bytes, shape: Sequence[int]) -> np.ndarray:
    """The volume (X, Y, Z), uint8, that `encode` made a picture of."""
    x, y, z = shape
    across = columns(shape)
    pixels = np.array(Image.open(io.BytesIO(picture)).convert("L"))
    tiles = pixels.reshape(-1, y, across, x).transpose(3, 1, 0, 2)
    return tiles.reshape(x, y, -1)[..., :z]


def url(picture: bytes) -> str:
    """A picture as a URL that holds it."""
    kind = {b"\x89PNG": "png", b"RIFF": "webp"}.get(picture[:4], "jpeg")
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
