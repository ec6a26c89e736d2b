# pyright: strict
"""What the landmark editor can do, without any page: show a face in its frame, save, undo, fill between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from dflcolab.arrays import Image, Landmarks
from dflcolab.errors import FacesetError
from dflcolab.extraction.journal import FILE_NAME, peek
from dflcolab.extraction.sources import SourceFrame, stem_of_key
from dflcolab.faceset.stretches import frame_of
from dflcolab.pipeline.hand_landmarks import (
    BETWEEN,
    Change,
    HandFace,
    points_between,
    set_landmarks,
    take_back,
)
from dflcolab.progress import Progress
from dflcolab.widgets.landmark_editor_faces import KnownFace, known_face, known_faces
from dflcolab.widgets.patience import Patience
from dflcolab.widgets.side_frames import SideFrames
from dflcolab.workspace.workspace import Side, Workspace

VIEWS = (2.4, 5.0, 12.0)
"""Side of the shown part of the frame, in extents of the face: near, wider, far."""

_SHOWN = 720  # pixels of the page's picture, at most
_AHEAD = 12  # faces whose frames are read along
_MOST_BETWEEN = 1000


@dataclass(frozen=True, eq=False)
class Shown:
    """A face in a part of its frame.

    Attributes:
        face: Which one.
        place: Its place in the list, from 0.
        jpeg: The part of the frame.
        left: Frame pixels left of the part.
        top: Frame pixels above it.
        scale: Pixels of the picture per pixel of the frame.
        before: The last face before it in the same video whose landmarks were set by hand, if the
            frames between can be filled; else None.
    """

    face: KnownFace
    place: int
    jpeg: bytes
    left: int
    top: int
    scale: float
    before: KnownFace | None


class LandmarkDesk:
    """The faces of one side, their frames, and what was changed.

    Args:
        workspace: Where they are.
        side: Whose faces.
        names: Only these files, in this order; all of the side if None.
        progress: Shows the reading of the faces and carries the wish to stop.

    Raises:
        FacesetError: There are no faces, they are packed, or a name is none of theirs.
        WorkspaceError: The folder is missing.
        MediaError: A video is none.
        Interrupted: The user asked to stop.
    """

    def __init__(
        self,
        workspace: Workspace,
        side: Side,
        *,
        names: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.workspace = workspace
        self.side = side
        found = known_faces(workspace, side, progress=progress or Progress())
        self.all = {face.name: face for face in found}
        self.names = list(self.all) if names is None else [self.face(name).name for name in names]
        if not self.names:
            raise FacesetError("No face was named, so there is nothing to edit.")
        self._frames = SideFrames(workspace, side)
        self._done: list[Change] = []

    @property
    def undo_count(self) -> int:
        """Faces that the next `undo` would change."""
        return len(self._done[-1].written) if self._done else 0

    def face(self, name: object) -> KnownFace:
        """The face of that name.

        Raises:
            FacesetError: The name is none of a face of the side.
        """
        face = self.all.get(name) if isinstance(name, str) else None
        if face is None:
            raise FacesetError(
                f"{str(name)[:80]!r} is no face in {self.workspace.aligned_dir(self.side)}; run the "
                "editor's cell again."
            )
        return face

    def show(self, name: object, view: int = 0) -> Shown:
        """A face in a part of its frame.

        Args:
            name: Its file name.
            view: Index into `VIEWS`.

        Raises:
            FacesetError: There is no such face, or its frame is gone.
        """
        face = self._same(self.face(name))
        place = self.names.index(face.name) if face.name in self.names else 0
        ahead = [self.all[other].stem for other in self.names[place + 1 :][:_AHEAD]]
        frame = self._frames.get(face.stem, ahead)
        reach = VIEWS[min(max(view, 0), len(VIEWS) - 1)] * max(face.extent, 16.0) / 2
        part, left, top = _part(frame.image, face.points, reach)
        scale = min(8.0, _SHOWN / max(part.shape[:2]))
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        picture = cv2.resize(
            part, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        )
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        return Shown(face, place, jpeg, left, top, scale, self._before(face))

    def save(self, name: object, points: object) -> None:
        """Cut the face out of its frame by other landmarks; the earlier file goes to the trash.

        Args:
            name: The face.
            points: 68 pairs of frame pixels.

        Raises:
            FacesetError: They are no landmarks, the frame is gone, or another program works on the
                faces.
            StorageError: The disk is full or read-only; nothing is lost.
        """
        face = self._same(self.face(name))
        landmarks = _landmarks(points)
        frame = self._frames.get(face.stem)
        self._change([(frame, [HandFace(landmarks, face.path)])], face, Patience(face.path.parent))

    def fill_between(self, name: object, *, progress: Progress) -> int:
        """Set the landmarks of all frames between this face and the last one before it set by hand.

        Points move on straight lines. In each frame the face nearest to them is cut out anew; a frame
        that was looked at and has none gets one.

        Returns:
            Number of faces that were set.

        Raises:
            FacesetError: No face before it was set by hand, or this one was not; or the frames or
                faces are in use or gone.
            Interrupted: The user asked to stop; what was done can be undone.
        """
        last = self._same(self.face(name))
        first = self._before(last)
        if first is None:
            raise FacesetError(
                "Save this face and one before it in the same video by hand first; then the frames "
                f"between them (at most {_MOST_BETWEEN}) can be filled."
            )
        self._same(first)
        wanted = self._faces_between(first, last)
        if not wanted:
            return 0

        def frames() -> Generator[tuple[SourceFrame, Sequence[HandFace]]]:
            with progress.task("Setting landmarks", total=len(wanted), unit="frames") as task:
                for frame in self._frames.read(wanted):
                    yield frame, [wanted[frame.stem]]
                    task.advance()

        return len(self._change(frames(), last, progress).written)

    def undo(self) -> int:
        """Take the last change back; how many faces that are.

        Raises:
            FacesetError: Another program works on the faces.
            StorageError: The disk is full or read-only; nothing is lost.
        """
        if not self._done:
            return 0
        change = self._done[-1]
        folder = self.workspace.aligned_dir(self.side)
        take_back(self.workspace, self.side, change, progress=Patience(folder))
        self._done.pop()
        for path in change.written:
            self._learn(path)
        return len(change.written)

    def _change(
        self,
        frames: Iterable[tuple[SourceFrame, Sequence[HandFace]]],
        pattern: KnownFace,
        progress: Progress,
    ) -> Change:
        beside: dict[str, list[Path]] = defaultdict(list)
        for face in self.all.values():
            beside[face.stem].append(face.path)

        def alone() -> Generator[tuple[SourceFrame, Sequence[HandFace]]]:
            for frame, faces in frames:
                changed = {face.path for face in faces}
                beside[frame.stem] = [one for one in beside[frame.stem] if one not in changed]
                yield frame, faces

        change = Change()
        try:
            set_landmarks(
                self.workspace,
                self.side,
                alone(),
                pattern=pattern.path,
                beside=beside,
                progress=progress,
                change=change,
            )
        finally:  # also what was done before a stop can be undone
            if change.written:
                self._done.append(change)
            for path in change.written:
                self._learn(path)
        return change

    def _learn(self, path: Path) -> None:
        """Look at a file anew after it was written or has gone."""
        face = known_face(path) if path.exists() else None
        if face is not None:
            self.all[path.name] = face
            if path.name not in self.names:
                self.names.append(path.name)
        else:
            self.all.pop(path.name, None)
            if path.name in self.names:
                self.names.remove(path.name)

    def _same(self, face: KnownFace) -> KnownFace:
        """The face, if its file is still the one that was listed."""
        now = known_face(face.path) if face.path.exists() else None
        if now is None or not np.array_equal(now.points, face.points):
            raise FacesetError(
                f"{face.name} is another face than before (a sort?); run the editor's cell again."
            )
        return face

    def _before(self, face: KnownFace) -> KnownFace | None:
        earlier = [
            other
            for other in self.all.values()
            if other.by_hand
            and other.frame.video == face.frame.video
            and 1 < face.frame.number - other.frame.number <= _MOST_BETWEEN
        ]
        if not (face.by_hand and face.frame.numbered and earlier):
            return None
        newest = max(other.frame.number for other in earlier)
        return min(
            (other for other in earlier if other.frame.number == newest),
            key=_distance_to(face.points),
        )

    def _faces_between(self, first: KnownFace, last: KnownFace) -> dict[str, HandFace]:
        """What to set in every frame between two faces, by the frames' names."""
        ends = ((first.frame.number, first.points), (last.frame.number, last.points))
        there: dict[str, list[KnownFace]] = defaultdict(list)
        for face in self.all.values():
            if face.frame.video == last.frame.video:
                there[face.stem].append(face)
        wanted: dict[str, HandFace] = {}
        for stem in sorted({*there, *self._looked_at()}):
            frame = frame_of(f"{stem}.png")
            if frame.video != frame_of(f"{last.stem}.png").video:
                continue
            if not first.frame.number < frame.number < last.frame.number:
                continue
            points = points_between(*ends, frame.number)
            near = [
                face
                for face in there[stem]
                if not face.by_hand and _distance_to(points)(face) < max(first.extent, last.extent)
            ]
            nearest = min(near, key=_distance_to(points), default=None)
            if nearest is None and any(face.by_hand for face in there[stem]):
                continue
            path = None if nearest is None else nearest.path
            wanted[stem] = HandFace(points, path, BETWEEN)
        return wanted

    def _looked_at(self) -> list[str]:
        """Names of all frames that were extracted, also of those without a face."""
        journal = peek(self.workspace.frames_dir(self.side) / FILE_NAME)
        return [
            stem_of_key(name, key, self.workspace.frame_prefix(self.workspace.root / name))
            for name, log in journal.items()
            for key in log.faces
        ]


