# pyright: strict
"""Options of `merge`; light, since the command line builds its help here."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from dflcolab.config import Config, option
from dflcolab.engine.checkpoint_choice import CheckpointChoice
from dflcolab.errors import ConfigError


class FrameSource(enum.Enum):
    """Where the dst frames are read from."""

    AUTO = "auto"
    PICTURES = "pictures"
    VIDEO = "video"


@dataclass(frozen=True, kw_only=True)
class MergeConfig(Config):
    """What to merge, with which model and which look."""

    model: str | None = None
    """Name of the model, a folder under `model/`. With `person`, the model of everybody else; without it
    everybody else stays as they are."""

    person: tuple[str, ...] = ()
    """A model for one person as NAME=MODEL, once for each: NAME is a number, a picture, auto or chosen, as
    `clean --identity` takes it. Looks at every dst face once, about 20 ms each."""

    checkpoint: CheckpointChoice = "latest"
    """Which state of the model, and of those of `person`: latest, best (the lowest score on held-out
    faces; look at both after an over-training), or the iteration of one that `model info` lists."""

    config: Path | None = None
    """TOML file with options of the look (mode, mask_mode, erode_mask_modifier …), for all frames, for
    ranges of them ([[range]]) and changing from frame to frame ([[keyframe]]). Without it, `merge.toml`
    of the workspace is used if there is one."""

    set: tuple[str, ...] = ()
    """Options of the look as name=value, for all frames and stronger than the file:
    mode, mask_mode, erode_mask_modifier, blur_mask_modifier, color_transfer_mode,
    output_face_scale and the others of DeepFaceLab's merger."""

    morph: float | None = option(None, low=0.0, high=1.0)
    """AMP models only: how far dst's face is morphed towards src, 0 = dst itself, 1 = all src; the same
    as --set morph=…."""

    xseg: str = "xseg"
    """Name of the XSeg model behind the mask modes with XSeg, a folder under `model/`."""

    xseg_checkpoint: CheckpointChoice = "latest"
    """Which state of the XSeg model, as `checkpoint` takes it."""

    enhancer: Path | None = None
    """FaceEnhancer.npy of a DeepFaceLab installation, for super_resolution_power. Without it faces are
    enlarged without a network. Slow without a GPU: seconds for each face."""

    frames: str | None = None
    """Part of the frames to merge, as A:B: from the A-th up to and without the B-th, counted
    from 0; either may be left out (`:100`, `500:`). For trying a look quickly."""

    preview: Path | None = None
    """Write one picture to this file (.jpg or .png) instead of merging: the first frame of `frames`
    with a face, before and after, side by side. Merged frames are left as they are."""

    video: bool = False
    """Make result.mp4 and result_mask.mp4 straight from the dst video, without a picture for each frame:
    needs a hundredth of the space, and no `encode` after it. Comparisons, clips and exports of `encode` need the pictures."""

    encode: tuple[str, ...] = ()
    """With `video`: options of `encode` as name=value (quality=best codec=h265 label=AI-generated …)."""

    source: FrameSource = option(FrameSource.AUTO)
    """Read the frames from the dst video or from the pictures in `data_dst`. `auto` takes the
    pictures if there are any; with `video` always the video."""

    provenance: bool = option(default=True)
    """Sign every merged picture as made with a trained model (C2PA manifest and metadata tag).
    Costs some milliseconds a frame; the finished video is signed in any case."""

    certificate: Path | None = option(None)
    """Sign merged pictures with this certificate instead of the machine's own: a PEM file with private
    key (no password), certificate and issuers."""

    threads: int = option(0, low=0, high=256, advanced=True)
    """Threads that compose and write; 0 takes one for each processor core."""

    batch: int = option(8, low=1, high=256, advanced=True)
    """Faces predicted at once. More uses a GPU better and needs more of its memory."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model is None and not self.person:
            raise ConfigError(
                "It is not said which model is to be used; name it with --model, or one for each person "
                "with --person 1=NAME."
            )
        self.frame_range  # noqa: B018 - checks the text
        if self.encode and not self.video:
            raise ConfigError(
                "Options of encode are only for merging straight to a video; add --video, or give them "
                "to `dflcolab encode`."
            )
        if self.video and self.source is FrameSource.PICTURES:
            raise ConfigError(
                "Pictures cannot be merged straight to a video; leave out --video, and run "
                "`dflcolab encode` after the merge."
            )
        if self.preview is not None and self.preview.suffix.lower() not in (
            ".jpg",
            ".jpeg",
            ".png",
        ):
            raise ConfigError(
                f"preview = {str(self.preview)!r} is no .jpg or .png; write for example look.jpg."
            )

    @property
    def wanted_source(self) -> FrameSource:
        """Where frames are read from, `video` taken into account."""
        return FrameSource.VIDEO if self.video else self.source

    @property
    def frame_range(self) -> tuple[int, int | None]:
        """First frame and end (not included; None: the last) that `frames` asks for.

        Raises:
            ConfigError: The text is not of the form A:B.
        """
        return (0, None) if self.frames is None else parse_range(self.frames)


def parse_range(text: str) -> tuple[int, int | None]:
    """First frame and end (not included; None: the last) of a text A:B; either may be left out.

    Raises:
        ConfigError: The text is not of that form, or holds no frame.
    """
    begin, colon, end = text.partition(":")
    parts = [part.strip() for part in (begin, end)]
    if not colon or any(part and not part.isdecimal() for part in parts):
        raise ConfigError(f"frames = {text!r} is not of the form A:B; write for example 100:200.")
    first = int(parts[0] or 0)
    stop = int(parts[1]) if parts[1] else None
    if stop is not None and stop <= first:
        raise ConfigError(f"frames = {text!r} holds no frame; B must be above A.")
    return first, stop
