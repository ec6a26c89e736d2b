# pyright: strict
"""What a video is, from its header and its first frame."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from av.container.input import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame as AVFrame
from av.video.stream import VideoStream

from dflcolab.errors import MediaError
from dflcolab.media.color import ColorTags, tags_of
from dflcolab.media.container import fraction, has_decoder, opened_video
from dflcolab.media.hdr import HdrMetadata, hdr_of
from dflcolab.media.rotation import Orientation, orientation_of

_MAX_PACKETS_BEFORE_A_FRAME = 500


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """One sound track.

    Attributes:
        codec: FFmpeg's name of the codec ("aac").
        sample_rate: Samples per second.
        channels: Number of channels.
        start_s: Time of its first sample, None if the container does not say.
        language: Code of three letters, None if not stated.
    """

    codec: str
    sample_rate: int
    channels: int
    start_s: Fraction | None
    language: str | None


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """A video's facts.

    Attributes:
        path: The file.
        container: FFmpeg's name of the container ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm").
        codec: FFmpeg's name of the video codec ("h264").
        pix_fmt: Pixel format of the decoded frames ("yuv420p").
        bit_depth: Bits per component.
        width: Width in pixels after rotation.
        height: Height in pixels after rotation.
        orientation: How decoded frames are turned before anybody sees them.
        sample_aspect_ratio: Width : height of a pixel after rotation; 1 for square ones.
        average_rate: Frames per second as the container states it; None if it does not.
        time_base: Seconds per tick of the presentation times.
        start_s: Presentation time of the first frame in seconds.
        duration_s: Length of the video stream in seconds (of the file if the stream states none).
        n_frames_estimate: From the header; `timeline.read_timeline` counts.
        color: Range, primaries, transfer curve and matrix.
        hdr: HDR's static metadata; None if there is none.
        interlaced: The first frame consists of two fields.
        audio: The sound tracks.
        size_bytes: Size of the file.
    """

    path: Path
    container: str
    codec: str
    pix_fmt: str
    bit_depth: int
    width: int
    height: int
    orientation: Orientation
    sample_aspect_ratio: Fraction
    average_rate: Fraction | None
    time_base: Fraction
    start_s: Fraction
    duration_s: Fraction
    n_frames_estimate: int
    color: ColorTags
    hdr: HdrMetadata | None = None
    interlaced: bool
    audio: tuple[AudioInfo, ...]
    size_bytes: int

    @property
    def has_audio(self) -> bool:
        """Whether there is at least one sound track."""
        return bool(self.audio)

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which decoded frames are turned: 0, 90, 180 or 270."""
        return self.orientation.clockwise


def probe(path: Path) -> VideoInfo:
    """Look at a video.

    Raises:
        MediaError: The file is missing, is not a video, or its first frame does not decode.
    """
    with opened_video(path, threads=False) as (container, stream):
        frame = _first_frame(container, stream, path)
        return _describe(path, container, stream, frame)


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> AVFrame:
    n_packets = 0
    try:
        for packet in container.demux(stream):
            n_packets += 1
            try:
                for frame in packet.decode():
                    return frame
            except FFmpegError:
                pass
            if n_packets > _MAX_PACKETS_BEFORE_A_FRAME:
                break
    except FFmpegError:
        pass
    raise MediaError(f"No frame of {path} can be decoded; replace the file by an intact copy.")


def _describe(
    path: Path, container: InputContainer, stream: VideoStream, frame: AVFrame
) -> VideoInfo:
    time_base = fraction(stream.time_base) or Fraction(1, 90000)
    orientation = orientation_of(frame)
    width, height = frame.width, frame.height
    aspect = fraction(stream.sample_aspect_ratio) or Fraction(1)
    if orientation.swaps_sides:
        width, height = height, width
        aspect = 1 / aspect if aspect else aspect
    start = stream.start_time if stream.start_time is not None else frame.pts or 0
    rate = fraction(stream.average_rate) or fraction(stream.base_rate)
    duration = _duration(container, stream, time_base)
    estimate = stream.frames or (round(duration * rate) if rate else 0)
    tags = tags_of(stream.codec_context)
    of_frame = tags_of(frame)
    return VideoInfo(
        path=path,
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        pix_fmt=frame.format.name,
        bit_depth=max(component.bits for component in frame.format.components),
        width=width,
        height=height,
        orientation=orientation,
        sample_aspect_ratio=aspect or Fraction(1),
        average_rate=rate,
        time_base=time_base,
        start_s=start * time_base,
        duration_s=duration,
        n_frames_estimate=estimate,
        color=ColorTags(of_frame.range, tags.primaries, tags.transfer, of_frame.matrix),
        hdr=hdr_of(frame),
        interlaced=bool(frame.interlaced_frame),
        audio=tuple(_audio(stream) for stream in container.streams.audio),
        size_bytes=path.stat().st_size,
    )


def _duration(container: InputContainer, stream: VideoStream, time_base: Fraction) -> Fraction:
    if stream.duration:
        return stream.duration * time_base
    return Fraction(container.duration or 0, 1_000_000)


def _audio(stream: Any) -> AudioInfo:
    known = has_decoder(stream)
    start = cast("int | None", stream.start_time)
    return AudioInfo(
        codec=str(stream.codec_context.codec.canonical_name) if known else "unknown",
        sample_rate=int(stream.codec_context.sample_rate) if known else 0,
        channels=int(stream.codec_context.layout.nb_channels) if known else 0,
        start_s=None if start is None else start * cast(Fraction, stream.time_base),
        language=cast("str | None", stream.language),
    )
