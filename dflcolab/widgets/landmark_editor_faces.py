# pyright: strict
"""The faces behind the landmark editor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dflcolab.arrays import Landmarks
from dflcolab.errors import FacesetError
from dflcolab.faceset.face_files import FaceFile, for_each_face, loose_faces, read_face_head
from dflcolab.faceset.stretches import Frame, frame_of
from dflcolab.pipeline.hand_landmarks import BY_HAND
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace


@dataclass(eq=False)
class KnownFace:
    """What is remembered of a face file.

    Attributes:
        path: The file.
        stem: Name of its frame without ending.
        frame: Video and number of the frame.
        points: `[68, 2]`, frame pixels.
        by_hand: Somebody has set its landmarks.
    """

    path: Path
    stem: str
    frame: Frame
    points: Landmarks
    by_hand: bool

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name

    @property
    def extent(self) -> float:
        """Larger side of the box around the points, in pixels."""
        return float((self.points.max(axis=0) - self.points.min(axis=0)).max())


def known_faces(workspace: Workspace, side: Side, *, progress: Progress) -> list[KnownFace]:
    """All faces of a side that say where they are in their frame, by name.

    Raises:
        FacesetError: There are none, or they are packed.
        WorkspaceError: The folder is missing.
        Interrupted: The user asked to stop.
    """
    paths = loose_faces(workspace, side)
    heads = for_each_face(
        paths, _known, progress=progress, title="Reading faces", read=read_face_head
    )
    found = [face for face in heads if face is not None]
    if not found:
        raise FacesetError(
            f"None of the {len(paths)} pictures in {workspace.aligned_dir(side)} says where its face "
            "is in a frame, so no landmarks can be set; run extract again."
        )
    return found


def known_face(path: Path) -> KnownFace | None:
    """One face file; None if it is damaged, or does not say where the face is in a frame."""
    return _known(read_face_head(path))


def _known(file: FaceFile) -> KnownFace | None:
    record = file.record
    if record is None or record.source_landmarks is None or record.source_filename is None:
        return None
    return KnownFace(
        file.path,
        Path(record.source_filename).stem,
        frame_of(record.source_filename),
        record.source_landmarks,
        record.provenance.get("landmarks") == BY_HAND,
    )
