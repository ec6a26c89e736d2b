# pyright: strict
"""What the gallery can filter by: measures of the faces, who they are, and what `clean` says."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dflcolab.errors import FacesetError
from dflcolab.faces.pose import pose
from dflcolab.faceset.config import CleanConfig
from dflcolab.faceset.face_files import (
    FaceFile,
    for_each_face,
    loose_faces,
    read_face_head,
)
from dflcolab.faceset.face_source import open_faces
from dflcolab.faceset.identity import embed_faces
from dflcolab.faceset.measures import expression, frame_pixels
from dflcolab.faceset.people import Person
from dflcolab.faceset.person_choice import judge_identity
from dflcolab.faceset.tracks import find_tracks
from dflcolab.faceset.vector_cache import FILE_NAME, VectorCache
from dflcolab.pipeline.clean import clean
from dflcolab.pipeline.clean_report import RemovedFace
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace

MEASURES: dict[str, str] = {
    "yaw": "turn left or right (degrees)",
    "pitch": "turn up or down (degrees)",
    "size": "size in the frame (pixels)",
    "mouth": "mouth open (0 is shut)",
    "eyes": "eyes open (below 0.15 shut)",
}
"""What is told from a file's head alone, so that 10,000 faces take seconds."""


def measure_heads(folder: Path, *, progress: Progress) -> dict[str, dict[str, float]]:
    """Every measure of every face, by its name in the folder; NaN where a file does not tell.

    Works on packs and people's folders too.

    Raises:
        FacesetError: There are no faces.
        Interrupted: The user asked to stop.
    """
    with open_faces(folder, progress=progress) as source:
        read: Callable[[Path], FaceFile] = source.read if source.packed else read_face_head
        rows = for_each_face(
            source.paths, _measured, progress=progress, title="Measuring faces", read=read
        )
        return dict(zip(map(source.name, source.paths), rows, strict=True))


def find_people_of(workspace: Workspace, side: Side, *, progress: Progress) -> tuple[Person, ...]:
    """Who is in a side's faces; vectors of earlier runs are used again (else about 20 ms a face).

    Raises:
        FacesetError: There are no faces, or they are packed, or none can be told.
        Interrupted: The user asked to stop.
    """
    from dflcolab.detection.embedding import embed_face
    from dflcolab.detection.models import EMBEDDING

    paths = loose_faces(workspace, side)
    cache = VectorCache(workspace.frames_dir(side) / FILE_NAME, EMBEDDING)
    vectors, _ = embed_faces(paths, embed_face, progress=progress, cache=cache)
    if not vectors:
        raise FacesetError(f"No face in {workspace.aligned_dir(side)} can be told from others.")
    heads = for_each_face(
        paths, lambda face: face, progress=progress, title="Reading faces", read=read_face_head
    )
    records = {face.path.name: face.record for face in heads if face.record is not None}
    return judge_identity(vectors, find_tracks(records, vectors)).people


def doubtful_faces(
    workspace: Workspace, side: Side, *, progress: Progress
) -> tuple[RemovedFace, ...]:
    """What `clean` would remove with its usual checks of the side, worst first; nothing is moved.

    Raises:
        FacesetError: There are no faces, or they are packed.
        Interrupted: The user asked to stop.
    """
    return clean(workspace, CleanConfig(side=side, dry_run=True), progress=progress).removed


def _measured(face: FaceFile) -> dict[str, float]:
    record = face.record
    if record is None or not np.isfinite(record.landmarks).all():
        return dict.fromkeys(MEASURES, math.nan)
    turned = pose(record.landmarks, face.size)
    mouth, eyes = expression(record.landmarks)
    pixels = frame_pixels(record)
    return {
        "yaw": math.degrees(turned.yaw),
        "pitch": math.degrees(turned.pitch),
        "size": math.nan if pixels is None else pixels,
        "mouth": mouth,
        "eyes": eyes,
    }


def as_floats(values: list[float]) -> npt.NDArray[np.float32]:
    """Little-endian float32, as a page reads them from a buffer."""
    return np.asarray(values, "<f4")
