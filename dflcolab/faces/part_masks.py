# pyright: strict
"""Masks of single parts of the face from its landmarks, for swaps of parts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Mask
from dflcolab.faces.landmarks import (
    LEFT_EYE,
    LEFT_EYEBROW,
    NOSE,
    OUTER_LIPS,
    RIGHT_EYE,
    RIGHT_EYEBROW,
)

FacePart = Literal["eyes", "mouth", "nose", "brows"]

_PARTS: dict[FacePart, tuple[tuple[slice, ...], float]] = {
    "eyes": ((RIGHT_EYE, LEFT_EYE), 0.20),
    "mouth": ((OUTER_LIPS,), 0.16),
    "nose": ((NOSE,), 0.16),
    "brows": ((RIGHT_EYEBROW, LEFT_EYEBROW), 0.10),
}
"""Landmarks of each piece, and the margin around them as a share of the distance between the eyes: lids
and crow's feet, the rim of the lips, the wings of the nose and the hair of the brows lie outside of the
landmarks."""


def part_mask(
    landmarks: npt.ArrayLike, parts: Collection[FacePart], height: int, width: int
) -> Mask:
    """The convex hulls of parts of a face, each with a margin; 1 inside, 0 outside.

    Args:
        landmarks: `[68, 2]`, pixels of the picture.
        parts: Which parts; all of them together.
        height: Of the picture in pixels.
        width: Of the picture in pixels.

    Returns:
        `[height, width, 1]`, float32.
    """
    points = np.asarray(landmarks, np.float32)
    eyes = points[RIGHT_EYE].mean(axis=0) - points[LEFT_EYE].mean(axis=0)
    # In a profile the eyes lie close together; the face is then about as high as ever.
    apart = max(float(np.hypot(*eyes)), 0.5 * float(np.ptp(points[:, 1])) / 1.2)
    found = np.zeros((height, width), np.uint8)
    for part in parts:
        pieces, margin = _PARTS[part]
        plane = np.zeros_like(found)
        for piece in pieces:
            hull = cv2.convexHull(np.clip(points[piece], -(2**20), 2**20).astype(np.int32))
            cv2.fillConvexPoly(plane, hull, (1,))
        reach = round(margin * apart)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        found |= np.asarray(cv2.dilate(plane, disc), np.uint8)
    return found.astype(np.float32)[..., None]
