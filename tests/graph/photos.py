"""Pictures that look like nothing else, drawn from a seed."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def a_photo(seed: int, *, quality: int = 90, side: int = 400, format: str = "JPEG") -> bytes:  # noqa: A002 - Pillow's word
    """A picture of coarse blotches; the same seed looks the same in any size and quality."""
    blotches = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    picture = Image.fromarray(blotches).resize((side, side), Image.Resampling.BICUBIC)
    written = io.BytesIO()
    picture.save(written, format=format, quality=quality)
    return written.getvalue()
