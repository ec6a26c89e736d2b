# pyright: strict
"""From "h264, lossless" to the settings of an encoder that this machine has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import av
from av.codec.codec import UnknownCodecError

from dflcolab.errors import ConfigError, MediaError
from dflcolab.media.config import Effort, PixelFormat, Quality, VideoCodec

_QUALITY = {VideoCodec.H264: 16, VideoCodec.H265: 18, VideoCodec.AV1: 24}
_PRESETS = {
    # x264's own "medium" takes nearly twice as long as "faster" for half a dB (docs/benchmarks.md).
    VideoCodec.H264: {Effort.FAST: "veryfast", Effort.MEDIUM: "faster", Effort.SLOW: "slower"},
    VideoCodec.H265: {Effort.FAST: "ultrafast", Effort.MEDIUM: "fast", Effort.SLOW: "slow"},
    VideoCodec.AV1: {Effort.FAST: "10", Effort.MEDIUM: "8", Effort.SLOW: "5"},
}
_QUICKEST = {"libx264": "ultrafast", "libx265": "ultrafast", "libsvtav1": "10"}
"""Presets for pictures with little in them, by encoder."""

_TEN_BIT_OF_AUTO = (VideoCodec.H265, VideoCodec.AV1)
_CODED_WORSE = {Quality.DRAFT: 8, Quality.GOOD: 0, Quality.BEST: -6}
"""Steps of the constant rate factor; six halve or double the size."""

_EFFORT_OF = {
    Quality.DRAFT: Effort.FAST,
    Quality.GOOD: Effort.MEDIUM,
    Quality.BEST: Effort.SLOW,
}


@dataclass(frozen=True)
class Encoder:
    """An encoder with its settings.

    Attributes:
        name: FFmpeg's name of the encoder.
        pix_fmt: Pixel format it is fed with.
        suffix: Ending of the files it usually goes into.
        options: Private options.
        tag: Four-letter code in the container, where the default is not understood everywhere.
    """

    name: str
    pix_fmt: str
    suffix: str = ".mp4"
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    tag: str | None = None

    @property
    def bit_depth(self) -> int:
        """Bits a value."""
        return 10 if "10" in self.pix_fmt else 8

    @property
    def needs_even_width(self) -> bool:
        """Whether color is stored at half width."""
        return self.pix_fmt.startswith(("yuv420", "yuv422"))

    @property
    def needs_even_height(self) -> bool:
        """Whether color is stored at half height."""
        return self.pix_fmt.startswith("yuv420")


def choose_encoder(
    codec: VideoCodec,
    *,
    quality: Quality | int = Quality.GOOD,
    lossless: bool = False,
    pixel_format: PixelFormat = PixelFormat.AUTO,
    effort: Effort | None = None,
    source_depth: int = 8,
    variable_rate: bool = False,
) -> Encoder:
    """The encoder for a codec.

    Args:
        codec: Wanted codec; AUTO is H.264, or H.265 for a lossy video of a source with more than
            eight bits.
        quality: A word, or a constant rate factor.
        lossless: Give back every pixel: 8-bit RGB inside, not YUV.
        pixel_format: Wanted pixel format.
        effort: Time against size; None = as the quality asks for.
        source_depth: Bits per component of the video that the frames come from.
        variable_rate: Frames last differently long. Then h264 and h265 code them in the order of
            showing: otherwise MP4 readers take the distances in the order of decoding for
            durations, and report a wrong length.

    Raises:
        MediaError: The installed PyAV has no such encoder.
        ConfigError: The codec does not know the pixel format.
    """
    codec = settled_codec(codec, lossless=lossless, source_depth=source_depth)
    if effort is None:
        effort = _EFFORT_OF[quality] if isinstance(quality, Quality) else Effort.MEDIUM
    encoder = (
        _lossless(codec, effort)
        if lossless or codec is VideoCodec.FFV1
        else _lossy(codec, quality, pixel_format, effort, source_depth)
    )
    if variable_rate and encoder.name.startswith("libx26"):
        encoder = replace(encoder, options={**encoder.options, "bf": "0"})
    try:
        known = {found.name for found in av.Codec(encoder.name, "w").video_formats or ()}
    except UnknownCodecError as error:
        raise MediaError(
            f"The installed PyAV cannot write {codec.value} ({encoder.name} is missing); "
            "choose another codec or install PyAV's own wheel with `pip install av`."
        ) from error
    if known and encoder.pix_fmt not in known:
        raise ConfigError(
            f"{codec.value} cannot be written as {encoder.pix_fmt}; leave pixel_format at auto."
        )
    return encoder


def mask_encoder(encoder: Encoder) -> Encoder:
    """The encoder for the mask video beside a result: as good, and the quickest.

    A mask is a gray spot. A better search would save some kilobytes a frame and takes five times as long.
    """
    preset = _QUICKEST.get(encoder.name)
    if preset is None:
        return encoder
    return replace(encoder, options={**encoder.options, "preset": preset})


def alpha_encoder() -> Encoder:
    """ProRes 4444 with a channel of transparency, as compositing programs read it."""
    options = {"profile": "4", "vendor": "apl0", "alpha_bits": "16"}
    return Encoder("prores_ks", "yuva444p10le", ".mov", options)


def settled_codec(codec: VideoCodec, *, lossless: bool, source_depth: int) -> VideoCodec:
    """The codec that `AUTO` means; any other as it is."""
    if codec is not VideoCodec.AUTO:
        return codec
    return VideoCodec.H265 if source_depth > 8 and not lossless else VideoCodec.H264


def rate_factor(codec: VideoCodec, quality: Quality | int) -> int:
    """The constant rate factor that a quality means for H.264, H.265 or AV1."""
    if isinstance(quality, Quality):
        return _QUALITY[codec] + _CODED_WORSE[quality]
    return quality


def _lossless(codec: VideoCodec, effort: Effort) -> Encoder:
    if codec is VideoCodec.FFV1:
        options = {"level": "3", "slices": "4", "slicecrc": "1"}
        return Encoder("ffv1", "bgr0", options=options)
    preset = _PRESETS[codec][effort]
    if codec is VideoCodec.H264:
        return Encoder("libx264rgb", "bgr24", options={"preset": preset, "qp": "0"})
    return Encoder(
        "libx265",
        "gbrp",
        options={"preset": preset, "x265-params": "log-level=none:lossless=1"},
        tag="hvc1",
    )


def _lossy(
    codec: VideoCodec,
    quality: Quality | int,
    pixel_format: PixelFormat,
    effort: Effort,
    source_depth: int,
) -> Encoder:
    wanted = None if pixel_format is PixelFormat.AUTO else pixel_format.value
    if codec is VideoCodec.PRORES:
        pix_fmt = wanted or "yuv422p10le"
        # Profiles of ProRes: 3 = 422 HQ, 4 = 4444.
        profile = "4" if pix_fmt.startswith("yuv444") else "3"
        return Encoder("prores_ks", pix_fmt, ".mov", {"profile": profile, "vendor": "apl0"})
    ten_bit = source_depth > 8 and codec in _TEN_BIT_OF_AUTO
    pix_fmt = wanted or ("yuv420p10le" if ten_bit else "yuv420p")
    options = {
        "crf": str(rate_factor(codec, quality)),
        "preset": _PRESETS[codec][effort],
    }
    if codec is VideoCodec.H264:
        return Encoder("libx264", pix_fmt, options=options)
    if codec is VideoCodec.H265:
        options["x265-params"] = "log-level=none"
        return Encoder("libx265", pix_fmt, options=options, tag="hvc1")
    # The library prints its settings on standard error and listens to nothing else.
    os.environ.setdefault("SVT_LOG", "1")
    return Encoder("libsvtav1", pix_fmt, options=options)
