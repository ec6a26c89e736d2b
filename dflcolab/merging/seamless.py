# pyright: strict
"""Blending by gradients, through OpenCV's seamless clone."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image
from dflcolab.merging.boxes import as_float
from dflcolab.merging.face_mask import Plane

_log = logging.getLogger(__name__)

_MARGIN = 3
"""Pixels that must lie between a region and the edge of the picture."""


def seamless_clone(pasted: FloatImage, below: Image, mask: Plane) -> FloatImage:
    """The pasted face with the gradients kept and the colors of its surroundings taken over.

    DFL interoperability notes, section 8.3, steps 11 and 12.

    Args:
        pasted: `[h, w, 3]`, the face on its place in the box, 0..1.
        below: The frame in the same box.
        mask: `[h, w]`, where the face is.

    Returns:
        The blended picture; `pasted` itself where OpenCV cannot solve it.
    """
    cut = next((i / 10.0 for i in range(1, 10) if bool((mask > i / 10.0).any())), None)
    if cut is None:
        return pasted
    region = np.where(mask > np.float32(cut), np.uint8(255), np.uint8(0))
    face = (pasted * np.float32(255.0)).astype(np.uint8)
    # OpenCV solves wrongly, or not at all, where a region touches the edge of a picture.
    around = _MARGIN if _touches_an_edge(region) else 0
    face, below = (_continued(picture, around) for picture in (face, below))
    region = cv2.copyMakeBorder(
        region, around, around, around, around, cv2.BORDER_CONSTANT, value=(0,)
    )
    left, top, width, height = cv2.boundingRect(region)
    center = (int(left + width / 2), int(top + height / 2))
    try:
        blended = cv2.seamlessClone(face, below, region, center, cv2.NORMAL_CLONE)
    except cv2.error as error:
        _log.info("Seamless blending failed: %s", error)
        return pasted
    end = (blended.shape[0] - around, blended.shape[1] - around)
    return as_float(np.ascontiguousarray(blended[around : end[0], around : end[1]], np.uint8))


def _touches_an_edge(region: npt.NDArray[np.uint8]) -> bool:
    sides = (region[:_MARGIN], region[-_MARGIN:], region[:, :_MARGIN], region[:, -_MARGIN:])
    return any(bool(side.any()) for side in sides)


def _continued(picture: Image, around: int) -> Image:
    """The picture with a border that continues its edge."""
    return cv2.copyMakeBorder(picture, around, around, around, around, cv2.BORDER_REPLICATE).astype(
        np.uint8, copy=False
    )
