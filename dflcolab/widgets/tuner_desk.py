"""A frame, the look that is being tried on it, and what both look like.

Both forms of the tuner (with a slider between before and after, and the plain one) give its methods
to the user.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.config import to_plain, updated
from dflcolab.errors import ConfigError
from dflcolab.merging.look_file import AllFrames, FrameRange, KeyframeAt, Target
from dflcolab.merging.options import CompositeOptions, Mode
from dflcolab.pipeline.merge_tuning import Tuning
from dflcolab.runtime.show import MAX_PICTURE_BYTES, small_jpegs

_NOTE_BYTES = 30_000  # room for the signed note
_WIDEST = 1280  # pixels of a shown picture
_AROUND = 2.4  # side of the close-up, in sides of the face
_OVER_TIME = ("smooth_landmarks", "smooth_masks", "smooth_colors")


@dataclass(frozen=True)
class Shown:
    """Two JPEGs of the same quality, and how long the second took to make.

    Attributes:
        before: The frame.
        after: The frame merged with the tried look, signed.
        seconds: For composing it, on the clock.
    """

    before: bytes
    after: bytes
    seconds: float


class TunerDesk:
    """What is being looked at.

    Args:
        tuning: Footage, faces, networks and the file of the look.

    Attributes:
        tuning: The same.
        numbers: Numbers of the frames with faces, rising.
        place: Which of them is looked at.
        marks: Numbers of marked frames, rising.
        trial: Options that differ from the file, by name; they go along from frame to frame.
        close_up: Show the face instead of the whole frame.
    """

    def __init__(self, tuning: Tuning) -> None:
        self.tuning = tuning
        self.numbers = list(tuning.frames)
        self.place = 0
        self.marks: list[int] = []
        self.trial: dict[str, Any] = {}
        self.close_up = False

    @property
    def index(self) -> int:
        """Number of the frame that is looked at, counted from 0."""
        return self.numbers[self.place]

    @property
    def saved(self) -> CompositeOptions:
        """The look of that frame as the file says it."""
        return self.tuning.look.at(self.index)

    @property
    def options(self) -> CompositeOptions:
        """The look that is tried."""
        return updated(self.saved, self.trial)

    def go(self, place: int) -> None:
        """Look at another frame with a face; beyond the ends is the end."""
        self.place = min(max(0, place), len(self.numbers) - 1)

    def mark(self) -> None:
        """Put the frame on the list of marked ones, or take it off."""
        self.marks = sorted(set(self.marks) ^ {self.index})

    def try_option(self, name: str, value: object) -> None:
        """Change one option of the tried look.

        Raises:
            ConfigError: The value is out of range.
        """
        options = updated(self.saved, {name: value})
        if options == self.saved:
            self.trial.pop(name, None)
        else:
            self.trial[name] = to_plain(getattr(options, name))

    def reset(self) -> None:
        """Try the look that is saved."""
        self.trial = {}

    def save(self, kind: str, frames: str) -> str:
        """Write what was changed into the file.

        Args:
            kind: One of `TARGETS`.
            frames: For a range: A:B.

        Returns:
            What was written, and what else is to be known.

        Raises:
            ConfigError: Nothing was changed, or the look cannot be: nothing is written.
            StorageError: The disk is full or read-only.
        """
        tuning, changes = self.tuning, dict(self.trial)
        target = self._target(kind, frames)
        tuning.save(changes, target)
        names = ", ".join(f"{name} = {value}" for name, value in changes.items())
        note = f"{tuning.path.name}: {names} {_described(target)}."
        self.trial = {}
        now = to_plain(self.saved)
        if isinstance(target, KeyframeAt):
            hidden = [name for name, value in changes.items() if now[name] != value]
            if hidden:
                return f"{note} A range is stronger there and still decides {', '.join(hidden)}."
            return f"{note} Before the first and behind the last keyframe its value stays."
        return note

    def shown(self) -> Shown:
        """The frame before and after, as two pictures of at most 150 kB.

        Raises:
            DFLColabError: As `Tuning.merged`.
        """
        index, options = self.index, self.options
        frame = self.tuning.frame(index)
        begin = time.perf_counter()
        merged = self.tuning.merged(index, options)
        seconds = time.perf_counter() - begin
        pictures = [frame, merged]
        if self.close_up:
            box = self._around_the_face(frame)
            raw = options.mode is Mode.RAW_PREDICT
            pictures = [frame[box], merged if raw else merged[box]]
        before, after = small_jpegs(
            [_fitted(picture) for picture in pictures], max_bytes=MAX_PICTURE_BYTES - _NOTE_BYTES
        )
        return Shown(before, self.tuning.signed(after, index), seconds)

    def status(self) -> str:
        """Where this is and what is not saved, in one line."""
        text = f"Frame {self.index} ({self.place + 1} of {len(self.numbers)} with faces)"
        if self.trial:
            text += f"; not saved: {', '.join(self.trial)}"
        over_time = [name for name in _OVER_TIME if getattr(self.options, name)]
        if over_time:
            text += f"; {', '.join(over_time)} cannot be seen in a single frame"
        return f"{text}."

    def _target(self, kind: str, frames: str) -> Target:
        if kind == FOR_RANGE:
            return FrameRange(frames.strip() or f"{self.index}:{self.index + 1}")
        if kind == AS_KEYFRAME:
            return KeyframeAt(self.index)
        if kind != FOR_ALL:
            raise ConfigError(f"{kind!r} is nothing that a look can be saved for; choose another.")
        return AllFrames()

    def _around_the_face(self, frame: Image) -> tuple[slice, slice]:
        """Rows and columns around the largest face."""
        job = self.tuning.job
        faces = job.faces.of(self.tuning.frames[self.index])
        points = max(faces, key=lambda points: float(np.ptp(points, axis=0).max()))
        center = (points.min(axis=0) + points.max(axis=0)) / 2
        reach = float(np.ptp(points, axis=0).max()) * _AROUND / 2
        height, width = frame.shape[:2]
        left, top = (
            int(min(max(0.0, v), end - 2))
            for v, end in zip(center - reach, (width, height), strict=True)
        )
        right, bottom = (int(max(2.0, v)) for v in center + reach)
        return slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2))


FOR_ALL = "all frames"
FOR_RANGE = "a range of frames"
AS_KEYFRAME = "this frame as keyframe"
TARGETS = (FOR_ALL, FOR_RANGE, AS_KEYFRAME)
"""What a look can be saved for."""


def _described(target: Target) -> str:
    if isinstance(target, FrameRange):
        return f"in frames {target.text}"
    return f"at frame {target.frame}" if isinstance(target, KeyframeAt) else "in all frames"


def _fitted(picture: Image) -> Image:
    height, width = picture.shape[:2]
    if width <= _WIDEST:
        return picture
    size = (_WIDEST, max(1, round(height * _WIDEST / width)))
    small: Any = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small
