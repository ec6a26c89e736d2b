"""Small frames with a face for the merging tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from dflcolab.faces.face_type import FaceType
from dflcolab.merging.face import FaceToMerge, Prediction
from tests.parity.vector_cases import load_json

_MERGE = Path(__file__).parents[1] / "data" / "vectors" / "imaging" / "merge"


@cache
def _entry() -> dict:
    return load_json(_MERGE / "merge.json")["frames"]["m_obama"]


@cache
def portrait() -> np.ndarray:
    """A real face, 176 x 190."""
    return cv2.imread(str(_MERGE / _entry()["file"]))


LANDMARKS = np.add(_entry()["faces_landmarks"][0], (120, 60), dtype=np.float32)
"""Landmarks of the face in `frame()`."""


def frame() -> np.ndarray:
    """The portrait somewhere in a larger frame, 420 x 320."""
    canvas = noise_frame()
    picture = portrait()
    canvas[60 : 60 + picture.shape[0], 120 : 120 + picture.shape[1]] = picture
    return canvas


def noise_frame() -> np.ndarray:
    """Soft noise, 420 x 320."""
    noise = np.random.default_rng(1).integers(0, 256, (320, 420, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def moved(landmarks: np.ndarray, shift: tuple[float, float], scale: float = 1.0) -> np.ndarray:
    """Landmarks scaled about their middle and shifted."""
    middle = landmarks.mean(axis=0)
    return ((landmarks - middle) * scale + middle + shift).astype(np.float32)


def green_face(size: int = 64, mask: float = 1.0) -> Prediction:
    """A prediction that cannot be mistaken: pure green inside an ellipse."""
    swap = np.zeros((size, size, 3), np.float32)
    swap[..., 1] = 1.0
    plane = np.zeros((size, size), np.float32)
    cv2.ellipse(plane, (size // 2, size // 2), (size // 4, size // 3), 0, 0, 360, mask, -1)
    return Prediction(swap, plane[..., None], plane[..., None])


def green_at(landmarks: np.ndarray, size: int = 64) -> FaceToMerge:
    return FaceToMerge(landmarks, green_face(size))


WHOLE = FaceType.WHOLE
