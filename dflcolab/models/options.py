# pyright: strict
"""Options that the kinds of models share, under DeepFaceLab's names, with its ranges.

Tables: DFL interoperability notes, section 1.3. Where DeepFaceLab has a defect, the default does
as it does, and an option of its own offers the repair.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dflcolab.config import Config, option
from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType

TRAINABLE_FACE_TYPES = (
    FaceType.HALF, FaceType.MIDFULL, FaceType.FULL, FaceType.WHOLE, FaceType.HEAD,
)  # fmt: skip
"""What DeepFaceLab trains on."""


def check_trainable(face_type: FaceType) -> None:
    """Refuse a face type that DeepFaceLab does not train on.

    Raises:
        ConfigError: It is none of `TRAINABLE_FACE_TYPES`.
    """
    if face_type not in TRAINABLE_FACE_TYPES:
        raise ConfigError(
            f"face_type = {face_type.value} cannot be trained; choose half_face, "
            "midfull_face, full_face, whole_face or head."
        )


class LearningRateDropout(enum.StrEnum):
    """DFL's answers to learning-rate dropout; `cpu` only said where to draw the masks."""

    NO = "n"
    YES = "y"
    CPU = "cpu"


class ColorTransfer(enum.StrEnum):
    """How src samples take over the colors of dst samples."""

    NONE = "none"
    RCT = "rct"
    LCT = "lct"
    MKL = "mkl"
    IDT = "idt"
    SOT = "sot"


@dataclass(frozen=True, kw_only=True)
class RunOptions(Config):
    """What every kind of model stores about its runs."""

    target_iter: int = option(0, low=0)
    """Iteration at which training ends by itself; 0 = never."""

    batch_size: int = option(4, low=1, high=512)
    """Faces per side and step. More is steadier and needs more memory."""

    autobackup_hour: int = option(0, low=0, high=24)
    """DeepFaceLab's hours between copies of the whole model; 0 = never. Kept for models that go back
    there: here every save is a complete checkpoint, and the latest ones and the best one stay."""

    write_preview_history: bool = False
    """Kept for DeepFaceLab. Here --preview-every says how often a preview picture is kept."""

    models_opt_on_gpu: bool = True
    """Kept for DeepFaceLab, which can hold weights and optimizer in main memory. Here they are
    always on the device that trains."""

    mean_gradient: bool = option(False, advanced=True)
    """DeepFaceLab adds up the gradients of a batch, so clipgrad acts more strongly on large
    batches. yes: take their mean, which makes batch sizes comparable."""


@dataclass(frozen=True, kw_only=True)
class SwapOptions(RunOptions):
    """What SAEHD and AMP have in common.

    Upper limits and steps are those that DFL asks for; smaller dims than DFL's own minimum are
    allowed, because DFL loads such models too.
    """

    random_scale: ClassVar[float] = 0.15

    resolution: int = option(128, low=32, high=640)
    """Size of the faces the model paints, in pixels. More shows more detail and costs its square in
    time and memory. A multiple of 32 (SAEHD without d and t: 16). Fixed when the model is made."""

    face_type: FaceType = FaceType.FULL
    """How much of the head is learned and swapped. Must not be wider than the faceset. Fixed when
    the model is made."""

    ae_dims: int = option(256, low=2, high=1024)
    """Width of the bottleneck. Too little loses expressions. Fixed when the model is made."""

    e_dims: int = option(64, low=2, high=256)
    """Width of the encoder; even. Fixed when the model is made."""

    d_dims: int = option(64, low=2, high=256)
    """Width of the decoder; even. The largest share of time and memory. Fixed when made."""

    d_mask_dims: int = option(22, low=2, high=256)
    """Width of the mask decoder; even. A third of d_dims where it is not given. Fixed when the
    model is made."""

    uniform_yaw: bool = False
    """Show all head turns equally often; helps when profiles are few."""

    blur_out_mask: bool = False
    """Blur the picture outside the mask near its edge; a smoother face outline."""

    lr_dropout: LearningRateDropout = LearningRateDropout.NO
    """y: update a random 30 % of the weights at each step. Switch on when the face is learned, to
    gain detail."""

    random_warp: bool = True
    """Distort the input at random so that the face is learned rather than copied. Switch off at the
    end for the last detail."""

    ct_mode: ColorTransfer = ColorTransfer.NONE
    """Give src faces the colors of random dst faces while training: rct, lct, mkl, idt or sot. Helps
    where the light of both sides differs."""

    clipgrad: bool = False
    """Limit the size of each step; protects against collapse, costs a little speed."""

    pretrain: bool = False
    """Train on a general faceset on both sides, to start real training from a better place. Set by
    the commands pretrain and train."""

    random_src_flip: bool = False
    """Mirror src faces at random; more angles, but an asymmetric face loses its asymmetry."""

    random_dst_flip: bool = True
    """Mirror dst faces at random; more angles to learn from."""

    batch_size: int = option(8, low=1, high=512)
    """Faces per side and step. More is steadier and needs more memory."""

    learning_rate: float = option(5e-5, low=1e-7, high=1e-2)
    """Size of a step. DFL always uses 5e-5; more speeds up short runs and risks collapse."""

    gan_power: float = option(0.0, low=0.0, high=5.0)
    """Strength of a second network that judges whether a face looks real; finer detail. Switch on
    last, when the model is trained, at 0.1; a high value brings artifacts. Costs about a third of
    the speed. 0 = off."""

    gan_patch_size: int | None = option(None, low=3, high=640)
    """Size of the patches that the judge looks at, in pixels; none = an eighth of the resolution.
    Larger finds larger faults and costs memory. A change starts the judge anew."""

    gan_dims: int = option(16, low=4, high=512)
    """Width of the judge. More finds finer faults and costs memory. A change starts it anew."""

    tv_axes_of_gpu: bool = option(False, advanced=True)
    """With gan_power, the picture is smoothed a little along height and width. On GPUs DeepFaceLab
    mixes up the axes and smooths along color and height. yes: do that as well."""

    reset_moments_after_pretrain: bool = option(False, advanced=True)
    """DeepFaceLab keeps the optimizer's memory of networks that start anew after pretraining,
    although it no longer fits. yes: let those start anew as well."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_trainable(self.face_type)
        for name in ("e_dims", "d_dims", "d_mask_dims"):
            if getattr(self, name) % 2:
                raise ConfigError(
                    f"{name} = {getattr(self, name)} is odd; choose {getattr(self, name) + 1}."
                )

    @property
    def gan_patch(self) -> int:
        """The patch size that is used."""
        return self.resolution // 8 if self.gan_patch_size is None else self.gan_patch_size

    @property
    def uses_gan(self) -> bool:
        """True where the patch discriminator trains; never in pretraining."""
        return self.gan_power > 0 and not self.pretrain


def default_mask_dims(d_dims: int) -> int:
    """DFL's width of the mask decoder for a width of the decoder: a third, made even."""
    third = d_dims // 3
    return max(2, third + third % 2)


def plain_answers(values: Mapping[str, object]) -> dict[str, Any]:
    """Values as the options take them: short face types, and old answers to `lr_dropout`."""
    known: dict[str, Any] = dict(values)
    if isinstance(known.get("face_type"), str):
        known["face_type"] = FaceType.parse(known["face_type"])
    dropout = known.get("lr_dropout")
    if isinstance(dropout, bool) or str(dropout).lower() in ("true", "false"):
        known["lr_dropout"] = "y" if str(dropout).lower() == "true" else "n"
    return known
