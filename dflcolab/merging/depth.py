# pyright: strict
"""Which face of a frame is in front: the larger one.

A camera sees near heads larger. Two faces of a frame are put in from the smallest to the largest, so
that the nearer one lies on top where they overlap. A face's size is the middle one of the half
second around the frame, so that two faces of nearly one size do not change places all the time.
"""

from __future__ import annotations

import math

import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.stretches import Stretches, landmarks_of

_AROUND = 12
"""Frames on each side that the size is taken from."""


def nearest_last(faces: FacesOfFrames, stretches: Stretches) -> FacesOfFrames:
    """The faces of every frame from the farthest to the nearest.

    Args:
        faces: In the order of their files; frames with one face stay as they are.
        stretches: Where each face goes on; one that goes on nowhere counts by itself.
    """
    by_stem = dict(faces.by_stem)
    names = dict(faces.names)
    for stem, found in faces.by_stem.items():
        if len(found) < 2:
            continue
        sizes = [_size(faces, stretches, stem, place) for place in range(len(found))]
        order = sorted(range(len(found)), key=lambda place: (sizes[place], place))
        by_stem[stem] = [found[place] for place in order]
        names[stem] = [faces.names[stem][place] for place in order]
    return FacesOfFrames(by_stem, faces.problems, names)


def _size(faces: FacesOfFrames, stretches: Stretches, stem: str, place: int) -> float:
    around = stretches.around(stem, place, _AROUND)
    shapes = [landmarks_of(faces, sight) for sight in around] or [faces.by_stem[stem][place]]
    return float(np.median([face_size(shape) for shape in shapes]))


def face_size(landmarks: Landmarks) -> float:
    """Side of the face's crop in frame pixels; an open mouth does not change it."""
    matrix = alignment_matrix(landmarks, 1, FaceType.WHOLE)
    scale = math.hypot(float(matrix[0, 0]), float(matrix[1, 0]))
    return 1.0 / scale if scale > 0 else 0.0
