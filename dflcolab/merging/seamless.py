# pyright: strict
"""Blending by gradients, through OpenCV's seamless clone."""

from __future__ import annotations

import logging

import cv2
import numpy as np

from dflcolab.arrays import FloatImage, Image
from dflcolab.merging.boxes import as_float
from dflcolab.merging.face_mask import Plane

_log = logging.getLogger(__name__)


def seamless_clone(pasted: FloatImage, below: Image, mask: Plane) -> FloatImage:
    """The pasted face with the gradients kept and the colors of its surroundings taken over.

    DFL interoperability notes, section 8.3, steps 11 and 12.

    Args:
        pasted: `[h, w, 3]`, the face on its place in the box, 0..1.
        below: The frame in the same box.
        mask: `[h, w]`, where the face is.

    Returns:
        The blended picture; `pasted` itself where OpenCV cannot solve it (a mask that touches the
        edge of the frame).
    """
    cut = next((i / 10.0 for i in range(1, 10) if bool((mask > i / 10.0).any())), None)
    if cut is None:
        return pasted
    region = np.where(mask > np.float32(cut), np.uint8(255), np.uint8(0))
    left, top, width, height = cv2.boundingRect(region)
    center = (int(left + width / 2), int(top + height / 2))
    face = (pasted * np.float32(255.0)).astype(np.uint8)
    try:
        blended = cv2.seamlessClone(face, below, region, center, cv2.NORMAL_CLONE)
    except cv2.error as error:
        _log.info("Seamless blending failed on a face at the frame's edge: %s", error)
        return pasted
    return as_float(blended.astype(np.uint8, copy=False))
