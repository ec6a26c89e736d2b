"""The identity of a person from pictures that somebody names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dflcolab.detection.embedding import embed_face
from dflcolab.detection.faces import detect_faces
from dflcolab.detection.geometry import FloatArray
from dflcolab.errors import ConfigError
from dflcolab.media.frame_sequence import read_image


def reference_person(pictures: Sequence[Path]) -> FloatArray:
    """Unit vector at the middle of the largest faces of some pictures of one person.

    Args:
        pictures: Photographs or face files, at least one.

    Raises:
        ConfigError: A picture is missing or shows no face.
        FormatError: A picture is damaged.
    """
    vectors = [_largest_face(picture) for picture in pictures]
    middle = np.mean(vectors, axis=0)
    return (middle / max(float(np.linalg.norm(middle)), 1e-12)).astype(np.float32)


def _largest_face(picture: Path) -> FloatArray:
    if not picture.is_file():
        raise ConfigError(f"There is no picture {picture}; give the path of one.")
    image = read_image(picture)
    found = detect_faces(image)
    if not found:
        raise ConfigError(f"No face was found in {picture}; give another picture of the person.")
    largest = max(found, key=lambda face: float(np.ptp(face.landmarks, axis=0).max()))
    return embed_face(image, largest.landmarks)
