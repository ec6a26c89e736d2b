# pyright: strict
"""Frames of a video as pictures, with their numbers and exact times."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dflcolab.arrays import DeepImage, Image
from dflcolab.media.color import FromVideo
from dflcolab.media.decoding import decoded_frames
from dflcolab.media.probe import VideoInfo, probe
from dflcolab.media.rotation import orientation_of

_LOGGER = logging.getLogger(__name__)
_SHORT_SHARE = Fraction(98, 100)


@dataclass(frozen=True)
class VideoFrame:
    """One frame.

    Attributes:
        index: Number in the whole video, from 0, counting the frames that decode.
        time: Presentation time in seconds, exact.
        image: BGR picture `[H, W, 3]`, uint8, turned as the video asks for; the caller's own.
        key: Whether it decodes without others.
        deep: The picture with 16 bits a value, where that was asked for.
    """

    index: int
    time: Fraction
    image: Image
    key: bool
    deep: DeepImage | None = None


class VideoReader:
    """Reads a video frame by frame.

    Every walk with `frames` opens the file anew, so several may run at once, also in threads.

    Args:
        path: The video.

    Attributes:
        info: Facts about it.
        problems: After a walk, what was wrong with the file, one sentence each.

    Raises:
        MediaError: Not a video; names the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info: VideoInfo = probe(path)
        self.problems: list[str] = []

    def frames(
        self,
        start: int = 0,
        stop: int | None = None,
        fps: float | Fraction | None = None,
        *,
        wanted: Callable[[int], bool] | None = None,
        deep: bool = False,
    ) -> Iterator[VideoFrame]:
        """Walk over frames in order of presentation.

        Args:
            start: First frame number. The frames before it are decoded (about a millisecond each at
                720p): seeking would number the frames of a damaged video differently.
            stop: First frame number that is not read any more; None = to the end.
            fps: Take at most so many frames per second of video, chosen by their times; frames keep
                their numbers. None = all.
            wanted: Asked with each number; frames it says no to are decoded but not converted.
            deep: Give the pictures with 16 bits a value as well.

        Yields:
            The frames. A damaged or truncated file gives what decodes; then look at `problems`.
        """
        problems: list[str] = []
        self.problems = problems
        thinning = _Thinning(fps, self.info.start_s) if fps else None
        # One for each format: swscale's tables are made anew when it changes.
        convert, convert_deep = FromVideo(), FromVideo()
        n_decoded = 0
        for index, (time, frame) in enumerate(decoded_frames(self.path, problems)):
            if stop is not None and index >= stop:
                break
            n_decoded = index + 1
            # Asked for the frames before `start` too, so that a later start chooses the same ones.
            if thinning is not None and not thinning.takes(time):
                continue
            if index < start or (wanted is not None and not wanted(index)):
                continue
            turn = orientation_of(frame).apply
            image = turn(convert.image(frame))
            fine = turn(convert_deep.deep_image(frame)) if deep else None
            yield VideoFrame(index, time, image, bool(frame.key_frame), fine)
        else:
            self._note_end(n_decoded, problems)
        for problem in problems:
            _LOGGER.warning(problem)

    def _note_end(self, n_decoded: int, problems: list[str]) -> None:
        expected = self.info.n_frames_estimate
        if n_decoded == 0:
            problems.append(f"No frame of {self.path.name} can be decoded.")
        elif expected and n_decoded < expected * _SHORT_SHARE - 2:
            problems.append(
                f"{self.path.name} ends early or has gaps: {n_decoded} of about {expected} frames "
                "could be decoded; they are used."
            )


class _Thinning:
    """Takes the first frame of every 1/fps second, counted from the start of the video."""

    def __init__(self, fps: float | Fraction, start: Fraction) -> None:
        self._fps = Fraction(fps).limit_denominator(100_000)
        self._start = start
        self._last: int | None = None

    def takes(self, time: Fraction) -> bool:
        slot = int((time - self._start) * self._fps // 1)
        if self._last is not None and slot <= self._last:
            return False
        self._last = slot
        return True
