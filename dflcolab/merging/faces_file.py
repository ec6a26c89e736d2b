# pyright: strict
"""The faces that a merge replaced, kept beside the merged frames for other programs.

`merged/faces.npz` holds for every face of the last run its frame, face file, model and the landmarks
that it was really put in by, after all smoothing.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.errors import WorkspaceError
from dflcolab.faces.face_type import FaceType
from dflcolab.files import storage_errors, write_bytes

FILE_NAME = "faces.npz"
"""Name of the file in the folder of merged frames."""


@dataclass(frozen=True, eq=False)
class MergedFace:
    """One replaced face.

    Attributes:
        stem: Its frame.
        name: Its face file; "" if not known.
        landmarks: `[68, 2]`, frame pixels.
        model: Name of the model.
        resolution: Side of the model's crop in pixels.
        face_type: Extent of the model's crop.
    """

    stem: str
    name: str
    landmarks: Landmarks
    model: str
    resolution: int
    face_type: FaceType


def write_merged_faces(folder: Path, faces: Sequence[MergedFace]) -> None:
    """Keep the faces of a run; replaces those of the run before."""
    stream = io.BytesIO()
    points = [face.landmarks for face in faces]
    np.savez(
        stream,
        stem=np.array([face.stem for face in faces], np.str_),
        name=np.array([face.name for face in faces], np.str_),
        landmarks=np.stack(points) if points else np.zeros((0, 68, 2), np.float32),
        model=np.array([face.model for face in faces], np.str_),
        resolution=np.array([face.resolution for face in faces], np.int64),
        face_type=np.array([face.face_type.value for face in faces], np.str_),
    )
    path = folder / FILE_NAME
    with storage_errors(path):
        write_bytes(path, stream.getvalue(), durable=False)


def read_merged_faces(folder: Path) -> list[MergedFace]:
    """What `write_merged_faces` kept.

    Raises:
        WorkspaceError: There is no such file, or it is damaged.
    """
    path = folder / FILE_NAME
    try:
        with storage_errors(path), np.load(path, allow_pickle=False) as kept:
            columns = {name: kept[name] for name in kept.files}
        return [
            MergedFace(str(stem), str(name), points, str(model), int(size), FaceType(str(kind)))
            for stem, name, points, model, size, kind in zip(
                columns["stem"],
                columns["name"],
                columns["landmarks"],
                columns["model"],
                columns["resolution"],
                columns["face_type"],
                strict=True,
            )
        ]
    except (FileNotFoundError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise WorkspaceError(
            f"{path}, which says where the merged faces are, is missing or damaged; run "
            "`dflcolab merge` once more (finished frames are kept)."
        ) from error
