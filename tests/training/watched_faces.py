"""Faces for tests of the evaluator: smooth random pictures, and real ones from the demo clips."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dflcolab.detection.faces import detect_faces
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.training.augment import PADDING
from dflcolab.training.dataset import TrainingFaces, training_face
from tests.material import frame_of

STRETCH = 5


def smooth_faces(seed: int, count: int, size: int = 64) -> TrainingFaces:
    """Faces of which each is another smooth picture, with masks that cover most of them."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (count, 5, 5, 5)).astype(np.float32)
    side = size + 2 * PADDING
    faces = np.stack([cv2.resize(face, (side, side)) for face in coarse])
    faces[..., 3:] = 255 * (faces[..., 3:] > 80)
    names = tuple(f"{index:05d}.jpg" for index in range(count))
    return TrainingFaces(faces.astype(np.uint8), names, (0.0,) * count)


def in_stretches(count: int) -> np.ndarray:
    """Stretches of five faces each."""
    return np.arange(count) // STRETCH


@functools.cache
def real_faces(clip: Path, frames: Sequence[int], size: int = 128) -> TrainingFaces:
    """Whole faces of frames of a clip."""
    faces: list[np.ndarray] = []
    for index in frames:
        frame = frame_of(clip, index)
        (found,) = detect_faces(frame)
        record = FaceRecord(face_type=FaceType.FULL_NO_ALIGN, landmarks=found.landmarks)
        faces.append(training_face(frame, record, face_type=FaceType.WHOLE, resolution=size))
    names = tuple(f"{index:05d}.jpg" for index in frames)
    return TrainingFaces(np.stack(faces), names, (0.0,) * len(faces))
