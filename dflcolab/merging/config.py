# pyright: strict
"""How a face is put into its frame, and what a merge run works on.

`CompositeOptions` holds DeepFaceLab's options under its names and in its units, so that settings
people know carry over; `MergeConfig` is the command. The options are read from a TOML file and
from `--set name=value`, so a look that was found once can be kept and shared as a file.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from dflcolab.config import Config, from_mapping, option, parse_assignments, parse_toml
from dflcolab.errors import ConfigError

E = TypeVar("E")

DEFAULT_FILE = "merge.toml"
"""Options file that is used when the workspace holds it and none is named."""


class Mode(enum.Enum):
    """What the merged frame shows."""

    ORIGINAL = "original"
    OVERLAY = "overlay"
    HIST_MATCH = "hist-match"
    SEAMLESS = "seamless"
    SEAMLESS_HIST_MATCH = "seamless-hist-match"
    RAW_RGB = "raw-rgb"
    RAW_PREDICT = "raw-predict"

    @property
    def is_raw(self) -> bool:
        """True where the prediction is shown without shaping its mask or its colors."""
        return self in (Mode.RAW_RGB, Mode.RAW_PREDICT)

    @property
    def is_seamless(self) -> bool:
        """True where the face is blended by its gradients."""
        return self in (Mode.SEAMLESS, Mode.SEAMLESS_HIST_MATCH)

    @classmethod
    def _missing_(cls, value: object) -> Mode | None:
        return _by_number(tuple(cls), value)


class MaskMode(enum.Enum):
    """Which masks decide where the new face shows."""

    FULL = "full"
    DST = "dst"
    LEARNED_PRD = "learned-prd"
    LEARNED_DST = "learned-dst"
    LEARNED_BOTH = "learned-prd*learned-dst"
    LEARNED_EITHER = "learned-prd+learned-dst"

    @classmethod
    def _missing_(cls, value: object) -> MaskMode | None:
        text = str(value).lower()
        if "xseg" in text or text in ("6", "7", "8", "9"):
            raise ConfigError(
                f"mask_mode = {value!r} needs an XSeg mask, which merging does not offer yet; "
                f"choose {cls.LEARNED_BOTH.value} or another mode without XSeg."
            )
        return _by_number(tuple(cls), value)


class ColorTransferMode(enum.Enum):
    """How the face takes over the colors of the frame; `-m`: computed inside the mask only."""

    NONE = "none"
    RCT = "rct"
    LCT = "lct"
    MKL = "mkl"
    MKL_M = "mkl-m"

    @classmethod
    def _missing_(cls, value: object) -> ColorTransferMode | None:
        if str(value) in ("5", "6", "7", "8", "idt", "idt-m", "sot-m", "mix-m"):
            raise ConfigError(
                f"color_transfer_mode = {value!r} is not offered by merging yet; "
                f"choose one of {', '.join(member.value for member in cls)}."
            )
        return _by_number(tuple(cls), value)


class SharpenMode(enum.Enum):
    """Filter behind `blursharpen_amount`."""

    NONE = "none"
    BOX = "box"
    GAUSSIAN = "gaussian"

    @classmethod
    def _missing_(cls, value: object) -> SharpenMode | None:
        return _by_number(tuple(cls), value)


class FrameSource(enum.Enum):
    """Where the dst frames are read from."""

    AUTO = "auto"
    PICTURES = "pictures"
    VIDEO = "video"


def _by_number(members: tuple[E, ...], value: object) -> E | None:
    """DeepFaceLab's menus count the choices from 0; its numbers are understood as well."""
    text = str(value)
    return members[int(text)] if text.isdecimal() and int(text) < len(members) else None


