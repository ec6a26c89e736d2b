# pyright: strict
"""Options of a SAEHD model under DeepFaceLab's names, with its defaults and ranges.

The table is that of the DFL interoperability notes, section 1.3. Options that this version cannot
serve are refused by name, so that nobody believes that they work.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dflcolab.config import Config, from_mapping, option
from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType

NOT_YET_AVAILABLE: Mapping[str, object] = {
    "true_face_power": 0.0,
    "face_style_power": 0.0,
    "bg_style_power": 0.0,
    "ct_mode": "none",
    "gan_power": 0.0,
}
"""Names that DeepFaceLab knows and this version does not serve, with the value that means off."""

NOT_NEEDED = (
    "models_opt_on_gpu", "autobackup_hour", "write_preview_history", "gan_patch_size", "gan_dims",
    "eyes_prio", "random_flip",
)  # fmt: skip
"""Names in DeepFaceLab's files that steer its program or belong to an option that is off."""

TRAINABLE_FACE_TYPES = (
    FaceType.HALF, FaceType.MIDFULL, FaceType.FULL, FaceType.WHOLE, FaceType.HEAD,
)  # fmt: skip
"""What DeepFaceLab trains on."""

STRUCTURE = ("resolution", "face_type", "archi", "ae_dims", "e_dims", "d_dims", "d_mask_dims")
"""Options that shape the weights: fixed when a model is created."""


class LearningRateDropout(enum.StrEnum):
    """DFL's answers to learning-rate dropout; `cpu` only said where to draw the masks."""

    NO = "n"
    YES = "y"
    CPU = "cpu"


