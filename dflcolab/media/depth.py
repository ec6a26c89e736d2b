# pyright: strict
"""Frames merged at eight bits, with the finer values of a video that has more.

Faces are merged into pictures of eight bits. What the video holds below that step is kept beside
them: a pixel that merging did not change gets its exact value back, a changed one keeps the fine
part of the pixel under it, so that smooth skies and soft edges of the mask show no steps.
"""

from __future__ import annotations

import cv2
import numpy as np

from dflcolab.arrays import DeepImage, Image

_STEP = 256
"""One step of eight bits in swscale's 16-bit values, which it fills by shifting: 255 is 65280."""


def with_fine_values(merged: Image, original: Image, deep: DeepImage) -> DeepImage:
    """The merged frame at 16 bits.

    Args:
        merged: `[H, W, 3]` BGR, uint8.
        original: The frame before merging as `FromVideo.image` gives it, same size.
        deep: The same frame as `FromVideo.deep_image` gives it.

    Returns:
        `[H, W, 3]` BGR, uint16: equal to `deep` wherever `merged` equals `original`.
    """
    found = deep.copy()
    # Mostly a face in a large frame: the rest is not touched.
    different = cv2.absdiff(merged, original)
    rows = np.flatnonzero(different.reshape(len(different), -1).max(axis=1))
    if not rows.size:
        return found
    band = slice(rows[0], rows[-1] + 1)
    columns = np.flatnonzero(different[band].max(axis=0).max(axis=1))
    place = (band, slice(columns[0], columns[-1] + 1))
    change = (merged[place].astype(np.int32) - original[place]) * _STEP
    found[place] = np.clip(deep[place] + change, 0, np.iinfo(np.uint16).max)
    return found
