"""Boxes, rotated squares and overlaps: the plane geometry that detectors and mesh share.

A box is `[left, top, right, bottom]` in pixels of the frame, float32, right and bottom exclusive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RotatedSquare:
    """Where to cut a picture so that the face in it stands upright.

    Attributes:
        x: Centre, pixels to the right.
        y: Centre, pixels down.
        side: Length of a side in pixels.
        angle: Roll of the face in radians, clockwise in the picture positive.
    """

    x: float
    y: float
    side: float
    angle: float

    def near(self, other: RotatedSquare, tolerance: float) -> bool:
        """Whether another square shows nearly the same.

        Args:
            other: The square to compare with.
            tolerance: Largest shift in sides, change of size as a share, and turn in radians.
        """
        shift = math.hypot(other.x - self.x, other.y - self.y)
        turn = math.remainder(other.angle - self.angle, 2 * math.pi)
        return (
            shift <= tolerance * self.side
            and abs(other.side - self.side) <= tolerance * self.side
            and abs(turn) <= tolerance
        )

    def matrix(self, size: int) -> npt.NDArray[np.float64]:
        """`[2, 3]` map from frame pixels to a crop of `size` x `size` pixels."""
        scale = size / self.side
        cosine, sine = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        half = size / 2
        return np.array(
            [
                [cosine, sine, half - cosine * self.x - sine * self.y],
                [-sine, cosine, half + sine * self.x - cosine * self.y],
            ]
        )


def upright_angle(right_eye: FloatArray, left_eye: FloatArray, mouth: FloatArray) -> float:
    """Roll of a face from its eyes and the middle of its mouth, in radians.

    The direction of the eye line and the direction from eyes to mouth are added as vectors, so each
    counts by its length: on a profile, where the eye line is short and says little, the other
    leads.

    Args:
        right_eye: `[2]`, the subject's right eye (left in an upright picture).
        left_eye: `[2]`.
        mouth: `[2]`, the middle of the mouth.
    """
    across = left_eye - right_eye
    down = mouth - (left_eye + right_eye) / 2
    return float(np.arctan2(across[1] - down[0], across[0] + down[1]))


def box_of_points(points: npt.NDArray[np.floating]) -> FloatArray:
    """Smallest upright box around points `[N, 2+]`."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return np.array([low[0], low[1], high[0], high[1]], np.float32)


def box_area(box: FloatArray) -> float:
    """Area of a box in square pixels."""
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def overlap(first: FloatArray, second: FloatArray) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = float(width * height)
    return common / (box_area(first) + box_area(second) - common)


def coverage(first: FloatArray, second: FloatArray) -> float:
    """Part of the smaller box that the other one covers, 0..1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min(box_area(first), box_area(second))
    if width <= 0 or height <= 0 or smaller <= 0:
        return 0.0
    return float(width * height) / smaller
