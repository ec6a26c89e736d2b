# pyright: strict
"""Options of `frames` and `encode`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dflcolab.config import Config, option
from dflcolab.errors import ConfigError


class VideoCodec(enum.StrEnum):
    """How result videos are compressed."""

    AUTO = "auto"
    H264 = "h264"
    H265 = "h265"
    AV1 = "av1"
    FFV1 = "ffv1"
    PRORES = "prores"


class PixelFormat(enum.StrEnum):
    """How much color detail and depth a result video keeps."""

    AUTO = "auto"
    YUV420 = "yuv420p"
    YUV422 = "yuv422p"
    YUV444 = "yuv444p"
    YUV420_10 = "yuv420p10le"
    YUV422_10 = "yuv422p10le"
    YUV444_10 = "yuv444p10le"


class Effort(enum.StrEnum):
    """How long the encoder may look for a smaller file."""

    FAST = "fast"
    MEDIUM = "medium"
    SLOW = "slow"


class Quality(enum.StrEnum):
    """How good the pictures are and how long they may take, in one word."""

    DRAFT = "draft"
    GOOD = "good"
    BEST = "best"


class Comparison(enum.StrEnum):
    """How a comparison video shows a frame before and after."""

    SIDE_BY_SIDE = "side-by-side"
    WIPE = "wipe"


class Export(enum.StrEnum):
    """What other programs get of a merge."""

    FOREGROUND = "foreground"
    PNG = "png"
    MASKS = "masks"
    TRANSFORMS = "transforms"


@dataclass(frozen=True, kw_only=True)
class FramesConfig(Config):
    """How frames are written as pictures."""

    side: Literal["src", "dst"]
    """Whose videos: `src` or `dst`."""

    fps: float | None = option(None, low=0.01, high=1000)
    """Frames per second of video to keep, chosen by their times; all if not given. Lower it for a long
    src video; leave it alone for dst, where encode needs every frame."""

    ext: Literal["png", "jpg"] = "png"
    """Kind of picture. PNG is exact; JPEG takes a tenth of the space and loses a little."""

    jpeg_quality: int = option(97, low=1, high=100)
    """Quality of JPEG pictures."""


@dataclass(frozen=True, kw_only=True)
class EncodeConfig(Config):
    """How the result video is written."""

    codec: VideoCodec = VideoCodec.AUTO
    """auto: h264, which plays everywhere; h265 where the dst video has more than eight bits, which h264
    players cannot show. h265 and av1 make smaller files and take longer. ffv1 (exact) and prores (nearly) are
    for editing programs, and large."""

    quality: int | Quality = Quality.GOOD
    """draft: for a quick look, in half the time and two thirds of the size. good: hard to tell from the
    merged frames. best: for further work, in three to five times the time and up to two and a half times as large. Or a
    constant rate factor of h264, h265 and av1 as a number: lower is better and larger; good is 16, 18
    and 24."""

    lossless: bool = False
    """Keep every pixel of the merged frames (h264, h265, ffv1). Files are ten times as large, and few
    browsers play them; meant for further editing."""

    pixel_format: PixelFormat = PixelFormat.AUTO
    """Color detail and depth. auto: yuv420p, which plays everywhere (h265 and av1: ten bits if the dst
    video has them). yuv444p keeps full color detail and odd picture sizes, but fewer players take it."""

    effort: Effort | None = option(None)
    """Not given: as `quality` says. slow takes three to four times as long for a picture that is a little better or a file that is up
    to a fifth smaller; fast takes half the time and looks a little worse."""

    hardware: bool = False
    """Let the graphics card encode h264, h265 or av1 if a trial shows that it can (NVIDIA, AMD, Intel,
    Apple). Meant for 4K and larger, where the processor is slow; cards make larger files for the same
    picture, so the processor does it unless you ask."""

    container: Literal["auto", "mp4", "mov"] = "auto"
    """auto: mp4, or mov for prores. Others (mkv, webm) are not offered: the signed note that
    the video is synthetic cannot be kept in them."""

    fps: float = option(25.0, low=0.1, high=1000)
    """Frames per second when data_dst was given as pictures; a dst video brings its own times."""

    allow_missing: bool = False
    """Use the original frame where a merged frame is missing. Without it encode refuses, because it
    usually means that the merge has not finished."""

    mask: bool = True
    """Also write result_mask.mp4 when the merge left masks in data_dst/merged_mask."""

    comparison: Comparison | None = option(None)
    """Also write result_comparison.mp4, which shows the frames before and after: side-by-side, or with a line
    that wipes over the picture."""

    clip: Literal["gif", "mp4"] | None = None
    """Also write a short small clip for showing around, result_clip.gif (or .mp4, without sound)."""

    clip_start: float = option(0.0, low=0, high=86400)
    """Second of the video at which the clip begins."""

    clip_length: float = option(4.0, low=0.1, high=60)
    """Length of the clip in seconds. A GIF of the usual width takes about a megabyte a second."""

    clip_width: int = option(480, low=16, high=3840)
    """Width of the clip in pixels, at most that of the merged frames."""

    label: str | None = option(None)
    """Words to write into the lower left corner of every frame, such as "AI-generated". The signed note
    and the tag say the same to programs; the words say it to people."""

    certificate: Path | None = option(None)
    """Sign with this certificate instead of the machine's own: a PEM file with private key (no
    password), certificate and issuers. One from an authority also proves who made the video."""

    export: tuple[Export, ...] = ()
    """Also write parts for compositing programs to export/: foreground (ProRes 4444 with alpha), png (the
    same as pictures), masks (pictures), transforms (landmarks and matrices of every frame as JSON)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rated = self.codec in (VideoCodec.AUTO, VideoCodec.H264, VideoCodec.H265, VideoCodec.AV1)
        if isinstance(self.quality, int) and not isinstance(self.quality, enum.Enum):
            if self.lossless or not rated:
                what = "lossless video" if self.lossless else self.codec.value
                raise ConfigError(f"quality has no meaning for {what}; leave it out.")
            highest = 63 if self.codec is VideoCodec.AV1 else 51
            if not 0 <= self.quality <= highest:
                raise ConfigError(
                    f"quality = {self.quality} is out of range; {self.codec} takes 0 to {highest}."
                )
        if self.hardware and (
            self.lossless or not rated or self.pixel_format is not PixelFormat.AUTO
        ):
            what = "lossless video" if self.lossless else self.codec.value
            if rated and not self.lossless:
                what = self.pixel_format.value
            raise ConfigError(f"The graphics card does not encode {what}; leave hardware out.")
        if self.lossless and self.codec in (VideoCodec.AV1, VideoCodec.PRORES):
            raise ConfigError(f"{self.codec} cannot be lossless; choose h264, h265 or ffv1.")
        if self.codec is VideoCodec.PRORES and self.container == "mp4":
            raise ConfigError("prores does not fit into mp4; choose the container mov or auto.")
        if self.codec is VideoCodec.FFV1 and self.container == "mov":
            raise ConfigError("ffv1 does not fit into mov; choose the container mp4 or auto.")
