"""Frames with landmarks, boxes and crops drawn on: what one looks at after an extraction.

DFL interoperability notes, section 4.6. The colours and the order of drawing are DeepFaceLab's.
"""

from __future__ import annotations

import cv2
import numpy as np

from dflcolab.arrays import Image, Landmarks
from dflcolab.detection.geometry import FloatArray
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask

QUALITY = 50

_GREEN, _BLUE, _RED = (0, 255, 0), (255, 0, 0), (0, 0, 255)
_OPEN_LINES = (
    list(range(17)),  # jaw
    list(range(17, 22)),  # brows
    list(range(22, 27)),
    [*range(27, 36), 30],  # nose
)
_RINGS = (list(range(36, 42)), list(range(42, 48)), list(range(48, 68)))  # eyes, mouth
_MARGIN = 64


def draw_face(
    image: Image,
    landmarks: Landmarks,
    box: FloatArray,
    *,
    face_type: FaceType,
    size: int,
) -> None:
    """Draw one face into a frame, in place.

    Args:
        image: `[H, W, 3]` BGR, changed.
        landmarks: `[68, 2]`, frame pixels.
        box: `[4]` left, top, right, bottom, frame pixels.
        face_type: Extent of the crop to outline; `MARK_ONLY` outlines none.
        size: Side of the crop in pixels.
    """
    _draw_landmarks(image, landmarks)
    _dim_hull(image, landmarks)
    left, top, right, bottom = (int(value) for value in box)
    cv2.rectangle(image, (left, top), (right, bottom), _BLUE, 2)
    if face_type.is_crop:
        _draw_crop(image, landmarks, face_type, size)


def _draw_landmarks(image: Image, landmarks: Landmarks) -> None:
    points = np.trunc(np.clip(landmarks, -30000, 30000)).astype(np.int32)
    for group in _OPEN_LINES:
        cv2.polylines(image, [points[group]], False, _GREEN, 1, cv2.LINE_AA)
    for group in _RINGS:
        cv2.polylines(image, [points[group]], True, _GREEN, 1, cv2.LINE_AA)
    for index, point in enumerate(points.tolist()):
        radius = 2 if index < 17 else 1
        cv2.circle(image, point, radius, _GREEN, 1, cv2.LINE_AA)


def _dim_hull(image: Image, landmarks: Landmarks) -> None:
    """Halve the brightness inside the hull mask, looking only at the face's own part."""
    height, width = image.shape[:2]
    points = np.clip(landmarks, -30000, 30000)
    low = np.floor(points.min(axis=0)).astype(int)
    high = np.ceil(points.max(axis=0)).astype(int)
    reach = int((high - low).max()) // 2 + _MARGIN  # the brow expansion stays within this
    left, top = max(0, low[0] - reach), max(0, low[1] - reach)
    right, bottom = min(width, high[0] + reach), min(height, high[1] + reach)
    if right <= left or bottom <= top:
        return
    shifted = np.trunc(points) - np.array([left, top], np.float32)
    mask = hull_mask(shifted, bottom - top, right - left)[..., 0]
    part = image[top:bottom, left:right]
    inside = (mask > 0).view(np.uint8)
    cv2.copyTo(np.right_shift(part, 1), inside, part)


def _draw_crop(image: Image, landmarks: Landmarks, face_type: FaceType, size: int) -> None:
    matrix = alignment_matrix(landmarks, size, face_type)
    last = size - 1
    square = np.array([(0, 0), (0, last), (last, last), (last, 0)], np.float32)
    corner = np.array([(0.05, 0.0), (0.1, 0.1), (0.0, 0.1)], np.float32) * size
    for outline, thickness in ((square, 2), (corner, 1)):
        points = transform_points(outline, matrix, invert=True)
        points = np.rint(np.clip(points, -30000, 30000)).astype(np.int32)
        cv2.polylines(image, [points], True, _RED, thickness)
