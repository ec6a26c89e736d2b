# pyright: strict
"""Whose faces these are: likeness of every face to the person seen most, or to a given vector.

The network that turns a face into a vector comes in as a callable, so nothing here needs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Landmarks
from dflcolab.errors import FacesetError, FormatError
from dflcolab.faceset import limits
from dflcolab.faceset.face_files import FaceFile, for_each_face, reason_of, why_not
from dflcolab.faceset.vector_cache import VectorCache
from dflcolab.progress import Progress

Vector = npt.NDArray[np.float32]
Embedder = Callable[[Image, Landmarks], Vector]
"""Picture `[H, W, 3]` BGR and the landmarks of the face in it → vector `[D]` of any length."""

SAME_PERSON = limits.SAME_PERSON.value
"""Cosine likeness from which two faces are counted as neighbours when looking for the main person."""


def embed_faces(
    paths: Sequence[Path],
    embed: Embedder,
    *,
    progress: Progress,
    cache: VectorCache | None = None,
) -> tuple[dict[str, Vector], dict[str, str]]:
    """Unit vectors of all faces by file name, and the files that have none, with the reason.

    Args:
        paths: The face files.
        embed: The network.
        progress: Shown to the user, and asked for a wish to stop.
        cache: Where vectors of an earlier run are looked up and new ones kept, also those of a run
            that was stopped.

    Raises:
        Interrupted: The user asked to stop.
    """

    def vector(face: FaceFile) -> Vector | str:
        return identity_vector(face, embed, cache=cache)

    results = for_each_face(paths, vector, progress=progress, title="Comparing identities")
    vectors: dict[str, Vector] = {}
    failed: dict[str, str] = {}
    try:
        for path, result in zip(paths, results, strict=True):
            if isinstance(result, str):
                failed[path.name] = result
            else:
                vectors[path.name] = result
    finally:
        if cache is not None:
            cache.save(complete=len(vectors) + len(failed) == len(paths))
    return vectors, failed


def identity_vector(
    face: FaceFile, embed: Embedder, *, cache: VectorCache | None = None
) -> Vector | str:
    """Unit vector of a face, or why it has none.

    Args:
        face: The file.
        embed: The network.
        cache: Where the vector is looked up first, and kept.
    """
    if face.record is None:
        return why_not(face)
    key = VectorCache.key(face.data) if cache is not None else b""
    known = cache.get(key) if cache is not None else None
    if known is not None:
        return known
    try:
        found = np.asarray(embed(face.decode(), face.record.landmarks), dtype=np.float32)
    except FormatError as error:
        return reason_of(error)
    length = float(np.linalg.norm(found))
    if not (math.isfinite(length) and length > 0):
        return "no likeness can be measured"
    unit = (found / length).ravel()
    return cache.put(key, unit) if cache is not None else unit


def main_person(vectors: Sequence[Vector]) -> Vector:
    """Unit vector at the middle of the largest group of like faces.

    The face with the most neighbours starts the group; the mean of its neighbours is refined
    twice. With two people of equal number the first one by name wins.

    Raises:
        FacesetError: There are no vectors.
    """
    if not vectors:
        raise FacesetError("No face has an identity to compare; extract the faces again.")
    table = np.stack(vectors)
    neighbours = np.zeros(len(table), dtype=np.int64)
    for start in range(0, len(table), 2048):
        rows = slice(start, start + 2048)
        neighbours[rows] = (table[rows] @ table.T >= SAME_PERSON).sum(axis=1)
    middle = table[int(np.argmax(neighbours))]
    for _ in range(3):
        group = table[table @ middle >= SAME_PERSON]
        if len(group) == 0:
            break
        middle = group.mean(axis=0)
        middle /= max(float(np.linalg.norm(middle)), 1e-9)
    return middle


def likeness(vectors: Mapping[str, Vector], person: Vector) -> dict[str, float]:
    """Cosine likeness of every face to a person, -1..1; above about 0.5 it is the same one."""
    return {name: float(vector @ person) for name, vector in vectors.items()}
