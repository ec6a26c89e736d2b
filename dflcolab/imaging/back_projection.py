# pyright: strict
"""Enlarging a picture with firm edges, without a network.

Iterative back-projection (Irani and Peleg, "Improving resolution by image registration", 1991): the
enlarged picture, made small again, must be the picture it came from; what it lacks is added, several
times. Edges become as steep as the small picture proves. Detail that it does not hold is not invented.
"""

from __future__ import annotations

import cv2
import numpy as np

from dflcolab.arrays import FloatImage

_ROUNDS = 4
_SHARE = np.float32(0.8)
"""Of the difference that a round adds; less than all keeps ripples beside edges away."""


def enlarged(picture: FloatImage, factor: int) -> FloatImage:
    """The picture `factor` times as large.

    Args:
        picture: `[H, W, 3]`, float32.
        factor: 2 or more.

    Returns:
        `[factor * H, factor * W, 3]`, cut to the range of values of the picture.
    """
    height, width = picture.shape[:2]
    size = (factor * width, factor * height)
    large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    for _ in range(_ROUNDS):
        again = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
        missing = (picture - again).astype(np.float32)
        large += cv2.resize(missing, size, interpolation=cv2.INTER_CUBIC) * _SHARE
    return np.clip(large, picture.min(), picture.max()).astype(np.float32, copy=False)
