# pyright: strict
# pyright: reportUnknownMemberType=false
# PyAV's own annotations leave gaps.
"""Pictures in, a video file out: exact times, the source's colors and sound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import cv2
from av.container.output import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from dflcolab.arrays import DeepImage, Image
from dflcolab.errors import MediaError
from dflcolab.media.color import ColorRange, ColorTags, ToVideo, is_rgb
from dflcolab.media.encoders import Encoder
from dflcolab.media.sound import SoundFate
from dflcolab.media.thread_priority import usual_priority
from dflcolab.media.video_mux import VideoMux

_RGB_MATRIX = 0
_LONGEST_WAIT_S = 3600
"""No encoder holds a frame back for longer."""


class VideoWriter:
    """Writes a video; use it as a context manager.

    The file appears under its name when the context ends without an error, complete; before that and
    after an error there is nothing (or the old file).

    Color stored at half width or height (yuv420p, yuv422p) needs even sizes. A picture of odd size
    then gets its last column or row once more; `padded` tells. Full color (yuv444p, lossless) keeps
    odd sizes as they are.

    Args:
        path: Where to; ".mp4" or ".mov".
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        encoder: From `choose_encoder`.
        rate: Nominal frames per second, for encoders and players; times decide.
        time_base: Seconds per tick; times that are whole ticks are kept exactly.
        color: Tags to carry over; also say how BGR is converted.
        sample_aspect_ratio: Width : height of a pixel.
        sound: A file whose sound tracks are carried over, in sync with the given times.
        shift: Seconds added to all times, of pictures and sound.
        metadata: Plain tags of the file, such as `comment`.

    Raises:
        MediaError: The encoder does not start with these settings.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        encoder: Encoder,
        rate: Fraction,
        time_base: Fraction,
        color: ColorTags | None = None,
        sample_aspect_ratio: Fraction = Fraction(1),
        sound: Path | None = None,
        shift: Fraction = Fraction(0),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.n_frames = 0
        self.messages: list[str] = []
        self._size = (width, height)
        self._padding = (
            height % 2 if encoder.needs_even_height else 0,
            width % 2 if encoder.needs_even_width else 0,
        )
        self._encoder = encoder
        self._rate = rate
        self._time_base = time_base
        self._color = _carried_color(color or ColorTags(), encoder)
        self._aspect = sample_aspect_ratio
        self._shift = shift
        coded_height, coded_width = height + self._padding[0], width + self._padding[1]
        self._coded_size = (coded_width, coded_height)
        self._convert = ToVideo(encoder.pix_fmt, self._color, width=width, height=height)
        self._last_ticks: int | None = None
        self._mux = VideoMux(
            path,
            time_base=time_base,
            sound=sound,
            shift=shift,
            metadata=metadata,
        )

    @property
    def sound_fate(self) -> SoundFate:
        """What became of the sound, once the context has ended."""
        return self._mux.sound_fate

    @property
    def padded(self) -> bool:
        """Whether a row or column was added to make the size even."""
        return any(self._padding)

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            stack.enter_context(self._mux)
            self._mux.add_tracks(self._add_video)
            self._start()
            self._stack = stack.pop_all()
        return self

    def _add_video(self, container: OutputContainer) -> VideoStream:
        encoder = self._encoder
        stream = cast(
            VideoStream,
            container.add_stream(encoder.name, rate=self._rate, options=dict(encoder.options)),
        )
        context = cast(Any, stream.codec_context)
        context.width, context.height = self._coded_size
        context.pix_fmt = encoder.pix_fmt
        context.time_base = self._time_base
        stream.time_base = self._time_base
        context.sample_aspect_ratio = self._aspect
        context.color_range = self._color.range
        context.color_primaries = self._color.primaries
        context.color_trc = self._color.transfer
        context.colorspace = self._color.matrix
        if encoder.tag:
            context.codec_tag = encoder.tag
        return stream

    def _start(self) -> None:
        try:
            with usual_priority():
                self._mux.start()
        except (FFmpegError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            width, height = self._coded_size
            raise MediaError(
                f"{self._encoder.name} does not start for {self.path.name} ({width}x{height}, "
                f"{self._encoder.pix_fmt}): {error}; choose another codec or pixel format."
            ) from error

    def write(
        self, image: Image | DeepImage, time: Fraction, duration: Fraction | None = None
    ) -> None:
        """Append one picture.

        Args:
            image: BGR `[H, W, 3]` (BGRA for an encoder with alpha), uint8 or uint16, of the size given
                at the start; or gray `[H, W]`, uint8.
            time: Presentation time in seconds, later than the one before.
            duration: How long it is shown; matters for the last one. None = 1 / rate.

        Raises:
            MediaError: Wrong size, a time that does not rise, or the encoder fails.
        """
        height, width = image.shape[:2]
        if (width, height) != self._size:
            raise MediaError(
                f"A frame for {self.path.name} has {width}x{height} pixels instead of "
                f"{self._size[0]}x{self._size[1]}; merge all frames again at one size."
            )
        ticks = round((time + self._shift) / self._time_base)
        if self._last_ticks is not None and ticks <= self._last_ticks:
            raise MediaError(
                f"Frame {self.n_frames + 1} for {self.path.name} comes at {float(time):.3f} s, "
                "not after the one before it; the times must rise."
            )
        self._last_ticks = ticks
        self._mux.expect(ticks, duration or 1 / self._rate)
        if self.padded:
            down, right = self._padding
            image = cast(Image, cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE))
        frame = self._convert.frame(image)
        frame.pts = ticks
        frame.time_base = self._time_base
        self._mux.feed_sound(time)
        self._mux.add(self._encode(frame))
        self.n_frames += 1

    def _encode(self, frame: Any) -> list[Packet[VideoStream]]:
        try:
            packets = cast("list[Packet[VideoStream]]", self._mux.stream.encode(frame))
        except FFmpegError as error:
            if isinstance(error, OSError):  # the disk, not the encoder
                raise
            raise MediaError(
                f"{self._encoder.name} failed while writing {self.path.name}: {error.strerror}; "
                "choose another codec."
            ) from error
        for packet in packets:
            shown, decoded = packet.pts, packet.dts
            if shown is None or decoded is None:
                continue
            if abs(decoded - shown) * self._time_base > _LONGEST_WAIT_S:
                packet.dts = shown  # x265 leaves it to chance in a video of one or two frames
        return packets

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        except BaseException as failure:
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._stack.__exit__(error_type, error, traceback)

    def _finish(self) -> None:
        self._mux.add(self._encode(None))
        self._mux.finish()
        self.messages += self._mux.messages
        if self.padded:
            width, height = self._coded_size
            self.messages.append(
                f"{self.path.name} is {width}x{height}: one row or column was repeated because "
                f"{self._encoder.pix_fmt} needs even sizes (yuv444p keeps odd ones)."
            )


