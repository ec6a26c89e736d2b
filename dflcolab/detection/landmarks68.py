"""From the 478 points of the mesh to the 68 of DeepFaceLab (iBUG order)."""

from __future__ import annotations

import functools
import json
import math
from importlib import resources
from typing import Any

import cv2
import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.detection.geometry import FloatArray, upright_angle

_LIST_FILE = "mediapipe468_to_ibug68.json"
_SIDES_FILE = "mesh_sides.json"

_RIGHT_JAW, _LEFT_JAW = slice(0, 8), slice(9, 17)


@functools.cache
def mesh_weights() -> FloatArray:
    """`[68, 468]`: each row sums to 1 and picks the one or two vertices of a landmark.

    The list called `recommended` in the shipped table: of four lists it came nearest to hand labels
    (mean error 4.4 % of the face) and to the usual 68-point detectors.
    """
    table: list[list[int]] = _table(_LIST_FILE)["recommended"]
    weights = np.zeros((68, 468), np.float32)
    for landmark, vertices in enumerate(table):
        weights[landmark, vertices] = 1 / len(vertices)
    return weights


def landmarks_68(mesh_points: FloatArray, *, outline: bool = True) -> Landmarks:
    """The 68 landmarks of a mesh.

    On a turned face the jaw line of the mesh's far side lies behind the cheek, seen through it. Two
    conventions exist: 2-D landmark networks (and people who label pictures) put those points on the
    outline of the face instead, which is what DeepFaceLab works with up to the whole face, and
    what its hull mask needs; 3-D networks leave them on the surface, as DeepFaceLab does for heads.

    Args:
        mesh_points: `[468 or more, 2]`, frame pixels.
        outline: Move hidden jaw points to the outline. Changes nothing on faces from the front, and
            none of the points that decide the alignment.

    Returns:
        `[68, 2]` float32, frame pixels.
    """
    points = mesh_points[:468].astype(np.float32)
    landmarks = mesh_weights() @ points
    if outline:
        _move_jaw_to_outline(landmarks, points)
    return landmarks


def _move_jaw_to_outline(landmarks: Landmarks, points: FloatArray) -> None:
    """Push jaw points sideways, along the face's own axis, to the edge of the cheek, in place."""
    eyes = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    angle = upright_angle(*eyes, landmarks[48:68].mean(axis=0))
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]], np.float32)
    upright = points @ turn.T
    jaw = landmarks[:17] @ turn.T
    for part, vertices, sign in (
        (_RIGHT_JAW, _sides()[0], -1.0),
        (_LEFT_JAW, _sides()[1], 1.0),
    ):
        hull = np.asarray(cv2.convexHull(upright[vertices])[:, 0], np.float32)
        edge = np.array([_reach(hull, float(y), sign) for y in jaw[part, 1]])
        jaw[part, 0] = sign * np.maximum(sign * jaw[part, 0], edge)
    landmarks[:17] = jaw @ turn


def _reach(hull: FloatArray, y: float, sign: float) -> float:
    """How far a convex outline reaches to one side at a height; minus infinity beside it."""
    starts, ends = hull, np.roll(hull, -1, axis=0)
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    crossing = (low <= y) & (y <= high) & (high > low)
    if not crossing.any():
        return -math.inf
    starts, ends = starts[crossing], ends[crossing]
    part = (y - starts[:, 1]) / (ends[:, 1] - starts[:, 1])
    return float((sign * (starts[:, 0] + part * (ends[:, 0] - starts[:, 0]))).max())


@functools.cache
def _sides() -> tuple[list[int], list[int]]:
    """Vertices of the right and of the left cheek."""
    table = _table(_SIDES_FILE)
    return table["right"], table["left"]


def _table(name: str) -> Any:
    resource = resources.files("dflcolab") / "assets" / "geometry" / name
    return json.loads(resource.read_text(encoding="utf-8"))