def _part(image: Image, points: Landmarks, reach: float) -> tuple[Image, int, int]:
    """The square around a face, as far as the frame goes, and where it begins."""
    height, width = image.shape[:2]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    middle = np.clip(middle, 0, (width - 1, height - 1))
    left, top = (max(0, int(value)) for value in np.floor(middle - reach))
    right, bottom = (int(value) for value in np.ceil(middle + reach))
    return image[top : min(bottom, height), left : min(right, width)], left, top


def _distance_to(points: Landmarks) -> Callable[[KnownFace], float]:
    """Distance of a face's middle to that of these points, in pixels."""
    middle = points.mean(axis=0)
    return lambda face: float(np.hypot(*(face.points.mean(axis=0) - middle)))


def _landmarks(value: object) -> Landmarks:
    """68 points that a page sent.

    Raises:
        FacesetError: They are something else.
    """
    rows = cast(list[object], value) if isinstance(value, list) else []
    numbers: list[float] = []
    for row in rows:
        pair = cast(list[object], row) if isinstance(row, list) else []
        numbers += [
            float(number)
            for number in pair
            if isinstance(number, (int, float)) and not isinstance(number, bool)
        ]
    if len(rows) != 68 or len(numbers) != 136 or not np.abs(numbers).max() < 1e6:
        raise FacesetError("These are not 68 points; set them again.")
    return np.array(numbers, np.float32).reshape(68, 2)
