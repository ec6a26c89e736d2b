# pyright: strict
"""The head's pose from the landmarks of an aligned face.

DFL interoperability notes, section 3.6: a 3-D model of 33 points (jaw, brows, lower nose) is laid
over the landmarks by an iterative perspective solver with a made-up camera.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.faces.geometry import table
from dflcolab.faces.landmarks import averaged_yaw, chin_pitch

__all__ = ["Pose", "averaged_yaw", "chin_pitch", "pose"]

_INDICES = np.array([*range(27), *range(30, 36)])
_MODEL = np.ascontiguousarray(table("model_3d_68")[_INDICES], dtype=np.float32)
_NO_DISTORTION = np.zeros((4, 1))


class Pose(NamedTuple):
    """Angles of a head in radians, each within ±π/2.

    Yaw above 0: the nose points to the picture's left. Pitch above 0: looking up. Roll above 0:
    the head is turned clockwise in the picture.
    """

    pitch: float
    yaw: float
    roll: float


def pose(landmarks: npt.ArrayLike, size: int) -> Pose:
    """Pitch, yaw and roll of an aligned face.

    Args:
        landmarks: `[68, 2]`, pixels of the aligned picture.
        size: Side of that picture in pixels.
    """
    points = np.ascontiguousarray(np.asarray(landmarks, dtype=np.float32)[_INDICES])
    camera = np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1]], dtype=np.float64)
    _, rotation_vector, _ = cv2.solvePnP(_MODEL, points, camera, _NO_DISTORTION)
    rotation = cv2.Rodrigues(rotation_vector)[0].tolist()
    (r00, _, _), (r10, r11, r12), (r20, r21, r22) = rotation
    sy = math.hypot(r00, r10)
    y = math.atan2(-r20, sy)
    if sy < 1e-6:
        x, z = math.atan2(-r12, r11), 0.0
    else:
        x, z = math.atan2(r21, r22), math.atan2(r10, r00)
    return Pose(pitch=-_clip(x), yaw=_clip(y), roll=_clip(z))


def _clip(angle: float) -> float:
    return min(max(angle, -math.pi / 2), math.pi / 2)