def shift_to_zero(
    video_start: Fraction, sound_starts: list[Fraction], *, keeps_offsets: bool
) -> Fraction:
    """What to add to all times so that a recording that begins at 37 minutes begins at zero.

    The distance between picture and sound never changes.

    Args:
        video_start: Time of the first frame in seconds. If it is negative it becomes zero: players
            of MP4 hide what comes before.
        sound_starts: Times of the first samples; slightly negative ones are an encoder's run-in.
        keeps_offsets: The source is an MP4 or MOV: its starts are meant, late ones are kept.
    """
    if video_start < 0:
        return -video_start
    earliest = min([video_start, *sound_starts])
    return Fraction(0) if keeps_offsets or earliest <= 0 else -earliest


def nominal_rate(rate: Fraction | None, times: tuple[Fraction, ...]) -> Fraction:
    """A rate that encoders accept: the stated one if it is plausible, else from the times."""
    if rate and Fraction(1, 10) <= rate <= 1000:
        return rate
    if len(times) > 1:
        found = (len(times) - 1) / (times[-1] - times[0])
        return Fraction(max(1, min(1000, math.ceil(found))))
    return Fraction(25)


def _carried_color(color: ColorTags, encoder: Encoder) -> ColorTags:
    """The tags that fit the encoder: RGB states no YUV matrix, ProRes is limited range."""
    if is_rgb(encoder.pix_fmt):
        return ColorTags(ColorRange.FULL, color.primaries, color.transfer, _RGB_MATRIX)
    matrix = 2 if color.matrix == _RGB_MATRIX else color.matrix
    limited = encoder.name.startswith("prores")
    return ColorTags(
        ColorRange.LIMITED if limited else color.range, color.primaries, color.transfer, matrix
    )
