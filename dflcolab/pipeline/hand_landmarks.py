# pyright: strict
"""Landmarks that somebody has set: the faces are cut out of their frames anew.

The earlier face file goes to the trash, the new one takes its name. Outlines and masks are taken along:
they belong to the picture, whatever the landmarks say. A kill in between leaves the face in the trash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.errors import FacesetError
from dflcolab.extraction.config import ExtractConfig
from dflcolab.extraction.debug_pictures import stems_of_pictures
from dflcolab.extraction.report import Stopwatch
from dflcolab.extraction.sources import SourceFrame
from dflcolab.extraction.writing import FaceWriter, PlacedFace
from dflcolab.faces.alignment import invert_transform, transform_points
from dflcolab.faces.conversion import compose
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.guesses import guess_kind, with_guess
from dflcolab.faceset.convert import with_warped_mask
from dflcolab.faceset.folder_lock import alone_in
from dflcolab.files import write_bytes
from dflcolab.formats.dfl_jpeg import Face, embed, face_from_bytes, read_face
from dflcolab.progress import Progress
from dflcolab.workspace.trash import BY_LANDMARKS, Removal, Trash, TrashEntry
from dflcolab.workspace.workspace import Side, Workspace

BY_HAND = "by hand"
BETWEEN = "between two that were set by hand"
_SMALLEST = 4.0  # pixels that the landmarks extend; no face is smaller


@dataclass(frozen=True, eq=False)
class HandFace:
    """A face that gets other landmarks.

    Attributes:
        landmarks: `[68, 2]`, frame pixels.
        path: Its present file, whose type and size it keeps; None where the frame has no file of it.
        how: `BY_HAND`, or `BETWEEN`; stored with the face.
    """

    landmarks: Landmarks
    path: Path | None = None
    how: str = BY_HAND


@dataclass
class Change:
    """What was done, and all that is needed to take it back.

    Attributes:
        written: The new face files.
        entries: The earlier ones, in the trash.
    """

    written: list[Path] = field(default_factory=list[Path])
    entries: list[TrashEntry] = field(default_factory=list[TrashEntry])


def set_landmarks(
    workspace: Workspace,
    side: Side,
    frames: Iterable[tuple[SourceFrame, Sequence[HandFace]]],
    *,
    pattern: Path,
    beside: Mapping[str, Sequence[Path]],
    change: Change,
    progress: Progress,
) -> None:
    """Cut faces out of their frames by these landmarks.

    Args:
        workspace: Where the side is.
        side: Whose faces.
        frames: Each frame with those of its faces that change.
        pattern: A face file of the side: faces without a file get its type and size.
        beside: Other face files of the frames, by the frames' names without ending; they are drawn
            into the debug pictures as well.
        change: Told what was done, also where the work ends early.
        progress: Waits for other programs, and carries the wish to stop after the present frame.

    Raises:
        FacesetError: Landmarks are no face's (on one point, outside of the frame), or another program
            works on the faces. What was changed before that is in `change`.
        FormatError: A present file is damaged.
        StorageError: The disk is full or read-only; nothing is lost.
    """
    folder = workspace.aligned_dir(side)
    pictured = stems_of_pictures(workspace.debug_dir(side))
    trash = Trash.of(workspace, side)
    with alone_in(folder, progress=progress):
        for frame, faces in frames:
            for face in faces:
                check_landmarks(face.landmarks, *frame.image.shape[1::-1])
            paths = [_put(frame, face, pattern, trash, change, workspace, side) for face in faces]
            if frame.stem in pictured:
                _draw(frame, [*paths, *beside.get(frame.stem, ())], workspace, side)
            progress.raise_if_stopped()


def take_back(workspace: Workspace, side: Side, change: Change, *, progress: Progress) -> None:
    """Put the earlier faces in place of those that a change wrote; these go to the trash.

    Raises:
        FacesetError: Another program works on the faces.
        StorageError: The disk is full or read-only; nothing is lost.
    """
    trash = Trash.of(workspace, side)
    with alone_in(trash.home, progress=progress):
        trash.move([Removal(path, f"{BY_LANDMARKS}: taken back") for path in change.written])
        trash.restore(change.entries)


def check_landmarks(points: Landmarks, width: int, height: int) -> None:
    """Refuse landmarks that are no face in a frame of this size.

    Raises:
        FacesetError: They are.
    """
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise FacesetError("These are not 68 points; set them again.")
    low, high = points.min(axis=0), points.max(axis=0)
    if float((high - low).min()) < _SMALLEST:
        raise FacesetError("These landmarks lie on one spot; pull them apart and save again.")
    middle = points.mean(axis=0)
    if not (0 <= middle[0] < width and 0 <= middle[1] < height):
        raise FacesetError("These landmarks lie outside of the frame; move them onto the face.")


def points_between(
    first: tuple[int, Landmarks], last: tuple[int, Landmarks], number: int
) -> Landmarks:
    """Landmarks in a frame between two, on straight lines at even speed. `[68, 2]`.

    Args:
        first: Number of a frame, and the landmarks there.
        last: The same for a later one.
        number: Of the frame between.
    """
    share = (number - first[0]) / (last[0] - first[0])
    return ((1.0 - share) * first[1] + share * last[1]).astype(np.float32)


def _put(
    frame: SourceFrame,
    face: HandFace,
    pattern: Path,
    trash: Trash,
    change: Change,
    workspace: Workspace,
    side: Side,
) -> Path:
    """Write one face; its file."""
    old = read_face(face.path or pattern)
    writer = _writer(old, workspace, side)
    box = PlacedFace.by_hand(face.landmarks).box
    content = writer.encoded(frame, PlacedFace(face.landmarks, box, {"landmarks": face.how}))
    if face.path is None:
        path = writer.add(frame, [content])[0]
    else:
        content = _with_masks(old, content)
        path = face.path
        change.entries += trash.move([Removal(path, BY_LANDMARKS)])
        write_bytes(path, content)
    change.written.append(path)
    return path


def _writer(face: Face, workspace: Workspace, side: Side) -> FaceWriter:
    """Writes faces of the same type and size as this one."""
    usual = ExtractConfig(side=side)
    return FaceWriter(
        aligned_dir=workspace.aligned_dir(side),
        debug_dir=workspace.debug_dir(side),
        face_type=face.record.assumed_face_type,
        size=face.width,
        jpeg_quality=usual.jpeg_quality,
        antialias=usual.antialias,
        watch=Stopwatch(),
    )


def _with_masks(old: Face, content: bytes) -> bytes:
    """The new face file with the outlines and the mask of the old one, brought to its crop."""
    record = old.record
    new = face_from_bytes(content, old.name)
    if record.image_to_face_mat is None or new.record.image_to_face_mat is None:
        return content
    matrix = compose(new.record.image_to_face_mat, invert_transform(record.image_to_face_mat))
    polygons = tuple(
        Polygon(polygon.include, transform_points(polygon.points, matrix))
        for polygon in record.polygons
    )
    warped = with_warped_mask(record, matrix, old.width, new.width, old.name)
    carried = new.record.replace(
        polygons=polygons,
        xseg_mask=warped.xseg_mask,
        eyebrows_expand_mod=record.eyebrows_expand_mod,
    )
    guessed = guess_kind(record)
    return embed(content, with_guess(carried, polygons, guessed) if guessed else carried)


def _draw(frame: SourceFrame, paths: Sequence[Path], workspace: Workspace, side: Side) -> None:
    """Draw the debug picture of a frame anew."""
    faces = [read_face(path) for path in paths]
    placed = [
        PlacedFace.by_hand(face.record.source_landmarks)
        for face in faces
        if face.record.source_landmarks is not None
    ]
    _writer(faces[0], workspace, side).write_debug(frame, placed)