@dataclass(frozen=True)
class Architecture:
    """Meaning of a string such as `liae-ud`.

    Attributes:
        family: `df` (one inter, two decoders) or `liae` (two inters, one decoder).
        pixel_norm: `u`, the code is normalised; better likeness.
        double: `d`, the output is made at double size by four interleaved heads.
        deep: `t`, deeper encoder with residual blocks and a four-stage decoder.
        cosine: `c`, `x * cos(x)` in place of every leaky ReLU.
    """

    family: str
    pixel_norm: bool = False
    double: bool = False
    deep: bool = False
    cosine: bool = False

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Read DFL's form: `df` or `liae`, then optionally `-` and letters of u, d, t, c.

        Raises:
            ConfigError: It is not of that form.
        """
        match = re.fullmatch(r"(df|liae)(?:-([udtc]*))?", text.strip().lower())
        if match is None or len(set(match[2] or "")) != len(match[2] or ""):
            raise ConfigError(
                f"archi = {text!r} is not known; write df or liae, then optionally - and some of "
                "the letters u, d, t, c (for example liae-ud)."
            )
        letters = match[2] or ""
        return cls(match[1], "u" in letters, "d" in letters, "t" in letters, "c" in letters)

    @property
    def resolution_step(self) -> int:
        """Number that a resolution must be a multiple of."""
        return 32 if self.double or self.deep else 16

    def __str__(self) -> str:
        flags = (self.pixel_norm, self.double, self.deep, self.cosine)
        letters = "".join(letter for letter, on in zip("udtc", flags, strict=True) if on)
        return f"{self.family}-{letters}" if letters else self.family


@dataclass(frozen=True, kw_only=True)
class SaehdOptions(Config):
    """What a SAEHD model is and how it trains.

    Upper limits and steps are those that DFL asks for; smaller dims than DFL's own minimum are
    allowed, because DFL loads such models too.
    """

    resolution: int = option(128, low=32, high=640)
    """Size of the faces the model paints, in pixels. More shows more detail and costs its square in
    time and memory. A multiple of 16, of 32 when archi has d or t. Fixed when the model is made."""

    face_type: FaceType = FaceType.FULL
    """How much of the head is learned and swapped. Must not be wider than the faceset. Fixed when
    the model is made."""

    archi: str = "liae-ud"
    """df keeps the identity of src strictly; liae adapts to light and shape of dst. Letters: u
    better likeness, d double resolution at the same cost, t sharper and slower, c experimental.
    Fixed when the model is made."""

    ae_dims: int = option(256, low=2, high=1024)
    """Width of the bottleneck. Too little loses expressions. Fixed when the model is made."""

    e_dims: int = option(64, low=2, high=256)
    """Width of the encoder; even. Fixed when the model is made."""

    d_dims: int = option(64, low=2, high=256)
    """Width of the decoder; even. The largest share of time and memory. Fixed when made."""

    d_mask_dims: int = option(22, low=2, high=256)
    """Width of the mask decoder; even. Fixed when the model is made."""

    masked_training: bool = True
    """Learn only what lies inside the mask. Off: learn the background as well."""

    eyes_mouth_prio: bool = False
    """Weigh eyes and mouth more; helps against wrong gaze and blurred teeth."""

    uniform_yaw: bool = False
    """Show all head turns equally often; helps when profiles are few."""

    blur_out_mask: bool = False
    """Blur the picture outside the mask near its edge; a smoother face outline."""

    adabelief: bool = True
    """AdaBelief: better faces, a third more optimizer memory than RMSprop."""

    lr_dropout: LearningRateDropout = LearningRateDropout.NO
    """y: update a random 30 % of the weights at each step. Switch on when the face is learned, to
    gain detail."""

    random_warp: bool = True
    """Distort the input at random so that the face is learned rather than copied. Switch off at the
    end for the last detail."""

    random_hsv_power: float = option(0.0, low=0.0, high=0.3)
    """Random colour shift of the src input; makes the model less picky about light. Try 0.05."""

    clipgrad: bool = False
    """Limit the size of each step; protects against collapse, costs a little speed."""

    pretrain: bool = False
    """Train on a general faceset on both sides, to start real training from a better place."""

    target_iter: int = option(0, low=0)
    """Iteration at which training ends by itself; 0 = never."""

    random_src_flip: bool = False
    """Mirror src faces at random; more angles, but an asymmetric face loses its asymmetry."""

    random_dst_flip: bool = True
    """Mirror dst faces at random; better generalisation."""

    batch_size: int = option(4, low=1, high=512)
    """Faces per side and step. Larger is steadier and needs memory."""

    learning_rate: float = option(5e-5, low=1e-7, high=1e-2, advanced=True)
    """Size of a step. DFL always uses 5e-5; more speeds up short runs and risks collapse."""

    def __post_init__(self) -> None:
        super().__post_init__()
        step = self.architecture.resolution_step
        if self.resolution % step:
            raise ConfigError(
                f"resolution = {self.resolution} does not fit archi {self.archi}; "
                f"choose a multiple of {step}."
            )
        if self.face_type not in TRAINABLE_FACE_TYPES:
            raise ConfigError(
                f"face_type = {self.face_type.value} cannot be trained; choose half_face, "
                "midfull_face, full_face, whole_face or head."
            )
        for name in ("e_dims", "d_dims", "d_mask_dims"):
            if getattr(self, name) % 2:
                raise ConfigError(
                    f"{name} = {getattr(self, name)} is odd; choose {getattr(self, name) + 1}."
                )

    @property
    def architecture(self) -> Architecture:
        """The parsed `archi`."""
        return Architecture.parse(self.archi)

    @property
    def structure(self) -> dict[str, object]:
        """The options that shape the weights, by name."""
        found: dict[str, object] = {name: getattr(self, name) for name in STRUCTURE}
        found["archi"] = str(self.architecture)
        return found

    @property
    def trains_inter_ab(self) -> bool:
        """False where DFL keeps liae's `inter_AB` as it is (no warp, and so all of pretraining)."""
        return self.random_warp and not self.pretrain


def saehd_options(values: Mapping[str, object], *, source: str = "") -> SaehdOptions:
    """Build the options from plain values or text (`--set`, JSON).

    Face types may be given as DFL's letters (`wf`); `lr_dropout` as an old true or false.

    Raises:
        ConfigError: Unknown or not yet available name, wrong type, out of range.
    """
    known: dict[str, Any] = dict(values)
    for name in known:
        if name in NOT_YET_AVAILABLE or name in NOT_NEEDED:
            raise ConfigError(
                f"The option {name!r} of DeepFaceLab is not available in this version; leave it out."
            )
    if isinstance(known.get("face_type"), str):
        known["face_type"] = FaceType.parse(known["face_type"])
    dropout = known.get("lr_dropout")
    if isinstance(dropout, bool) or str(dropout).lower() in ("true", "false"):
        known["lr_dropout"] = "y" if str(dropout).lower() == "true" else "n"
    return from_mapping(SaehdOptions, known, source=source)


def options_from_dfl(values: Mapping[str, object], *, source: str = "") -> SaehdOptions:
    """Build the options from the `options` of DFL's `data.dat`.

    What only steers DFL's program is left out, and so is what is switched off.

    Raises:
        ConfigError: The model uses something that this version cannot do.
    """
    known = {name: value for name, value in values.items() if name not in NOT_NEEDED}
    for name, off in NOT_YET_AVAILABLE.items():
        if known.get(name, off) == off:
            known.pop(name, None)
    return saehd_options(known, source=source)
