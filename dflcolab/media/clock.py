# pyright: strict
"""Strictly rising frame times out of what containers say."""

from __future__ import annotations

from fractions import Fraction

from av.video.stream import VideoStream

from dflcolab.media.container import fraction

FALLBACK_RATE = Fraction(25)
"""Frames per second where nothing tells."""

_JUMP_S = 1


class Clock:
    """Makes strictly rising times out of what the container says.

    A frame without a time follows its predecessor at the nominal distance. A frame that claims the
    time of its predecessor (duplicate) comes one tick later. When time jumps back by more than a
    second (clips glued together), the rest of the video follows on.

    Args:
        time_base: The container's tick in seconds.
        rate: Nominal frames per second.
        start: Time of the first frame if it states none.
    """

    def __init__(
        self, time_base: Fraction, rate: Fraction | None, start: Fraction = Fraction(0)
    ) -> None:
        self._tick = time_base
        self._step = max(1 / (rate or FALLBACK_RATE) // time_base, 1) * time_base
        self._start = start
        self._offset = Fraction(0)
        self._last: Fraction | None = None
        self.n_guessed = 0
        self.n_jumps = 0

    def time_of(self, pts: int | None) -> Fraction:
        """Time of the next frame, whose stated time is `pts` ticks."""
        last = self._last
        if pts is None:
            self.n_guessed += 1
            time = self._start if last is None else last + self._step
        else:
            time = pts * self._tick + self._offset
            if last is not None and time <= last:
                if last - time > _JUMP_S:
                    self.n_jumps += 1
                    self._offset += last + self._step - time
                    time = last + self._step
                else:
                    self.n_guessed += 1
                    time = last + self._tick
        self._last = time
        return time


def clock_of(stream: VideoStream) -> Clock:
    """The clock of a video stream."""
    time_base = fraction(stream.time_base) or Fraction(1, 90000)
    start = (stream.start_time or 0) * time_base
    return Clock(time_base, fraction(stream.average_rate) or fraction(stream.base_rate), start)
