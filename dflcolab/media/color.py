# pyright: strict
"""From a decoder's YUV to BGR and back, with the matrix and the range that the video states.

A video states how its brightness and color planes were made from RGB: the matrix (BT.601, BT.709,
BT.2020 …) and the range (limited 16..235 or full 0..255). Both are honoured on the way in and on the
way out, so that a frame nobody touched comes out as it went in. Primaries and transfer curve are
carried along as tags only: pictures are processed in the video's own RGB.

The conversion asks swscale for accurate rounding and full-resolution chroma. Its quick path is
about 1 ms faster on a 720p frame, but makes every frame 1.1 levels darker on the way in and another
0.5 on the way out; this one has no bias.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol, cast

import cv2
import numpy as np
from av.video.frame import VideoFrame as AVFrame
from av.video.reformatter import VideoReformatter

from dflcolab.arrays import Array, DeepImage, Image

UNSPECIFIED = 2
"""Code of ITU-T H.273 for "not stated" (primaries, transfer, matrix)."""

# swscale flags; PyAV accepts their sum as a number in every version.
_BILINEAR, _FULL_CHROMA_OUT, _FULL_CHROMA_IN, _ACCURATE = 0x2, 0x2000, 0x4000, 0x40000
_TO_BGR = _BILINEAR | _FULL_CHROMA_OUT | _ACCURATE
_FROM_BGR = _BILINEAR | _FULL_CHROMA_IN | _ACCURATE


class ColorRange(enum.IntEnum):
    """FFmpeg's AVColorRange."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


# Matrix code of H.273 -> swscale's number. 470BG and 170M are both BT.601.
_SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}


@dataclass(frozen=True)
class ColorTags:
    """What a video states about its colors; codes of ITU-T H.273, 2 = not stated.

    Attributes:
        range: 1 limited, 2 full, 0 not stated (FFmpeg's numbers).
        primaries: For example 1 = BT.709, 9 = BT.2020.
        transfer: For example 1 = BT.709, 16 = PQ, 18 = HLG.
        matrix: For example 1 = BT.709, 5 and 6 = BT.601, 9 = BT.2020, 0 = RGB.
    """

    range: int = ColorRange.UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED


class _HasTags(Protocol):
    color_range: int
    color_primaries: int
    color_trc: int
    colorspace: int


def tags_of(thing: object) -> ColorTags:
    """Tags of a PyAV frame, stream or codec context."""
    source = cast(_HasTags, thing)
    return ColorTags(
        range=int(source.color_range),
        primaries=int(getattr(source, "color_primaries", UNSPECIFIED)),
        transfer=int(getattr(source, "color_trc", UNSPECIFIED)),
        matrix=int(source.colorspace),
    )


def working_matrix(tags: ColorTags, *, width: int, height: int) -> int:
    """The matrix to convert with, as a number of swscale.

    A video that states none is taken for BT.709 from 720 lines (or 1280 columns) on and for BT.601
    below: what players do. The same answer serves the way back, so untouched pixels stay the same
    even if the guess is wrong.
    """
    stated = _SWSCALE_MATRIX.get(tags.matrix)
    if stated is not None:
        return stated
    return 1 if height >= 720 or width >= 1280 else 5


def working_range(tags: ColorTags, pix_fmt: str) -> ColorRange:
    """The range to convert with; a video that states none is limited, as the standards say."""
    if pix_fmt.startswith("yuvj"):
        return ColorRange.FULL
    if tags.range in (ColorRange.LIMITED, ColorRange.FULL):
        return ColorRange(tags.range)
    return ColorRange.FULL if pix_fmt.startswith("gray") else ColorRange.LIMITED


def is_rgb(pix_fmt: str) -> bool:
    """Whether a pixel format holds RGB (or a palette of it) rather than YUV."""
    return pix_fmt.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2"))


