"""Face files for tests, made in memory from noise and the mean face, or taken from the vectors."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.face_type import FaceType
from dflcolab.formats.dfl_jpeg import embed, encode_xseg_mask
from tests.faces.sample_faces import frontal_face

VECTORS = Path(__file__).parents[1] / "data" / "vectors" / "imaging"
REAL_FACE = VECTORS / "dfljpg" / "wf256_all_keys.jpg"


def jpeg(size: int = 64, seed: int = 0, *options: int) -> bytes:
    """A JPEG file of smooth noise, without metadata."""
    noise = np.random.default_rng(seed).uniform(0, 255, (8, 8, 3)).astype(np.uint8)
    picture = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", picture, list(options))[1].tobytes()


def record(*, mask: bool = False, polygons: bool = False, **changes) -> FaceRecord:
    """A whole-face record of the mean face."""
    source = frontal_face()
    matrix = alignment_matrix(source, 64, FaceType.WHOLE)
    square = np.array([[10, 10], [50, 10], [50, 50.5]], np.float32)
    found = FaceRecord(
        face_type=FaceType.WHOLE,
        landmarks=transform_points(source, matrix),
        source_filename="00042.png",
        source_rect=np.array([60, 40, 160, 140]),
        source_landmarks=source,
        image_to_face_mat=matrix,
        polygons=(Polygon(True, square), Polygon(False, square[:1])) if polygons else (),
        xseg_mask=encode_xseg_mask(np.eye(32, dtype=np.float32)) if mask else None,
    )
    return found.replace(**changes)


def face_file(folder: Path, name: str, *, seed: int = 0, size: int = 64, **changes) -> Path:
    """Write a face file into a folder."""
    path = folder / name
    path.write_bytes(embed(jpeg(size, seed), record(**changes)))
    return path
