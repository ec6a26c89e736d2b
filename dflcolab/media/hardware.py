# pyright: strict
# pyright: reportUnknownMemberType=false
# PyAV's own annotations leave gaps.
"""Encoders of graphics cards, used only after a trial has shown that one works here.

A wheel of PyAV knows the encoders of every maker; whether the card, its driver and this system play
along, only encoding tells.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError

from dflcolab.media.config import Quality, VideoCodec
from dflcolab.media.encoders import Encoder, rate_factor

_TRIAL_SIDE = 256
"""Pixels; some cards take nothing smaller than 145."""

_TRIAL_FRAMES = 3


@dataclass(frozen=True)
class _Maker:
    """How one maker's encoders are called, fed and told how good the picture shall be."""

    ending: str
    pix_fmt: str
    deep_pix_fmt: str
    options: Callable[[int], dict[str, str]]


# NVIDIA, Intel, AMD, Apple.
_MAKERS = (
    _Maker(
        "nvenc",
        "yuv420p",
        "p010le",
        lambda factor: {"rc": "vbr", "cq": str(factor), "b": "0", "preset": "p6"},
    ),
    _Maker("qsv", "nv12", "p010le", lambda factor: {"global_quality": str(factor)}),
    _Maker(
        "amf",
        "nv12",
        "p010le",
        lambda factor: {"rc": "cqp", "qp_i": str(factor), "qp_p": str(factor)},
    ),
    _Maker(
        "videotoolbox",
        "nv12",
        "p010le",
        lambda factor: {"q:v": str(max(1, 100 - 2 * factor)), "allow_sw": "0"},
    ),
)
_FAMILY = {VideoCodec.H264: "h264", VideoCodec.H265: "hevc", VideoCodec.AV1: "av1"}


def hardware_encoder(
    codec: VideoCodec, *, quality: Quality | int, source_depth: int = 8
) -> Encoder | None:
    """The first encoder of a graphics card that passes a trial; None if there is none.

    Args:
        codec: H.264, H.265 or AV1; for others there is none.
        quality: A word, or a constant rate factor, which the card takes for its own scale.
        source_depth: Bits per component of the video that the frames come from.
    """
    family = _FAMILY.get(codec)
    if family is None:
        return None
    deep = source_depth > 8 and codec is not VideoCodec.H264
    for maker in _MAKERS:
        name = f"{family}_{maker.ending}"
        pix_fmt = maker.deep_pix_fmt if deep else maker.pix_fmt
        # Pictures in the order of showing, as MP4 readers take their distances for durations.
        options = {**maker.options(rate_factor(codec, quality)), "bf": "0"}
        if not encodes(name, pix_fmt, tuple(options.items())):
            continue
        tag = "hvc1" if codec is VideoCodec.H265 else None
        return Encoder(name, pix_fmt, options=options, tag=tag)
    return None


@functools.cache
def encodes(name: str, pix_fmt: str, options: tuple[tuple[str, str], ...] = ()) -> bool:
    """Whether an encoder turns a few small frames into packets on this machine.

    Args:
        name: FFmpeg's name of the encoder.
        pix_fmt: What it is fed with.
        options: Its settings, name and value.
    """
    try:
        context = cast(Any, av.CodecContext.create(name, "w"))
        context.width = context.height = _TRIAL_SIDE
        context.pix_fmt = pix_fmt
        context.time_base = Fraction(1, 25)
        context.framerate = Fraction(25)
        context.options = dict(options)
        size = 0
        for number in range(_TRIAL_FRAMES):
            grey = np.full((_TRIAL_SIDE, _TRIAL_SIDE, 3), 40 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="bgr24").reformat(format=pix_fmt)
            frame.pts = number
            size += sum(packet.size for packet in context.encode(frame))
        size += sum(packet.size for packet in context.encode(None))
    except (FFmpegError, UnknownCodecError, ValueError):
        return False
    return size > 0
