"""Measures of made-up faces, for tests of what is said about them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.geometry import table
from dflcolab.faces.pose import Pose
from dflcolab.faceset.measures import FaceMeasure, Light, face_points

HEAD = table("model_3d_68")[:, :2]
"""Landmarks of the model head seen from the front, any unit."""


def face(
    name: str = "a.jpg",
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    mouth: float = 0.1,
    eyes: float = 0.3,
    brightness: float = 0.5,
    contrast: float = 0.15,
    dark: float = 0.0,
    bright: float = 0.0,
    left: float = 0.0,
    above: float = 0.0,
    color: tuple[float, float] = (10.0, 15.0),
    sharpness: float = 0.0,
    frame_pixels: float = 200.0,
    frame: str = "00001.png",
    points: np.ndarray = HEAD,
    face_type: FaceType = FaceType.WHOLE,
    enlarged: float = 1.0,
    **record: Any,
) -> FaceMeasure:
    """One face; angles in degrees."""
    landmarks = np.asarray(points, np.float32) + 128
    return FaceMeasure(
        Path(name),
        record=FaceRecord(
            landmarks=landmarks,
            source_landmarks=landmarks / enlarged,
            source_filename=frame,
            face_type=face_type,
            **record,
        ),
        size=256,
        pose=Pose(math.radians(pitch), math.radians(yaw), 0.0),
        sharpness=sharpness,
        light=Light(brightness, contrast, dark, bright, left, above, color),
        frame_pixels=frame_pixels,
        mouth=mouth,
        eyes=eyes,
        points=face_points(landmarks),
        thumbnail=np.zeros((32, 32), np.float32),
    )


def complete_set(count: int = 600) -> list[FaceMeasure]:
    """Faces of all poses, lights and expressions, with masks."""
    generator = np.random.default_rng(0)
    return [
        face(
            f"{i:05d}.jpg",
            frame=f"{i:05d}.png",
            yaw=generator.uniform(-75, 75),
            pitch=generator.uniform(-40, 40),
            mouth=generator.uniform(0, 0.6),
            eyes=generator.uniform(0, 0.4),
            brightness=generator.uniform(0.3, 0.7),
            left=generator.uniform(-0.2, 0.2),
            above=generator.uniform(-0.2, 0.2),
            xseg_mask=b"mask",
        )
        for i in range(count)
    ]