class FromVideo:
    """Converts decoded frames to BGR pictures; keeps swscale's tables between frames.

    Not for two threads at once.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def image(self, frame: AVFrame) -> Image:
        """The frame as a fresh BGR picture `[H, W, 3]`, uint8, whatever its format and depth."""
        # Planar output: swscale writes it in half the time of packed BGR, with the same values.
        planes = [_plane(plane) for plane in self._planar(frame, "gbrp").planes[:3]]
        return cast(Image, _merged_bgr(planes))

    def deep_image(self, frame: AVFrame) -> DeepImage:
        """The frame as a fresh BGR picture `[H, W, 3]`, uint16 (65535 = white)."""
        # Packed 16-bit output takes swscale's quick path, which is several levels off.
        planes = [_deep_plane(plane) for plane in self._planar(frame, "gbrp16le").planes[:3]]
        return cast(DeepImage, _merged_bgr(planes))

    def _planar(self, frame: AVFrame, wanted: str) -> AVFrame:
        pix_fmt = frame.format.name
        arguments: dict[str, Any] = {"format": wanted, "interpolation": _TO_BGR}
        if not is_rgb(pix_fmt):
            tags = tags_of(frame)
            matrix = working_matrix(tags, width=frame.width, height=frame.height)
            arguments |= {
                "src_colorspace": matrix,
                "dst_colorspace": matrix,
                "src_color_range": int(working_range(tags, pix_fmt)),
                "dst_color_range": int(ColorRange.FULL),
            }
        return _reformat(self._reformatter, frame, arguments)


class ToVideo:
    """Converts BGR pictures to an encoder's format.

    Args:
        pix_fmt: Pixel format wanted.
        tags: Matrix and range wanted.
        width: Width of the video, for the guess when no matrix is stated.
        height: Height of the video.
    """

    def __init__(self, pix_fmt: str, tags: ColorTags, *, width: int, height: int) -> None:
        self._reformatter = VideoReformatter()
        self._arguments: dict[str, Any] = {"format": pix_fmt, "interpolation": _FROM_BGR}
        self._pix_fmt = pix_fmt
        self._tags = tags
        if not is_rgb(pix_fmt):
            matrix = working_matrix(tags, width=width, height=height)
            self._arguments |= {
                "src_colorspace": matrix,
                "dst_colorspace": matrix,
                "src_color_range": int(ColorRange.FULL),
                "dst_color_range": int(working_range(tags, pix_fmt)),
            }

    def frame(self, image: Image | DeepImage) -> AVFrame:
        """A frame of the wanted format.

        Args:
            image: BGR `[H, W, 3]`, or BGRA `[H, W, 4]` for formats with alpha; uint8, or uint16 with
                65535 as white. Or a gray one `[H, W]`, uint8.
        """
        if image.ndim == 2 and is_rgb(self._pix_fmt):
            image = cast(Image, cv2.merge([image] * 3))
        source = _av_frame(image)
        if self._pix_fmt == source.format.name:
            return source
        frame = _reformat(self._reformatter, source, self._arguments)
        # Some encoders (ProRes) look at the frame's tags, not at the stream's.
        frame.color_range = self._tags.range
        frame.colorspace = self._tags.matrix
        frame.color_primaries = self._tags.primaries
        frame.color_trc = self._tags.transfer
        return frame


def _reformat(reformatter: VideoReformatter, frame: AVFrame, arguments: dict[str, Any]) -> AVFrame:
    # One thread: a frame takes a millisecond or two, and the other cores have work of their own.
    return reformatter.reformat(frame, threads=1, **arguments)


def _av_frame(image: Image | DeepImage) -> AVFrame:
    """A picture as swscale takes it."""
    if image.ndim == 2:
        return AVFrame.from_ndarray(cast(Image, np.ascontiguousarray(image)), format="gray")
    n_channels = image.shape[2]
    if image.dtype == np.uint8:
        packed = "bgr24" if n_channels == 3 else "bgra"
        return AVFrame.from_ndarray(cast(Image, np.ascontiguousarray(image)), format=packed)
    frame = AVFrame(image.shape[1], image.shape[0], "gbrp16le" if n_channels == 3 else "gbrap16le")
    # Green, blue, red, alpha.
    for plane, channel in zip(frame.planes, (1, 0, 2, 3), strict=False):
        _deep_plane(plane)[:] = image[..., channel]
    return frame


def _merged_bgr(planes: list[Array]) -> Array:
    """Planes in the order green, blue, red as one picture."""
    green, blue, red = planes
    return cast(Array, cv2.merge([blue, green, red]))


def _deep_plane(plane: Any) -> Array:
    """A plane of 16-bit values as an array `[H, W]`, without copying."""
    rows = np.frombuffer(plane, np.uint16).reshape(plane.height, plane.line_size // 2)
    return rows[:, : plane.width]


def _plane(plane: Any) -> Array:
    """A plane as an array `[H, W]`, without copying."""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]
