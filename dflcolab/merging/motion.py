# pyright: strict
"""How a face moves around each frame, for motion blur.

DFL interoperability notes, section 8.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.face_type import FaceType


@dataclass(frozen=True)
class Motion:
    """Movement of a face from the frame before to the frame after.

    Attributes:
        power: Way in frame pixels.
        deg: Direction in degrees, counter-clockwise from the right.
    """

    power: float = 0.0
    deg: float = 0.0


STILL = Motion()


def motion_at(before: Landmarks | None, here: Landmarks | None, after: Landmarks | None) -> Motion:
    """Motion at a frame from the landmarks of three neighbors; still if one has no face.

    The centers are taken at whole pixels, halves to even, as DeepFaceLab takes them.
    """
    if before is None or here is None or after is None:
        return STILL
    x, y = np.subtract(_center(after), _center(before)).tolist()
    return Motion(math.hypot(x, y), -math.degrees(math.atan2(y, x)))


def motions(stems: Sequence[str], faces: Mapping[str, Sequence[Landmarks]]) -> dict[str, Motion]:
    """Motion at each frame that has a face; the ends count themselves as their neighbor.

    Args:
        stems: All frames in order.
        faces: Landmarks of the faces by frame; frames without faces may be missing.

    Returns:
        Motion by frame; empty if any frame holds two faces, since nobody knows then which is which.
    """
    if any(len(found) > 1 for found in faces.values()):
        return {}
    only = [(faces.get(stem) or [None])[0] for stem in stems]
    last = len(only) - 1
    return {
        stem: motion_at(only[max(i - 1, 0)], only[i], only[min(i + 1, last)])
        for i, stem in enumerate(stems)
        if only[i] is not None
    }


def _center(landmarks: Landmarks) -> list[float]:
    """Center of the full-face crop, whole pixels of the frame."""
    matrix = alignment_matrix(landmarks, 256, FaceType.FULL)
    return [float(round(value)) for value in transform_points([(127, 127)], matrix, invert=True)[0]]
