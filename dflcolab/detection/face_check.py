"""Whether an aligned picture shows a face at all, by the detector.

The second opinion for pictures in which the landmark network sees none: it overlooks some profiles
that the detector finds (one of 33 faces of 20 photographs), and both together hardly ever overlook
a face.
"""

from __future__ import annotations

import functools

import numpy as np

from dflcolab.arrays import Image, Landmarks
from dflcolab.detection.detector import FaceDetector
from dflcolab.detection.geometry import box_of_points, coverage
from dflcolab.detection.mesh import FaceMesh

_COVERED = 0.5


def detector_score(image: Image, landmarks: Landmarks) -> float:
    """Score of the surest face that the detector finds at the landmarks, 0..1; 0 for none.

    Args:
        image: `[H, W, 3]` BGR, an aligned face of any type.
        landmarks: `[68, 2]`, pixels of that picture; says which face of several is meant.
    """
    inner = box_of_points(np.asarray(landmarks, np.float32)[17:])
    scores = [
        float(found.score)
        for found in _detector().detect(image)
        if coverage(inner, found.box) >= _COVERED
    ]
    return max(scores, default=0.0)


@functools.cache
def _detector() -> FaceDetector:
    return FaceDetector(FaceMesh())
