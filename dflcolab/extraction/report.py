"""What an extraction says at its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dflcolab.words import counted
from dflcolab.workspace.trash import BY_LOOKING_AGAIN
from dflcolab.workspace.workspace import Side


@dataclass(frozen=True)
class ExtractReport:
    """Result of `extract`; counts cover all runs on this side, times this run.

    Attributes:
        side: Whose faces.
        frames: Frames looked at so far.
        frames_with_face: Those with at least one face.
        faces: Face files of the side, by whatever they came.
        removed: Faces that were found before and are no files any more; they stay away.
        new_frames: Frames of this run.
        new_faces: Faces of this run.
        seconds: Duration of this run.
        frames_per_second: Frames of this run per second.
        face_type: Extent of the crops.
        size: Side of the face pictures in pixels.
        stage_seconds: Busy time by stage, summed over threads: decode, detect, track (mesh), align
            (warp, JPEG), debug, write, commit (to the disk). Stages overlap.
        problems: What was wrong with the material, one sentence each.
        new_faces_by_source: Faces of this run by video; "pictures"; "photos/<label>".
        drawn_pictures: Debug pictures drawn from face files that were there before.
        trashed: Face files moved to the trash because their frame was looked at again.
        without_face: Names of the frames that were looked at again without finding a face.
    """

    side: Side
    frames: int
    frames_with_face: int
    faces: int
    new_frames: int
    new_faces: int
    seconds: float
    frames_per_second: float
    face_type: str
    size: int
    stage_seconds: dict[str, float]
    problems: list[str]
    new_faces_by_source: dict[str, int] = field(default_factory=dict[str, int])
    drawn_pictures: int = 0
    trashed: int = 0
    without_face: tuple[str, ...] = ()
    removed: int = 0

    def summary(self) -> str:
        """The report in a few lines."""
        first = (
            f"{counted(self.faces, 'face')} of {self.side.value} ({self.face_type}, {self.size} "
            f"pixels) from {counted(self.frames, 'frame')}, {self.frames_with_face} of which show "
            "a face."
        )
        lines = [first]
        if self.removed:
            lines.append(f"Found before, removed since, and staying away: {self.removed}.")
        if self.new_frames:
            lines.append(
                f"New in this run: {counted(self.new_faces, 'face')} from "
                f"{counted(self.new_frames, 'frame')} in "
                f"{self.seconds:.1f} s ({self.frames_per_second:.0f} frames a second)."
            )
        elif not self.drawn_pictures:
            lines.append("Nothing was left to do.")
        if self.drawn_pictures:
            drawn = counted(self.drawn_pictures, "debug picture")
            lines.append(f"Drawn from the face files: {drawn}.")
        if self.trashed:
            lines.append(
                f"In the trash, because their frame was looked at again: "
                f"{counted(self.trashed, 'face')} (`dflcolab clean --side {self.side.value} --undo "
                f"--only '{BY_LOOKING_AGAIN}'` brings them back)."
            )
        if self.without_face:
            lines.append(f"Still without a face: {', '.join(self.without_face)}.")
        return "\n".join([*lines, *self.problems])


class Stopwatch:
    """Adds up how long each stage was busy, over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Count the time inside the `with` for a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begin)

    def add(self, stage: str, seconds: float) -> None:
        """Count some seconds for a stage."""
        with self._lock:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by stage so far, rounded to milliseconds."""
        with self._lock:
            return {stage: round(value, 3) for stage, value in self._seconds.items()}