@dataclass(frozen=True, kw_only=True)
class CompositeOptions(Config):
    """The look of the merged face. Names, ranges and units are DeepFaceLab's."""

    mode: Mode = option(Mode.OVERLAY)
    """What the frame shows. `overlay` pastes the face through its mask; `seamless` blends
    gradients, which hides color seams but may flicker; `hist-match` matches the brightness curve;
    `original` leaves the frame and writes the mask; the raw modes show the prediction as it is."""

    mask_mode: MaskMode = option(MaskMode.LEARNED_BOTH)
    """Which mask decides where the new face shows: the whole crop (`full`), the hull of the
    landmarks (`dst`), the masks the model learned, their product or their sum."""

    erode_mask_modifier: int = option(0, low=-400, high=400)
    """Shrinks (positive) or grows (negative) the mask, in quarter pixels of the model's
    resolution. Raise it when the edge of the new face shows."""

    blur_mask_modifier: int = option(0, low=0, high=400)
    """Softens the edge of the mask inwards, in quarter pixels of the model's resolution. 10 to 60
    hides most edges; too much makes the face transparent at the cheeks."""

    color_transfer_mode: ColorTransferMode = option(ColorTransferMode.RCT)
    """How the face takes over the frame's colors. `rct` matches mean and spread, `lct` and `mkl`
    the whole covariance; choose another when the skin gets spots or a tint. Under 5 ms each."""

    output_face_scale: int = option(0, low=-50, high=50)
    """Pastes the face larger (negative) or smaller (positive), in percent. For src and dst faces
    of different proportions."""

    masked_hist_match: bool = option(default=True)
    """Compare only the masked part in the hist-match mode. Switch off for a very small mask."""

    hist_match_threshold: int = option(238, low=0, high=255)
    """Brightness at which the hist-match modes cut highlights off; lower is darker."""

    sharpen_mode: SharpenMode = option(SharpenMode.NONE)
    """Filter that a positive `blursharpen_amount` uses; `gaussian` is the milder one."""

    blursharpen_amount: int = option(0, low=-100, high=100)
    """Positive sharpens the new face (needs a `sharpen_mode`), negative smooths it, to match the
    footage. A few units are enough."""

    motion_blur_power: int = option(0, low=0, high=100)
    """Blurs the new face along its movement, in percent of the way it goes in two frames. For
    footage with motion blur; works only where no frame holds two faces."""

    image_denoise_power: int = option(0, low=0, high=500)
    """Smooths the whole frame, not the face, with median filters; 100 is ten passes. For grainy
    footage under a smooth face. Slow."""

    bicubic_degrade_power: int = option(0, low=0, high=100)
    """Takes detail from the whole frame by scaling it down and up, for a face that is softer than
    its frame. Slow."""


@dataclass(frozen=True, kw_only=True)
class MergeConfig(Config):
    """What to merge, with which model and which look."""

    model: str
    """Name of the model, a folder under `model/`."""

    config: Path | None = None
    """TOML file with options of the look (mode, mask_mode, erode_mask_modifier …). Without it,
    `merge.toml` of the workspace is used if there is one."""

    set: tuple[str, ...] = ()
    """Options of the look as name=value, stronger than the file:
    mode, mask_mode, erode_mask_modifier, blur_mask_modifier, color_transfer_mode,
    output_face_scale and the others of DeepFaceLab's merger."""

    morph: float = option(1.0, low=0.0, high=1.0)
    """AMP models only: how far dst's face is morphed towards src, 0 = dst itself, 1 = all src."""

    frames: str | None = None
    """Part of the frames to merge, as A:B: from the A-th up to and without the B-th, counted
    from 0; either may be left out (`:100`, `500:`). For trying a look quickly."""

    source: FrameSource = option(FrameSource.AUTO)
    """Read the frames from the dst video or from the pictures in `data_dst`. `auto` takes the
    pictures if there are any."""

    provenance: bool = option(default=True)
    """Sign every merged picture as made with a trained model (C2PA manifest and metadata tag).
    Costs some milliseconds a frame; the finished video is signed in any case."""

    threads: int = option(0, low=0, high=256, advanced=True)
    """Threads that compose and write; 0 takes one for each processor core."""

    batch: int = option(8, low=1, high=256, advanced=True)
    """Faces predicted at once. More uses a GPU better and needs more of its memory."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.frame_range  # noqa: B018 - checks the text

    @property
    def frame_range(self) -> tuple[int, int | None]:
        """First frame and end (not included; None: the last) that `frames` asks for.

        Raises:
            ConfigError: The text is not of the form A:B.
        """
        if self.frames is None:
            return 0, None
        begin, colon, end = self.frames.partition(":")
        parts = [part.strip() for part in (begin, end)]
        if not colon or any(part and not part.isdecimal() for part in parts):
            raise ConfigError(
                f"frames = {self.frames!r} is not of the form A:B; write for example 100:200."
            )
        first = int(parts[0] or 0)
        stop = int(parts[1]) if parts[1] else None
        if stop is not None and stop <= first:
            raise ConfigError(f"frames = {self.frames!r} holds no frame; B must be above A.")
        return first, stop


def load_options(config: MergeConfig, root: Path) -> CompositeOptions:
    """The look that a merge command asks for: the file, then `--set` over it.

    Args:
        config: The command; a relative `config` path is looked up here, then in the workspace.
        root: Folder of the workspace.

    Raises:
        ConfigError: The file is missing, is not TOML, or holds something not understood.
    """
    path = _options_file(config.config, root)
    values: dict[str, object] = {}
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path} cannot be read as text: {error}; give another --config."
            ) from error
        values = cast("dict[str, object]", parse_toml(text, source=str(path)))
        from_mapping(CompositeOptions, values, source=str(path))
    return from_mapping(CompositeOptions, {**values, **parse_assignments(config.set)})


def _options_file(given: Path | None, root: Path) -> Path | None:
    if given is None:
        default = root / DEFAULT_FILE
        return default if default.is_file() else None
    for path in (given, root / given):
        if path.is_file():
            return path
    raise ConfigError(f"The options file {given} does not exist; correct --config.")
