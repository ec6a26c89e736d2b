# pyright: strict
"""Options of an AMP model under DeepFaceLab's names, with its defaults and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dflcolab.config import from_mapping, option
from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType
from dflcolab.models.options import SwapOptions, default_mask_dims, plain_answers

_STEP = 32


@dataclass(frozen=True, kw_only=True)
class AmpOptions(SwapOptions):
    """What an AMP model is and how it trains.

    Masked training, eyes and mouth priority and AdaBelief are always on.
    """

    arch: ClassVar[str] = "amp"
    structure_names: ClassVar[tuple[str, ...]] = (
        "resolution", "face_type", "ae_dims", "inter_dims", "e_dims", "d_dims", "d_mask_dims",
        "morph_factor",
    )  # fmt: skip
    random_hsv_power: ClassVar[float] = 0.0

    resolution: int = option(224, low=32, high=640)
    """Size of the faces the model paints, in pixels. More shows more detail and costs its square in
    time and memory. A multiple of 32. Fixed when the model is made."""

    face_type: FaceType = FaceType.WHOLE
    """How much of the head is learned and swapped: full_face, whole_face or head. Must not be wider
    than the faceset. Fixed when the model is made."""

    inter_dims: int = option(1024, low=2, high=2048)
    """Width of the two inters between which the morph runs; at least as much as ae_dims. Fixed when
    the model is made."""

    morph_factor: float = option(0.5, low=0.0, high=1.0)
    """Share of the code that src has for itself while training. DFL allows 0.1 to 0.5; 0.5 gives the
    strongest likeness. Fixed when the model is made."""

    train_inters: bool = option(False, advanced=True)
    """DeepFaceLab never trains AMP's two inters: they stay as they were drawn at random. yes: train
    them too, at the cost of their optimizer memory. A model trained so still loads there."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution % _STEP:
            raise ConfigError(
                f"resolution = {self.resolution} does not fit AMP; choose a multiple of {_STEP}."
            )

    @property
    def structure(self) -> dict[str, object]:
        """The options that shape the model, by name: fixed when it is created."""
        return {name: getattr(self, name) for name in self.structure_names}


def amp_options(values: Mapping[str, object], *, source: str = "") -> AmpOptions:
    """Build the options from plain values or text (`--set`, JSON).

    Raises:
        ConfigError: Unknown name, wrong type, out of range.
    """
    known = plain_answers(values)
    if "d_mask_dims" not in known and "d_dims" in known:
        widths = from_mapping(AmpOptions, {"d_dims": known["d_dims"]}, source=source)
        known["d_mask_dims"] = default_mask_dims(widths.d_dims)
    return from_mapping(AmpOptions, known, source=source)
