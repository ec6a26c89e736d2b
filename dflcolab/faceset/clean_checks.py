# pyright: strict
"""Measures that tell whether a face belongs in a faceset."""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Landmarks, Mask
from dflcolab.faces.alignment import umeyama
from dflcolab.faces.face_record import FaceRecord

Gray = npt.NDArray[np.uint8]

THUMBNAIL_SIDE = 32

_LOOK = 128
"""Faces are compared at this size, so that the crop's resolution does not count."""

_BLACK = 8
"""Brightest channel of what counts as black: nothing at all, but for the noise of JPEG."""

_INSIDE_SHARE = 0.5
_NARROWEST = 0.05
_WIDEST_TURN = math.radians(150)


def face_sharpness(image: Image, hull: Mask) -> float:
    """How much fine detail the face has, whatever its brightness and contrast.

    The logarithm of (energy of the Laplacian ÷ variance), both inside the hull of the gray face
    at 128 pixels. About one less is visibly softer.

    Args:
        image: `[H, W, 3]`, uint8, BGR.
        hull: `[H, W, 1]`, 1 inside the face.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(gray, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA).astype(np.float32)
    inside = cv2.resize(hull[..., 0], (_LOOK, _LOOK), interpolation=cv2.INTER_AREA)
    # A margin keeps the outline of the face, which is sharp against any background, out of it.
    chosen = cv2.erode(inside, np.ones((9, 9), np.uint8)) > 0.99
    if chosen.sum() < 64:
        return -math.inf
    detail = np.square(cv2.Laplacian(small, cv2.CV_32F)[chosen]).mean(dtype=np.float64)
    contrast = small[chosen].var(dtype=np.float64)
    # 0.1 gray steps squared is below the noise of any camera: the floor of what can be told.
    return math.log((float(detail) + 0.1) / (float(contrast) + 1.0))


def thumbnail(image: Image) -> npt.NDArray[np.float32]:
    """`[32, 32]`, 0..1: the gray face, small, for comparing neighbours."""
    return thumbnail_of_gray(cast(Gray, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)))


def thumbnail_of_gray(gray: Gray) -> npt.NDArray[np.float32]:
    """As `thumbnail`, of a gray picture `[H, W]`, uint8."""
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255.0


def landmark_problem(record: FaceRecord | None, width: int, height: int) -> str:
    """Why the landmarks of a face cannot be right; "" if nothing speaks against them.

    Args:
        record: The face data, None for a picture without.
        width: Width of the aligned picture in pixels.
        height: Its height.
    """
    if record is None:
        return "no face data"
    points = record.landmarks
    if points.shape != (68, 2) or not np.isfinite(points).all():
        return "no usable landmarks"
    inside = ((points >= 0) & (points <= (width, height))).all(axis=1)
    if inside.mean() < _INSIDE_SHARE:
        return "most landmarks lie outside of the picture"
    kind = record.assumed_face_type
    span = points.max(axis=0) - points.min(axis=0)
    narrowest = (
        _NARROWEST * max(width, height) if kind.is_crop else 1.0
    )  # in a whole frame, a pixel
    if span.min() < narrowest:
        return "the landmarks lie on a line or a point"
    return _upside_down(points) if kind.is_crop and not kind.unrotated else ""


def share_outside(image: Image, hull: Mask, record: FaceRecord) -> float:
    """Share of the face, 0..1, that lies outside of its frame.

    What lies beyond an edge of the frame is black in the crop, and the edge is a straight line
    there. So everything beyond the outermost pixels that are not black counts as outside, measured
    along the frame's axes. A dark background alone reaches no face that has lit pixels around it.

    Args:
        image: `[H, W, 3]`, uint8, BGR.
        hull: `[H, W, 1]`, 1 inside the face.
        record: Its face data; says how the crop lies in the frame.
    """
    height, width = image.shape[:2]
    small = cv2.resize(image, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(hull[..., 0], (_LOOK, _LOOK), interpolation=cv2.INTER_AREA) > 0.5
    lit = small.max(axis=2) > _BLACK
    if not ((inside & ~lit).any() and lit.any()):
        return 0.0
    rows, columns = np.mgrid[:_LOOK, :_LOOK].astype(np.float64)
    points = np.stack([columns * width / _LOOK, rows * height / _LOOK], axis=-1)
    along = points @ _frame_axes(record).T
    # The edge of the frame is softened by scaling and JPEG: a pixel and a half either way.
    slack = 1.5 * max(width, height) / _LOOK
    low, high = along[lit].min(axis=0) + slack, along[lit].max(axis=0) - slack
    outside = ((along < low) | (along > high)).any(axis=-1) & ~lit
    return float((outside & inside).sum()) / float(inside.sum())


def _frame_axes(record: FaceRecord) -> npt.NDArray[np.float64]:
    """`[2, 2]`: the frame's x and y axis in the crop; the crop's own where the file does not say."""
    if record.source_landmarks is None or record.source_landmarks.shape != (68, 2):
        return np.eye(2)
    to_crop = umeyama(record.source_landmarks, record.landmarks)[:2, :2]
    length = float(np.hypot(to_crop[0, 0], to_crop[1, 0]))
    return (to_crop / length).T if math.isfinite(length) and length > 1e-9 else np.eye(2)


def _upside_down(points: Landmarks) -> str:
    """In an aligned crop the chin is below the brows, whatever the head's pose."""
    brows, chin = points[17:27].mean(axis=0), points[8]
    eyes_to_chin = chin - brows
    turn = abs(math.atan2(float(eyes_to_chin[0]), float(eyes_to_chin[1])))
    return "the face stands on its head" if turn > _WIDEST_TURN else ""
