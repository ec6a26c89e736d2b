# pyright: strict
"""Quick96: SAEHD df-ud at 96 pixels with everything decided, for a first look within minutes.

DFL interoperability notes, sections 2.4, 3.3 and 4.1. The network is `dflcolab.models.saehd`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dflcolab.config import from_mapping, option
from dflcolab.faces.face_type import FaceType
from dflcolab.models.architecture import Architecture
from dflcolab.models.options import ColorTransfer, RunOptions


@dataclass(frozen=True, kw_only=True)
class Quick96Options(RunOptions):
    """How a Quick96 model trains; what it is cannot be chosen."""

    arch: ClassVar[str] = "quick96"
    structure_names: ClassVar[tuple[str, ...]] = ()
    architecture: ClassVar[Architecture] = Architecture("df", pixel_norm=True, double=True)
    resolution: ClassVar[int] = 96
    face_type: ClassVar[FaceType] = FaceType.FULL
    ae_dims: ClassVar[int] = 128
    e_dims: ClassVar[int] = 64
    d_dims: ClassVar[int] = 64
    d_mask_dims: ClassVar[int] = 16
    random_warp: ClassVar[bool] = True
    random_src_flip: ClassVar[bool] = False
    random_dst_flip: ClassVar[bool] = False
    uniform_yaw: ClassVar[bool] = False
    ct_mode: ClassVar[ColorTransfer] = ColorTransfer.NONE
    random_hsv_power: ClassVar[float] = 0.0
    random_scale: ClassVar[float] = 0.05
    pretrain: ClassVar[bool] = False

    learning_rate: float = option(2e-4, low=1e-7, high=1e-2)
    """Size of a step. DFL always uses 2e-4."""

    @property
    def structure(self) -> dict[str, object]:
        """Nothing that shapes the weights can be chosen."""
        return {}


def quick96_options(values: Mapping[str, object], *, source: str = "") -> Quick96Options:
    """Build the options from plain values or text.

    Raises:
        ConfigError: Unknown name, wrong type, out of range.
    """
    return from_mapping(Quick96Options, values, source=source)
