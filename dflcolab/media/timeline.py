# pyright: strict
"""When each frame of a video is shown.

Frame k is the k-th frame that decodes, in the order of presentation; face files refer to frames by
that number. Times are exact fractions of a second as the container states them, with the stream's
own start (which may be before or after zero).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.container.input import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from dflcolab.errors import MediaError
from dflcolab.media.clock import FALLBACK_RATE
from dflcolab.media.container import fraction, opened_video
from dflcolab.media.decoding import decoded_frames

# Where one packet is one shown frame, with a time of its own.
_INDEXED_CONTAINERS = {"mp4", "mov", "matroska"}
_ONE_TO_ONE_CODECS = {"h264", "hevc", "av1", "libdav1d", "vp9", "libvpx-vp9", "mpeg4", "prores", "mjpeg", "ffv1"}  # fmt: skip

_ROUNDING_SHARE = Fraction(1, 10)


@dataclass(frozen=True)
class Timeline:
    """Presentation times of a video.

    Attributes:
        times: One per frame, strictly rising, in seconds.
        end: When the last frame stops being shown.
        time_base: The container's tick; every time is a multiple of it.
        problems: What was wrong with the file, one sentence each.
    """

    times: tuple[Fraction, ...]
    end: Fraction
    time_base: Fraction
    problems: tuple[str, ...] = ()

    @property
    def durations(self) -> tuple[Fraction, ...]:
        """How long each frame is shown."""
        ends = (*self.times[1:], self.end)
        return tuple(end - start for start, end in zip(self.times, ends, strict=True))

    @property
    def is_variable(self) -> bool:
        """Whether frames last differently long, beyond what rounding to ticks explains."""
        lengths = sorted(self.durations)
        usual = lengths[len(lengths) // 2]
        slack = max(usual * _ROUNDING_SHARE, 2 * self.time_base)
        return lengths[0] < usual - slack or lengths[-1] > usual + slack


def read_timeline(path: Path, *, decode: bool = False) -> Timeline:
    """Times of all frames of a video.

    Reads the packets only (milliseconds) where they leave no doubt: all whole, all with different
    times, starting with a key frame. Otherwise, or if asked to, decodes the video once.

    Args:
        path: The video.
        decode: Decode in any case. Only that notices damage inside a packet.

    Raises:
        MediaError: Not a video, or nothing in it can be decoded.
    """
    if not decode:
        found = _from_packets(path)
        if found is not None:
            return found
    return _from_frames(path)


def times_of_packets(path: Path) -> tuple[Fraction, ...] | None:
    """Presentation times without decoding anything; None where only decoding can tell.

    Raises:
        MediaError: Not a video.
    """
    found = _from_packets(path)
    return None if found is None else found.times


def _from_packets(path: Path) -> Timeline | None:
    """Times from the packets; None where only decoding can tell."""
    with opened_video(path) as (container, stream):
        names = set(container.format.name.split(","))
        if not names & _INDEXED_CONTAINERS or stream.codec_context.name not in _ONE_TO_ONE_CODECS:
            return None
        time_base = fraction(stream.time_base)
        scan = _scan(container, stream)
        ending = _Ending.of(stream)
    if scan is None or time_base is None or ending.n_stated > len(scan.stamps) + scan.n_hidden:
        return None
    first = scan.stamps[0][0]
    stamps = sorted(scan.stamps)
    # Frames shown before the first key frame may or may not decode; equal times hide something.
    if stamps[0][0] != first or len({pts for pts, _ in stamps}) < len(stamps):
        return None
    times = tuple(pts * time_base for pts, _ in stamps)
    return Timeline(times, ending.after(times, stamps[-1][1] * time_base), time_base)


@dataclass
class _Scan:
    stamps: list[tuple[int, int]]  # time and duration in ticks, in order of decoding
    n_hidden: int  # packets that an edit list cuts off


def _scan(container: InputContainer, stream: VideoStream) -> _Scan | None:
    """All packets' times; None as soon as one of them is doubtful."""
    scan = _Scan([], 0)
    last_dts: int | None = None
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.is_corrupt or packet.pts is None:
                return None
            if packet.dts is not None and last_dts is not None and packet.dts < last_dts:
                return None
            last_dts = packet.dts if packet.dts is not None else last_dts
            if packet.is_discard:
                scan.n_hidden += 1
                continue
            if not scan.stamps and not packet.is_keyframe:
                return None
            scan.stamps.append((packet.pts, packet.duration or 0))
    except FFmpegError:
        return None
    return scan if scan.stamps else None


def _from_frames(path: Path) -> Timeline:
    """Times by decoding everything once, without turning frames into pictures."""
    problems: list[str] = []
    duration = 0
    with opened_video(path) as (_, stream):
        time_base = fraction(stream.time_base) or Fraction(1, 90000)
        ending = _Ending.of(stream)
    times: list[Fraction] = []
    for time, frame in decoded_frames(path, problems):
        times.append(time)
        duration = int(getattr(frame, "duration", 0) or 0)
    if not times:
        raise MediaError(f"No frame of {path} can be decoded; replace the file by an intact copy.")
    end = ending.after(tuple(times), duration * time_base)
    return Timeline(tuple(times), end, time_base, tuple(problems))


@dataclass(frozen=True)
class _Ending:
    """What the header says about the end of the video."""

    stated_end: Fraction | None
    n_stated: int
    rate: Fraction | None

    @classmethod
    def of(cls, stream: VideoStream) -> _Ending:
        end = None
        if stream.duration and stream.start_time is not None and stream.time_base is not None:
            end = (stream.start_time + stream.duration) * stream.time_base
        return cls(end, stream.frames, fraction(stream.average_rate))

    def after(self, times: tuple[Fraction, ...], last_duration: Fraction) -> Fraction:
        """When the last frame stops being shown.

        As the header says, if nothing is missing; else by the frame's own duration (in MP4 that is
        its distance in the order of decoding, so it comes second), its predecessor's, or the rate.
        """
        last = times[len(times) - 1]
        whole = len(times) >= self.n_stated
        if whole and self.stated_end is not None and self.stated_end > last:
            return self.stated_end
        if last_duration > 0:
            return last + last_duration
        if len(times) > 1:
            return 2 * last - times[-2]
        return last + 1 / (self.rate or FALLBACK_RATE)
