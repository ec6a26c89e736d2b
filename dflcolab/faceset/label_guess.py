# pyright: strict
"""A first guess of a face's outlines, with few points, for somebody to correct.

From the landmarks' hull where nothing better is known, else from a mask (a stored one, or what a
trained XSeg network says).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faces.mask_outlines import outlines_of

TOLERANCE = 1 / 128
"""Share of the picture's longer side by which a guess may run beside the edge it follows; 2 pixels of
256. About 15 to 30 points a face."""

FOREHEAD = 4.0
"""Brow factor for crops that show the forehead: the hull then ends near the hair line."""

_ROUND = 0.3
"""Share of the picture's longer side: diameter to which corners at the temples are rounded then."""

_SPECKS = 1 / 400
"""Share of the picture: smaller parts and holes are noise."""


def hull_guess(
    record: FaceRecord, height: int, width: int, *, tolerance: float | None = None
) -> tuple[Polygon, ...]:
    """The landmarks' hull as one outline; for whole faces and heads up to about the hair line.

    Args:
        record: Landmarks and face type of the face.
        height: Of its picture in pixels.
        width: Of its picture in pixels.
        tolerance: How far the outline may run from the hull's edge, in pixels; None: `TOLERANCE`
            of the longer side.

    Returns:
        Outlines in pixels of the picture; none where no landmark lies in it.
    """
    shows_forehead = record.assumed_face_type.code >= FaceType.WHOLE.code
    brows = FOREHEAD if shows_forehead else record.eyebrows_expand_mod
    mask = hull_mask(record.landmarks, height, width, eyebrows_expand=brows)
    if shows_forehead:
        side = max(1, round(_ROUND * max(height, width)))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc), np.float32)
    return mask_guess(mask, height, width, tolerance=tolerance)


def mask_guess(
    mask: npt.NDArray[np.float32], height: int, width: int, *, tolerance: float | None = None
) -> tuple[Polygon, ...]:
    """A mask's edge as outlines; its holes cut out. Small specks and holes are left out.

    Args:
        mask: `[h, w]` or `[h, w, 1]` of any size, stretched over the picture; inside above 0.5.
        height: Of the picture in pixels.
        width: Of the picture in pixels.
        tolerance: As for `hull_guess`.

    Returns:
        Outlines in pixels of the picture, the largest part first; none for an empty mask.
    """
    plane = np.ascontiguousarray(mask[..., 0] if mask.ndim == 3 else mask)
    if plane.shape != (height, width):
        plane = np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR))
    return outlines_of(
        plane,
        tolerance=TOLERANCE * max(height, width) if tolerance is None else tolerance,
        smallest=max(1, round(_SPECKS * height * width)),
    )
