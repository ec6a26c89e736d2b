# pyright: strict
"""One frame of a long video by its number, without decoding all frames before it.

Only for looking: inside a packet may be damage that nothing but a walk over all frames notices, and
behind it the numbers of a walk are lower.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from av.error import FFmpegError

from dflcolab.arrays import Image
from dflcolab.media.color import FromVideo
from dflcolab.media.container import fraction, opened_video
from dflcolab.media.rotation import orientation_of
from dflcolab.media.timeline import times_of_packets

_EARLIER = 16  # frames; what follows a jump closely may lack a frame that it refers to


class FrameSeeker:
    """Jumps to frames of one video.

    Args:
        path: The video. Its packets are read once, its pictures only as they are asked for.

    Raises:
        MediaError: Not a video.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._times = times_of_packets(path) or ()

    def image(self, index: int) -> Image | None:
        """The picture of a frame, `[H, W, 3]`, uint8, BGR, turned as the video asks for.

        Args:
            index: Its number, as `VideoReader.frames` counts.

        Returns:
            None where only a walk over all frames can tell which one it is.

        Raises:
            MediaError: The file is gone, or no video any more.
        """
        if not 0 <= index < len(self._times):
            return None
        try:
            return self._jumped(self._times[max(0, index - _EARLIER)], self._times[index])
        except FFmpegError:
            return None

    def _jumped(self, start: Fraction, wanted: Fraction) -> Image | None:
        with opened_video(self._path) as (container, stream):
            tick = fraction(stream.time_base)
            if tick is None:
                return None
            container.seek(int(start / tick), stream=stream)
            for frame in container.decode(stream):
                if frame.pts is None or frame.pts * tick > wanted:
                    return None
                if frame.pts * tick == wanted:
                    usable = not frame.is_corrupt
                    return orientation_of(frame).apply(FromVideo().image(frame)) if usable else None
        return None
