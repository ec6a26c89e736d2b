# pyright: strict
"""Words written into the corner of frames, for people who see them without reading any note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import DeepImage, Image

_HEIGHT_SHARE = 0.035
"""Height of the letters, of the frame's shorter side: readable on a telephone."""

_SMALLEST = 9
_WIDEST_SHARE = 0.9
_PLATE = 0.55
"""How dark the plate under the letters is, 0..1."""


class Label:
    """A label for frames of one size.

    White letters on a darkened plate in the lower left corner, smaller where they would be wider
    than the frame.

    Args:
        text: What to write.
        width: Width of the frames in pixels.
        height: Their height.
    """

    def __init__(self, text: str, width: int, height: int) -> None:
        plate = _plate(text, width, height)
        rows, columns = plate.shape
        margin = rows // 2
        top = max(0, height - rows - margin)
        left = min(margin, max(0, width - columns))
        self._place = (slice(top, top + rows), slice(left, left + columns))
        shown = plate[: height - top, : width - left, None].astype(np.float32)
        self._keep = (1 - _PLATE) * (1 - shown)
        self._add = shown

    def stamp(self, image: Image | DeepImage) -> Image | DeepImage:
        """A copy of a picture `[H, W, 3]` of 8 or 16 bits with the label on it."""
        white = np.iinfo(image.dtype.name).max
        stamped = image.copy()
        under = image[self._place].astype(np.float32)
        stamped[self._place] = np.rint(under * self._keep + self._add * white)
        return stamped


def _plate(text: str, width: int, height: int) -> npt.NDArray[np.float32]:
    """The letters with room around them, `[h, w]` in 0..1."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    size = max(_SMALLEST, round(min(width, height) * _HEIGHT_SHARE))
    while True:
        font = _font(size)
        left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
        room = max(2, size // 3)
        if right - left + 2 * room <= width * _WIDEST_SHARE or size <= _SMALLEST:
            break
        size -= 1
    area = (right - left + 2 * room, bottom - top + 2 * room)
    picture = PillowImage.new("L", area, 0)
    ImageDraw.Draw(picture).text((room - left, room - top), text, font=font, fill=255)
    return np.asarray(picture, np.float32) / np.float32(255)


def _font(size: int) -> Any:
    """DejaVu Sans, which comes with matplotlib and knows most alphabets."""
    import matplotlib as mpl
    from PIL import ImageFont

    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)
