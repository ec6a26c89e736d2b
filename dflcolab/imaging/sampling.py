# pyright: strict
"""A few pixels that stand for a whole picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Mask


def spread_pixels(picture: FloatImage, rows: int, columns: int) -> FloatImage:
    """Pixels spread evenly over a picture, each from the middle of its part.

    Args:
        picture: `[H, W, 3]`.
        rows: At most so many rows; a smaller picture repeats some.
        columns: The same across.

    Returns:
        `[rows, columns, 3]`.
    """
    places = [_middles(side, n) for side, n in zip(picture.shape, (rows, columns), strict=False)]
    return picture[places[0]][:, places[1]]


def _middles(side: int, n: int) -> npt.NDArray[np.intp]:
    return ((np.arange(n) + 0.5) * side / n).astype(np.intp)


def masked(picture: FloatImage, mask: Mask | None) -> FloatImage:
    """The picture, black where the mask `[H, W, 1]` is below 0.5; itself without a mask."""
    if mask is None:
        return picture
    return np.where(mask >= np.float32(0.5), picture, np.float32(0.0))
