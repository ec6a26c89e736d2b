"""The identity of a person from pictures that somebody names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dflcolab.detection.embedding import embed_face
from dflcolab.detection.faces import detect_faces
from dflcolab.detection.geometry import FloatArray
from dflcolab.errors import ConfigError
from dflcolab.faceset.face_files import read_face_file
from dflcolab.files import list_files
from dflcolab.media.frame_sequence import FRAME_SUFFIXES, read_image


def reference_faces(places: Sequence[Path]) -> list[FloatArray]:
    """Identity vectors of the largest faces of some pictures of one person.

    Args:
        places: Photographs, face files, or folders of them; at least one.

    Raises:
        ConfigError: A picture is missing or shows no face, or a folder holds none.
        FormatError: A picture is damaged.
    """
    return [_largest_face(picture) for place in places for picture in _pictures(place)]


def reference_person(places: Sequence[Path]) -> FloatArray:
    """Unit vector at the middle of `reference_faces`; raises what that raises."""
    middle = np.mean(reference_faces(places), axis=0)
    return (middle / max(float(np.linalg.norm(middle)), 1e-12)).astype(np.float32)


def _pictures(place: Path) -> list[Path]:
    """The picture itself, or those of a folder."""
    if place.is_dir():
        found = list_files(place, FRAME_SUFFIXES)
        if not found:
            raise ConfigError(
                f"There are no pictures in {place}; give another folder or a picture."
            )
        return found
    if not place.is_file():
        raise ConfigError(f"There is no picture {place}; give the path of a picture or a folder.")
    return [place]


def _largest_face(picture: Path) -> FloatArray:
    face = read_face_file(picture)
    if face.record is not None and face.record.landmarks.shape == (68, 2):
        return embed_face(face.decode(), face.record.landmarks)
    image = read_image(picture)
    found = detect_faces(image)
    if not found:
        raise ConfigError(f"No face was found in {picture}; give another picture of the person.")
    largest = max(found, key=lambda one: float(np.ptp(one.landmarks, axis=0).max()))
    return embed_face(image, largest.landmarks)
