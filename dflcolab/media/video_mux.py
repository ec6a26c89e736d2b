# pyright: strict
# pyright: reportUnknownMemberType=false
# PyAV's own annotations leave gaps.
"""Encoded pictures into a file, with exact durations, and sound beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.container.output import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from dflcolab.files import replacing
from dflcolab.media.container import ffmpeg_name
from dflcolab.media.sound import SoundCarrier, SoundFate

_LARGEST_TIMESCALE = 2**31 - 1


class VideoMux:
    """A file with one track of pictures; use it as a context manager.

    The file appears under its name when the context ends without an error, complete; before that and
    after an error there is nothing (or the old file).

    Args:
        path: Where to; ".mp4" or ".mov".
        time_base: Seconds per tick of that track.
        sound: A file whose sound tracks are carried over.
        shift: Seconds added to the times of the sound.
        metadata: Plain tags of the file, such as `comment`.

    Attributes:
        stream: The track of pictures, once it is added.
        sound_fate: What became of the sound, once all is written.
        messages: What the user should know, one sentence each.
    """

    stream: VideoStream

    def __init__(
        self,
        path: Path,
        *,
        time_base: Fraction,
        sound: Path | None = None,
        shift: Fraction = Fraction(0),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.sound_fate = SoundFate.NONE
        self.messages: list[str] = []
        self._path = path
        self._time_base = time_base
        self._sound_path = sound
        self._shift = shift
        self._metadata = dict(metadata or {})
        self._durations: dict[int, int] = {}
        self._first: tuple[int, int] | None = None
        self._held: Packet[VideoStream] | None = None
        self._end = -(2**62)
        self._sound: SoundCarrier | None = None
        self._stack = ExitStack()

    def __enter__(self) -> VideoMux:
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self._path))
            self._container: OutputContainer = stack.enter_context(
                av.open(ffmpeg_name(temporary), mode="w", options=self._muxer_options())
            )
            self._container.metadata.update(self._metadata)
            self._stack = stack.pop_all()
        return self

    def add_tracks(self, add_video: Callable[[OutputContainer], VideoStream]) -> None:
        """Add the tracks, that of the pictures first.

        Args:
            add_video: Adds it to the container and gives it.
        """
        self.stream = add_video(self._container)
        if self._sound_path is not None:
            self._sound = SoundCarrier(self._sound_path, self._container, shift=self._shift)
            self._stack.callback(self._sound.close)

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(error_type, error, traceback)

    def _muxer_options(self) -> dict[str, str]:
        # Start offsets of tracks are stored in ticks of the whole film: milliseconds unless told
        # otherwise. faststart puts the index first, so that browsers can begin to play at once.
        timescale = self._time_base.denominator
        while timescale < 48_000:
            timescale *= 2
        options = {"movflags": "+faststart", "movie_timescale": str(timescale)}
        if timescale > _LARGEST_TIMESCALE:
            del options["movie_timescale"]
        return options

    def start(self) -> None:
        """Open the encoders and write the head of the file.

        Raises:
            FFmpegError: An encoder does not start, or the file cannot hold these tracks.
            ValueError: As above.
        """
        self._container.start_encoding()

    def expect(self, ticks: int, duration: Fraction) -> None:
        """Say how long the picture that comes at `ticks` is shown, before its packet is added."""
        self._durations[ticks] = max(1, round(duration / self._time_base))

    def feed_sound(self, until: Fraction) -> None:
        """Write the sound up to a time of its source, in seconds."""
        if self._sound is not None:
            self._sound.feed(until)

    def add(self, packets: Iterable[Packet[VideoStream]]) -> None:
        """Pass packets on, the last one held back until it is known not to be the last of all."""
        for packet in packets:
            duration = None if packet.pts is None else self._durations.pop(packet.pts, None)
            if duration is not None:
                packet.duration = duration
                self._end = max(self._end, (packet.pts or 0) + duration)
            if self._first is None:
                self._first = (packet.pts or 0, packet.dts or 0)
            if self._held is not None:
                self._container.mux(self._held)
            self._held = packet

    def finish(self) -> None:
        """Write the last packet and the rest of the sound."""
        self._add_last()
        if self._sound is not None:
            self._sound.finish()
            self.sound_fate = self._sound.fate
            self.messages += self._sound.messages

    def _add_last(self) -> None:
        """The last packet in order of decoding, which need not be the last picture.

        MP4 stores distances in order of decoding; the last one is chosen so that their sum is the
        length of the video.
        """
        packet = self._held
        if packet is None or self._first is None:
            return
        first_pts, first_dts = self._first
        if packet.pts is not None and packet.dts is not None:
            fitting = self._end - first_pts - (packet.dts - first_dts)
            packet.duration = max(1, min(fitting, self._end - packet.pts))
        self._container.mux(packet)
        self._held = None
