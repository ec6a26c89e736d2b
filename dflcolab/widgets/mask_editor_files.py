# pyright: strict
"""The face files behind the mask editor: what there is, and outlines written at once and safely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.errors import FacesetError
from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.guesses import GuessKind, guess_kind, with_guess, without_guess_mark
from dflcolab.faceset.face_files import FaceFile, for_each_face, loose_faces, read_face_head
from dflcolab.faceset.folder_lock import alone_in
from dflcolab.faceset.stretches import Frame, frame_of
from dflcolab.formats.dfl_jpeg import Face, read_face, replace_record
from dflcolab.progress import Progress
from dflcolab.widgets.patience import Patience
from dflcolab.workspace.workspace import Side, Workspace


@dataclass(eq=False)
class KnownFace:
    """What is remembered of a face that may be edited.

    Attributes:
        name: File name.
        path: The file.
        frame: Where the face is from.
        landmarks: `[68, 2]` in its picture; they tell it from other faces of that name.
        middle: Of the face in the frame, in pixels: tells apart the people of a frame.
        labelled: It has outlines.
        guessed: They were made by a program, and nobody has agreed to them yet.
    """

    name: str
    path: Path
    frame: Frame
    landmarks: Landmarks
    middle: tuple[float, float]
    labelled: bool
    guessed: bool


class MaskFiles:
    """The loose faces of a side, by name.

    Attributes:
        folder: The `aligned` folder.
        faces: In the order of their names.
        problems: Files that are left out, one sentence each.

    Raises:
        FacesetError: There are none, or they are packed.
        WorkspaceError: The folder is missing.
        Interrupted: The user asked to stop.
    """

    def __init__(self, workspace: Workspace, side: Side, *, progress: Progress) -> None:
        self.folder = workspace.aligned_dir(side)
        self.faces: list[KnownFace] = []
        self.problems: list[str] = []
        paths = loose_faces(workspace, side)
        files = for_each_face(
            paths, _known, progress=progress, title="Reading labels", read=read_face_head
        )
        for found in files:
            if isinstance(found, KnownFace):
                self.faces.append(found)
            else:
                self.problems.append(found)
        if not self.faces:
            raise FacesetError(
                f"None of the {len(paths)} pictures in {self.folder} is a face file; run "
                f"`dflcolab extract -w {workspace.root} --side {side.value}` first."
            )

    def read(self, face: KnownFace) -> Face:
        """A face with its present outlines.

        Raises:
            FormatError: The file is missing or damaged.
            FacesetError: It holds another face by now.
        """
        found = read_face(face.path)
        if not np.array_equal(found.record.landmarks, face.landmarks):
            raise FacesetError(
                f"{face.path} is another face than before (a sort?); run the editor's cell again."
            )
        face.labelled = found.record.has_points
        face.guessed = guess_kind(found.record) is not None
        return found

    def write(
        self, face: KnownFace, polygons: Sequence[Polygon], guess: GuessKind | None
    ) -> tuple[Polygon, ...]:
        """Store outlines in the face's file; its picture and all else in it stay as they are.

        Args:
            face: Whose outlines.
            polygons: The outlines.
            guess: What a program made them from; None for drawn ones.

        Returns:
            The outlines that the file had until now.

        Raises:
            FormatError: The file is missing or damaged, or has no room for that many points.
            FacesetError: It holds another face by now, or another program works on the faces.
            StorageError: The disk is full or read-only.
        """
        with alone_in(self.folder, progress=Patience(self.folder)):
            record = self.read(face).record
            new = record.replace(polygons=tuple(polygons))
            new = with_guess(new, new.polygons, guess) if guess else without_guess_mark(new)
            replace_record(face.path, new)
        return record.polygons

    def accept(self, face: KnownFace) -> None:
        """Count the face's outlines as drawn.

        Raises:
            FormatError: As `write`, and so the other errors.
        """
        with alone_in(self.folder, progress=Patience(self.folder)):
            replace_record(face.path, without_guess_mark(self.read(face).record))


def _known(file: FaceFile) -> KnownFace | str:
    """What is remembered of a file; a sentence where it is no face."""
    record = file.record
    if file.problem or record is None:
        return file.problem or f"{file.path} has no face metadata and so takes no outlines."
    name = file.path.name
    return KnownFace(
        name,
        file.path,
        frame_of(record.source_filename or name),
        record.landmarks,
        _middle(record),
        record.has_points,
        guess_kind(record) is not None,
    )


def _middle(record: FaceRecord) -> tuple[float, float]:
    points = record.source_landmarks
    if points is None:
        return 0.0, 0.0
    x, y = points.mean(axis=0).tolist()
    return x, y


def same_polygons(a: Sequence[Polygon], b: Sequence[Polygon]) -> bool:
    """True if both are equal to the last bit."""
    return len(a) == len(b) and all(
        p.include is q.include and np.array_equal(p.points, q.points)
        for p, q in zip(a, b, strict=True)
    )
