# pyright: strict
"""HDR's static metadata: the screen that a video was made on, and how bright it gets.

Decoders give them with a key frame; encoders of H.265 and AV1 write them into the stream.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction

from av.video.frame import VideoFrame as AVFrame

from dflcolab.media.encoders import Encoder
from dflcolab.media.rotation import side_data_bytes

Point = tuple[Fraction, Fraction]

_SCREEN_BYTES = 88
_CHROMA_STEPS = 50_000
_LIGHT_STEPS = 10_000


@dataclass(frozen=True)
class Screen:
    """The mastering display (SMPTE ST 2086).

    Attributes:
        red: Chromaticity x, y of its red.
        green: Of its green.
        blue: Of its blue.
        white: Of its white.
        darkest: Luminance in candela per square meter.
        brightest: Likewise.
    """

    red: Point
    green: Point
    blue: Point
    white: Point
    darkest: Fraction
    brightest: Fraction


@dataclass(frozen=True)
class HdrMetadata:
    """What a video states of its light.

    Attributes:
        screen: The mastering display, None if not stated.
        light: Brightest pixel, and mean of the brightest frame, in candela per square meter (CTA-861.3);
            None if not stated.
    """

    screen: Screen | None = None
    light: tuple[int, int] | None = None


def hdr_of(frame: AVFrame) -> HdrMetadata | None:
    """What a decoded frame carries; None if nothing.

    The bytes are FFmpeg's: a fraction is two numbers of 32 bits; three colors, white, least and most
    light, then whether colors and light are meant.
    """
    screen = light = None
    data = side_data_bytes(frame, "MASTERING_DISPLAY_METADATA")
    if data is not None and len(data) >= _SCREEN_BYTES:
        numbers = struct.unpack("=22i", data[:_SCREEN_BYTES])
        if all(numbers[-2:]) and all(numbers[1:20:2]):
            parts = [Fraction(*numbers[i : i + 2]) for i in range(0, 20, 2)]
            points = [(parts[i], parts[i + 1]) for i in range(0, 8, 2)]
            screen = Screen(*points, darkest=parts[8], brightest=parts[9])
    data = side_data_bytes(frame, "CONTENT_LIGHT_LEVEL")
    if data is not None and len(data) >= 8:
        brightest, mean = struct.unpack("=2I", data[:8])
        if brightest or mean:  # both 0: not known
            light = (int(brightest), int(mean))
    return HdrMetadata(screen, light) if screen or light else None


def carries_hdr(encoder: Encoder) -> bool:
    """Whether an encoder can write the metadata."""
    return encoder.name in ("libx265", "libsvtav1") and encoder.bit_depth == 10


def with_hdr(encoder: Encoder, hdr: HdrMetadata) -> Encoder:
    """The encoder, writing the metadata; for those that `carries_hdr` names."""
    x265 = encoder.name == "libx265"
    words: list[str] = []
    if hdr.screen is not None:
        name = "master-display" if x265 else "mastering-display"
        words.append(f"{name}={_screen_text(hdr.screen, whole=x265)}")
    if hdr.light is not None:
        name = "max-cll" if x265 else "content-light"
        words.append(f"{name}={hdr.light[0]},{hdr.light[1]}")
    key = "x265-params" if x265 else "svtav1-params"
    before = [encoder.options[key]] if key in encoder.options else []
    return replace(encoder, options={**encoder.options, key: ":".join([*before, *words])})


def _screen_text(screen: Screen, *, whole: bool) -> str:
    """As the encoders read it: in steps as the stream holds them, or in units."""

    def number(value: Fraction, steps: int) -> str:
        return str(round(value * steps)) if whole else f"{float(value):.5f}"

    colors = zip("GBR", (screen.green, screen.blue, screen.red), strict=True)
    points = [*colors, ("WP", screen.white)]
    text = "".join(
        f"{name}({number(x, _CHROMA_STEPS)},{number(y, _CHROMA_STEPS)})" for name, (x, y) in points
    )
    brightest, darkest = (number(v, _LIGHT_STEPS) for v in (screen.brightest, screen.darkest))
    return f"{text}L({brightest},{darkest})"
