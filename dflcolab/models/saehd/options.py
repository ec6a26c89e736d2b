# pyright: strict
"""Options of a SAEHD model under DeepFaceLab's names, with its defaults and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dflcolab.config import from_mapping, option
from dflcolab.errors import ConfigError
from dflcolab.models.architecture import Architecture
from dflcolab.models.options import SwapOptions, default_mask_dims, plain_answers


@dataclass(frozen=True, kw_only=True)
class SaehdOptions(SwapOptions):
    """What a SAEHD model is and how it trains."""

    arch: ClassVar[str] = "saehd"
    structure_names: ClassVar[tuple[str, ...]] = (
        "resolution", "face_type", "archi", "ae_dims", "e_dims", "d_dims", "d_mask_dims",
    )  # fmt: skip

    archi: str = "liae-ud"
    """df keeps the identity of src strictly; liae adapts to light and shape of dst. Letters: u
    better likeness, d double resolution at the same cost, t sharper and slower, c experimental.
    Fixed when the model is made."""

    masked_training: bool = True
    """Learn only what lies inside the mask. Off: learn the background as well."""

    eyes_mouth_prio: bool = False
    """Weigh eyes and mouth more; helps against wrong gaze and blurred teeth."""

    adabelief: bool = True
    """AdaBelief: better faces, a third more optimizer memory than RMSprop."""

    random_hsv_power: float = option(0.0, low=0.0, high=0.3)
    """Random colour shift of the src input; makes the model less picky about light. Try 0.05."""

    true_face_power: float = option(0.0, low=0.0, high=1.0)
    """df only: a small network pulls the codes of src towards those of dst, for more of src's
    likeness. Typical 0.01; more may distort. 0 = off."""

    face_style_power: float = option(0.0, low=0.0, high=100.0)
    """Take over light and colour of dst's face into the swap. Start at 0.001 after 10 000
    iterations, with a copy of the model: too much destroys it. Costs speed. 0 = off."""

    bg_style_power: float = option(0.0, low=0.0, high=100.0)
    """Take over the surroundings of dst's face into the swap, for a seamless outline. Costs a third
    of the speed and may bend the face. Typical 2. 0 = off."""

    bg_style_predicted_mask: bool = option(False, advanced=True)
    """DeepFaceLab keeps the background style outside of the mask of the src face, which belongs to
    another picture. yes: outside of the masks that the model paints for dst and the swap."""

    freeze_inter_ab: bool = option(True, advanced=True)
    """liae: DeepFaceLab stops training inter_AB while random_warp is off, and so in all of
    pretraining. no: it trains always."""

    def __post_init__(self) -> None:
        super().__post_init__()
        step = self.architecture.resolution_step
        if self.resolution % step:
            raise ConfigError(
                f"resolution = {self.resolution} does not fit archi {self.archi}; "
                f"choose a multiple of {step}."
            )

    @property
    def architecture(self) -> Architecture:
        """The parsed `archi`."""
        return Architecture.parse(self.archi)

    @property
    def structure(self) -> dict[str, object]:
        """The options that shape the weights, by name: fixed when a model is created."""
        found: dict[str, object] = {name: getattr(self, name) for name in self.structure_names}
        found["archi"] = str(self.architecture)
        return found

    @property
    def trains_inter_ab(self) -> bool:
        """False where DFL keeps liae's `inter_AB` as it is (no warp, and so all of pretraining)."""
        return not self.freeze_inter_ab or (self.random_warp and not self.pretrain)

    @property
    def code_power(self) -> float:
        """`true_face_power` where it acts: DFL sets it to 0 for liae."""
        return self.true_face_power if self.architecture.family == "df" else 0.0

    @property
    def uses_code_discriminator(self) -> bool:
        """True where the code discriminator is part of the model."""
        return self.code_power > 0


def saehd_options(values: Mapping[str, object], *, source: str = "") -> SaehdOptions:
    """Build the options from plain values or text (`--set`, JSON).

    Takes short face types (`wf`) and `lr_dropout` as an old true or false, as DeepFaceLab does.

    Raises:
        ConfigError: Unknown name, wrong type, out of range.
    """
    known = plain_answers(values)
    if "d_mask_dims" not in known and "d_dims" in known:
        widths = from_mapping(SaehdOptions, {"d_dims": known["d_dims"]}, source=source)
        known["d_mask_dims"] = default_mask_dims(widths.d_dims)
    return from_mapping(SaehdOptions, known, source=source)
