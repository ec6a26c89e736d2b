# pyright: strict
"""The faces behind the landmark editor, and the frames that they came from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dflcolab.arrays import Landmarks
from dflcolab.errors import FacesetError
from dflcolab.extraction.debug_pictures import places_of
from dflcolab.extraction.side_sources import all_sources
from dflcolab.extraction.sources import Source, SourceFrame, chosen_frames
from dflcolab.faceset.face_files import FaceFile, for_each_face, loose_faces, read_face_head
from dflcolab.faceset.stretches import Frame, frame_of
from dflcolab.pipeline.hand_landmarks import BY_HAND
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace

_HELD_BYTES = 256 << 20
"""Frames kept in memory: some 40 of a 1080p video."""


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


class SideFrames:
    """Frames of a side by name; the last ones stay in memory.

    A video is read from its beginning, about a millisecond for each frame of 720p; so frames that will
    be asked for next are taken along.

    Raises:
        MediaError: A video is none.
    """

    def __init__(self, workspace: Workspace, side: Side) -> None:
        self._sources: Sequence[Source] = all_sources(workspace, side)
        self._held: OrderedDict[str, SourceFrame] = OrderedDict()

    def get(self, stem: str, next_stems: Iterable[str] = ()) -> SourceFrame:
        """A frame.

        Args:
            stem: Its name without ending.
            next_stems: Frames that are read on the way.

        Raises:
            FacesetError: It is neither among the side's pictures nor in its videos.
        """
        if stem not in self._held:
            for frame in self.read([stem, *next_stems]):
                self._hold(frame)
        if stem not in self._held:
            raise FacesetError(
                f"The frame {stem} is neither among the pictures of this side nor in its videos; put "
                "the video or the picture back."
            )
        self._held.move_to_end(stem)
        return self._held[stem]

    def read(self, stems: Iterable[str]) -> Generator[SourceFrame]:
        """Frames in the order of their sources; such as nobody has are left out."""
        places = places_of(dict.fromkeys(stems), self._sources)
        with ThreadPoolExecutor(2) as pool:
            for source in self._sources:
                if places[source.name]:
                    yield from chosen_frames(source, places[source.name], pool)

    def _hold(self, frame: SourceFrame) -> None:
        self._held[frame.stem] = frame
        while (
            len(self._held) > 1
            and sum(held.image.nbytes for held in self._held.values()) > _HELD_BYTES
        ):
            self._held.popitem(last=False)
