# pyright: strict
"""Blending by gradients: Poisson image editing (Pérez, Gangnet, Blake 2003).

The system is that of OpenCV's `seamlessClone`, which DeepFaceLab calls: around the mask lies a
rectangle, on whose edge the picture keeps the frame's colors; inside, each pixel's gradient to the
right and downwards is that of the face where the shrunken mask is set, else that of the frame.
OpenCV takes several times as long for it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image
from dflcolab.imaging.poisson import solve_poisson
from dflcolab.merging.boxes import as_float
from dflcolab.merging.face_mask import Plane

_SHRUNK = 3
"""Pixels at the mask's edge whose gradients are the frame's."""


def seamless_clone(pasted: FloatImage, below: Image, mask: Plane) -> FloatImage:
    """The pasted face with the gradients kept and the colors of its surroundings taken over.

    DFL interoperability notes, section 8.3, steps 11 and 12.

    Args:
        pasted: `[h, w, 3]`, the face on its place in the box, 0..1.
        below: The frame in the same box.
        mask: `[h, w]`, where the face is.

    Returns:
        The blended picture, cut off to steps of 1/255; `pasted` itself where the mask is empty. It
        is the solution to 0.01 of a step; OpenCV's, in its own precision, is off by 0.01 for 100 pixels
        and 0.4 for 1,100, so that some of its pixels are a step away.
    """
    cut = next((i / 10.0 for i in range(1, 10) if bool((mask > i / 10.0).any())), None)
    if cut is None:
        return pasted
    region = mask > np.float32(cut)
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    place = (_extent(rows), _extent(columns))
    face = (pasted[place] * np.float32(255.0)).astype(np.uint8)
    blended = below.copy()
    blended[place] = _cloned(face, below[place], region[place])
    return as_float(blended)


def _cloned(face: Image, below: Image, region: npt.NDArray[np.bool_]) -> Image:
    """The face blended into a rectangle of the frame that the region just fills."""
    if min(region.shape) < 3:  # no pixel inside of the edge
        return below
    side = 2 * _SHRUNK + 1
    inner = cv2.erode(
        region.astype(np.float32),
        np.ones((side, side), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=(0,),
    )
    weight = cv2.merge([inner] * 3).astype(np.float32, copy=False)
    # The unknown is what is added to the frame: zero on the edge, and exact where nothing changes.
    difference = cv2.subtract(face, below, dtype=cv2.CV_32F).astype(np.float32, copy=False)
    laplacian = _divergence(
        np.diff(difference, axis=1) * weight[:, :-1], np.diff(difference, axis=0) * weight[:-1]
    )
    blended = below.astype(np.float32)
    blended[1:-1, 1:-1] += solve_poisson(laplacian)
    return np.clip(blended, np.float32(0.0), np.float32(255.0), out=blended).astype(np.uint8)


def _divergence(
    right: npt.NDArray[np.float32], down: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Sources of a field of gradients, for the pixels inside of the edge.

    Args:
        right: `[h, w - 1, 3]`, from each pixel to the next in its row.
        down: `[h - 1, w, 3]`, from each pixel to the next in its column.
    """
    found = right[1:-1, 1:] - right[1:-1, :-1]
    found += down[1:, 1:-1]
    found -= down[:-1, 1:-1]
    return found


def _extent(places: npt.NDArray[np.intp]) -> slice:
    """From the first place to the last."""
    return slice(int(places[0]), int(places[-1]) + 1)
