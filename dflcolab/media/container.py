# pyright: strict
"""Opening a video, with one sentence when it is not one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container.input import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from dflcolab.errors import MediaError

# FFmpeg reads these "videos" too: text drawn as on a terminal, and single pictures.
_TEXT_CODECS = {"ansi", "bintext", "xbin", "idf"}
# PyAV 19 replaces unreadable characters by itself and knows the argument no more.
_TOLERANT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)
_REMEDY = "replace it by a video, for example MP4 with H.264"


@contextmanager
def opened_video(
    path: Path, *, threads: bool = True
) -> Generator[tuple[InputContainer, VideoStream]]:
    """A container and its first real video stream (cover pictures of music files do not count).

    Args:
        path: The file.
        threads: Decode with all cores. Without, damaged files decode in a repeatable way.

    Raises:
        MediaError: The file is missing, unreadable or holds no video; names the file.
    """
    if not path.is_file():
        raise MediaError(f"There is no video at {path}; check the path.")
    try:
        container = open_container(path)
    except PermissionError as error:
        raise MediaError(f"{path} may not be read; change its permissions.") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise MediaError(_not_a_video(path)) from error
    with container:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO" if threads else "NONE"  # pyright: ignore[reportAttributeAccessIssue]
        yield container, stream


def open_container(path: Path) -> InputContainer:
    """A file opened for reading, whatever encoding its texts are in.

    Raises:
        FFmpegError: It is no media file.
    """
    return av.open(ffmpeg_name(path), mode="r", **_TOLERANT)


def ffmpeg_name(path: Path) -> str:
    """A path as FFmpeg takes it: a name such as `12:30.mp4` alone would be an address to it."""
    return str(path.absolute())


def fraction(value: Any) -> Fraction | None:
    """A rate or tick of PyAV as a fraction: 18 gives fractions, 19 a kind of its own; None if unset."""
    if value is None or not value.denominator or not value.numerator:
        return None
    return Fraction(value.numerator, value.denominator)


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    name = container.format.name
    if name.endswith("_pipe") or name.startswith("image2"):
        raise MediaError(f"{path} is a single picture, not a video; {_REMEDY}.")
    for stream in container.streams.video:
        if _is_cover(stream):
            continue
        if not has_decoder(stream):
            raise MediaError(
                f"{path} uses a video format that cannot be decoded here; "
                "convert it to MP4 with H.264 first."
            )
        if stream.codec_context.name in _TEXT_CODECS:
            break
        return stream
    if container.streams.audio:
        raise MediaError(f"{path} holds sound but no video; {_REMEDY}.")
    raise MediaError(f"{path} is not a video; {_REMEDY}.")


def has_decoder(stream: Any) -> bool:
    """Whether PyAV gave the stream a codec context, that is: knows how to decode it."""
    return getattr(stream, "codec_context", None) is not None


def _is_cover(stream: VideoStream) -> bool:
    disposition = getattr(stream, "disposition", None)
    return disposition is not None and "attached_pic" in str(disposition).lower()


def _not_a_video(path: Path) -> str:
    """Why FFmpeg did not open the file, as far as its first bytes tell."""
    with path.open("rb") as stream:
        head = stream.read(12)
    if not head:
        return f"{path} is empty; {_REMEDY}."
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return (
            f"{path} is incomplete (its index is missing, as after a broken download or recording); "
            "copy or record it again."
        )
    return f"{path} is not a video; {_REMEDY}."
