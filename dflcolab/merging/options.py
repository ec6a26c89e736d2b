# pyright: strict
"""How a face is put into its frame: DeepFaceLab's options under its names and in its units.

Settings that people know carry over, numbers of DeepFaceLab's menus included. The texts under the
fields say effect, moment and cost; `docs/merging.md` shows them, and a test holds the two together.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Self

from dflcolab.config import Config, option


class _Choice(enum.Enum):
    """A choice that DeepFaceLab's menus count from 0; its numbers are understood as well."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        text, members = str(value), tuple(cls)
        return members[int(text)] if text.isdecimal() and int(text) < len(members) else None


class Mode(_Choice):
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


class MaskMode(_Choice):
    """Which masks decide where the new face shows."""

    FULL = "full"
    DST = "dst"
    LEARNED_PRD = "learned-prd"
    LEARNED_DST = "learned-dst"
    LEARNED_BOTH = "learned-prd*learned-dst"
    LEARNED_EITHER = "learned-prd+learned-dst"
    XSEG_PRD = "XSeg-prd"
    XSEG_DST = "XSeg-dst"
    XSEG_BOTH = "XSeg-prd*XSeg-dst"
    ALL = "learned-prd*learned-dst*XSeg-prd*XSeg-dst"

    @property
    def needs_swap_xseg(self) -> bool:
        """True where an XSeg network looks at the predicted face."""
        return self in (MaskMode.XSEG_PRD, MaskMode.XSEG_BOTH, MaskMode.ALL)

    @property
    def needs_dst_xseg(self) -> bool:
        """True where an XSeg network looks at the dst face."""
        return self in (MaskMode.XSEG_DST, MaskMode.XSEG_BOTH, MaskMode.ALL)

    @property
    def needs_xseg(self) -> bool:
        """True where an XSeg network is needed."""
        return self.needs_swap_xseg or self.needs_dst_xseg

    @classmethod
    def _missing_(cls, value: object) -> MaskMode | None:
        same = [member for member in cls if member.value.lower() == str(value).lower()]
        return same[0] if same else super()._missing_(value)


class ColorTransferMode(_Choice):
    """How the face takes over the colors of the frame; `-m`: learned inside the mask only."""

    NONE = "none"
    RCT = "rct"
    LCT = "lct"
    MKL = "mkl"
    MKL_M = "mkl-m"
    IDT = "idt"
    IDT_M = "idt-m"
    SOT_M = "sot-m"
    MIX_M = "mix-m"


class SharpenMode(_Choice):
    """Filter behind `blursharpen_amount`."""

    NONE = "none"
    BOX = "box"
    GAUSSIAN = "gaussian"


@dataclass(frozen=True, kw_only=True)
class CompositeOptions(Config):
    """The look of the merged face.

    Names, ranges and units are DeepFaceLab's; `morph` it asks for when merging begins.
    """

    mode: Mode = option(Mode.OVERLAY)
    """What the frame shows. `overlay` suits most footage; try `seamless` when the light on the two
    faces differs much, which costs twice the time and may flicker."""

    mask_mode: MaskMode = option(MaskMode.LEARNED_BOTH)
    """Which mask decides where the new face shows. The learned masks suit a well trained model, `dst`
    one that has learned no mask; take one with XSeg-dst when hands or hair cross the face. XSeg runs
    a second network, once or twice a face."""

    erode_mask_modifier: int = option(0, low=-400, high=400)
    """Shrinks (positive) or grows (negative) the mask, in quarter pixels of the model's resolution.
    Raise it when the edge of the new face shows. Costs some milliseconds."""

    blur_mask_modifier: int = option(0, low=0, high=400)
    """Softens the edge of the mask inwards, in quarter pixels of the model's resolution. 10 to 60
    hides most edges; too much makes the face transparent at the cheeks. Costs some milliseconds."""

    color_transfer_mode: ColorTransferMode = option(ColorTransferMode.RCT)
    """How the face takes over the frame's colors. Choose another when the skin gets spots or a tint.
    `rct`, `lct`, `mkl` and `mkl-m` cost little; composing takes twice the time with `idt` and `idt-m`,
    three times with `sot-m` and `mix-m`."""

    morph: float = option(1.0, low=0.0, high=1.0)
    """AMP models only: how far dst's face is morphed towards src, 0 = dst itself, 1 = all src. With
    keyframes the face changes before the viewer's eyes. Costs nothing."""

    output_face_scale: int = option(0, low=-50, high=50)
    """Pastes the face larger (negative) or smaller (positive), in percent. For src and dst faces of
    different proportions. Costs nothing."""

    masked_hist_match: bool = option(default=True)
    """Compare only the masked part in the hist-match mode. Switch off for a very small mask. Costs
    nothing."""

    hist_match_threshold: int = option(238, low=0, high=255)
    """Brightness at which the hist-match modes cut highlights off; lower is darker. Lower it when
    the forehead shines too much. Costs nothing."""

    super_resolution_power: int = option(0, low=0, high=100)
    """Mixes in the predicted face enlarged four times with firmer edges, in percent. For close-ups in
    which the face is larger than the model's resolution. Everything on the face then runs on sixteen
    times the pixels: five times slower."""

    sharpen_mode: SharpenMode = option(SharpenMode.NONE)
    """Filter that a positive `blursharpen_amount` uses. `gaussian` is the milder one; `box` multiplies
    detail, and noise with it. Costs nothing."""

    blursharpen_amount: int = option(0, low=-100, high=100)
    """Positive sharpens the new face (needs a `sharpen_mode`), negative smooths it, to match the
    footage. A few units are enough. Costs a second pass over the face, some milliseconds."""

    motion_blur_power: int = option(0, low=0, high=100)
    """Blurs the new face along its movement, in percent of the way it goes in two frames. For footage
    with motion blur; works only where no frame holds two faces. Costs some milliseconds."""

    image_denoise_power: int = option(0, low=0, high=500)
    """Smooths the whole frame, not the face, with median filters; 100 is ten passes. For grainy footage
    under a smooth face. Slow, two seconds a frame at 1080p for 500; frames without a face stay as they are."""

    bicubic_degrade_power: int = option(0, low=0, high=100)
    """Takes detail from the whole frame by scaling it down and up. For a face that is softer than its
    frame. Slow; frames without a face stay as they are."""

    color_degrade_power: int = option(0, low=0, high=100)
    """Mixes in the whole frame with 256 colors only, in percent. For footage that shows steps of color,
    such as old clips. Slow; frames without a face stay as they are."""

    smooth_landmarks: int = option(0, low=0, high=30)
    """Steadies the path of the face over that many frames on each side, without lag, and not across
    cuts. 3 to 6 when the face trembles against the head; too much rounds off fast nods. Reads the
    footage once for its cuts; else free."""

    smooth_masks: int = option(0, low=0, high=15)
    """Averages the masks of the networks over that many frames on each side. 1 to 3 when the edge of
    the face flickers; a hand that moves fast in front of it gets a soft trail. Each frame waits for
    those behind it, which takes memory."""

    smooth_colors: int = option(0, low=0, high=15)
    """Steadies brightness and tint of the new face over that many frames on each side. 3 to 8 when the
    face flickers; flashes of light then spread over their neighbors. Memory as above."""
