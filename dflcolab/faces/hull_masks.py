# pyright: strict
"""Masks drawn from the 68 landmarks: the face's hull, the eyes, the mouth.

DFL interoperability notes, section 3.5. The hull is a convex guess of the visible face and serves
wherever nobody drew or learned a better mask.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Mask
from dflcolab.faces.landmarks import INNER_LIPS, LEFT_EYE, RIGHT_EYE

# The union of these convex pieces follows brows and jaw more closely than one hull would.
_HULL_PIECES = tuple(
    np.array(piece)
    for piece in (
        [*range(9), 17],
        [*range(8, 17), 26],
        [17, 18, 19, 8],
        [24, 25, 26, 8],
        [*range(19, 25), 8],
        [*range(17, 22), 27, *range(31, 36), 8],
        [*range(22, 27), 27, *range(31, 36), 8],
        [*range(27, 31), *range(31, 36)],
    )
)
# Beyond this the rasteriser's fixed-point arithmetic would overflow; no face lies there.
_FARTHEST = 2.0**20


def hull_mask(
    landmarks: npt.ArrayLike, height: int, width: int, *, eyebrows_expand: float = 1.0
) -> Mask:
    """The face's hull: 1 inside, 0 outside.

    Args:
        landmarks: `[68, 2]`, pixels of the picture. Parts outside of it are cut off.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        eyebrows_expand: How far the hull reaches above the brows, in eye-to-brow heights times
            one half. 1 is DeepFaceLab's default, 0 ends at the brows.

    Returns:
        `[height, width, 1]`, float32.
    """
    points = expand_eyebrows(_whole_pixels(landmarks), eyebrows_expand)
    # Drawn in floats at once: untouched pages of a large zero array cost nothing.
    canvas = np.zeros((height, width), np.float32)
    for piece in _HULL_PIECES:
        _fill_hull(canvas, points[piece])
    return canvas[..., None]


def expand_eyebrows(points: npt.NDArray[np.int32], factor: float) -> npt.NDArray[np.int32]:
    """Move the brows away from the eyes, as room for the forehead.

    Args:
        points: Whole-pixel landmarks `[68, 2]`.
        factor: 1 moves each brow point by half its height above the eye.
    """
    moved = points.copy()
    middle_right = (points[36] + points[0]) // 2
    middle_left = (points[16] + points[45]) // 2
    corner_right = (points[36] + middle_right) // 2
    corner_left = (points[45] + middle_left) // 2
    below_right = np.stack([corner_right, points[36], points[37], points[38], points[39]])
    below_left = np.stack([points[42], points[43], points[44], points[45], corner_left])
    for brow, below in ((slice(17, 22), below_right), (slice(22, 27), below_left)):
        moved[brow] = np.trunc(points[brow] + factor * 0.5 * (points[brow] - below))
    return moved


def eye_mask(landmarks: npt.ArrayLike, height: int, width: int) -> Mask:
    """Both eyes with a soft margin of about a sixteenth of the picture. `[height, width, 1]`."""
    points = _whole_pixels(landmarks)
    return _soft_union([points[RIGHT_EYE], points[LEFT_EYE]], height, width)


def mouth_mask(landmarks: npt.ArrayLike, height: int, width: int) -> Mask:
    """The opening between the lips with a soft margin. `[height, width, 1]`, float32."""
    return _soft_union([_whole_pixels(landmarks)[INNER_LIPS]], height, width)


def eyes_mouth_mask(landmarks: npt.ArrayLike, height: int, width: int) -> Mask:
    """Eyes and mouth together, for the eyes-and-mouth priority. `[height, width, 1]`, float32.

    For training it is cut to the face: multiply by `full_mask != 0`.
    """
    both = eye_mask(landmarks, height, width) + mouth_mask(landmarks, height, width)
    return np.minimum(both, np.float32(1.0))


def _whole_pixels(landmarks: npt.ArrayLike) -> npt.NDArray[np.int32]:
    points = np.asarray(landmarks, dtype=np.float64)
    return np.clip(points, -_FARTHEST, _FARTHEST).astype(np.int32)


def _fill_hull(canvas: npt.NDArray[np.float32], points: npt.NDArray[np.int32]) -> None:
    cv2.fillConvexPoly(canvas, cv2.convexHull(np.ascontiguousarray(points)), (1.0,))


def _soft_union(parts: list[npt.NDArray[np.int32]], height: int, width: int) -> Mask:
    canvas = np.zeros((height, width), np.float32)
    for part in parts:
        _fill_hull(canvas, part)
    margin = height // 32
    if margin:  # Pictures under 32 pixels have no room for a margin.
        canvas = cv2.dilate(canvas, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (margin, margin)))
    blur = height // 16 | 1
    soft = cv2.GaussianBlur(canvas, (blur, blur), 0)
    return np.asarray(soft, dtype=np.float32)[..., None]
