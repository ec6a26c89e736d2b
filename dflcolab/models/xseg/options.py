# pyright: strict
"""Options of the XSeg network under DeepFaceLab's names, with its defaults and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dflcolab.config import from_mapping, option
from dflcolab.faces.face_type import FaceType
from dflcolab.models.options import RunOptions, check_trainable, plain_answers


@dataclass(frozen=True, kw_only=True)
class XSegOptions(RunOptions):
    """How the XSeg network trains."""

    arch: ClassVar[str] = "xseg"
    structure_names: ClassVar[tuple[str, ...]] = ("face_type", "base")
    resolution: ClassVar[int] = 256

    face_type: FaceType = FaceType.WHOLE
    """Extent of the faces that are masked; that of the faceset. Fixed when the model is made."""

    pretrain: bool = False
    """Learn to redraw faces in grey instead of masking them: a start for the network from faces
    without labels."""

    batch_size: int = option(4, low=1, high=64)
    """Faces per step. DFL allows 2 to 16."""

    learning_rate: float = option(1e-4, low=1e-7, high=1e-2)
    """Size of a step. DFL always uses 1e-4."""

    base: int = option(32, low=1, high=64, advanced=True)
    """Width of the first layer. DFL loads 32 only; less is for tests and weak machines. Fixed when
    the model is made."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_trainable(self.face_type)

    @property
    def structure(self) -> dict[str, object]:
        """The options that shape the model, by name: fixed when it is created."""
        return {name: getattr(self, name) for name in self.structure_names}


def xseg_options(values: Mapping[str, object], *, source: str = "") -> XSegOptions:
    """Build the options from plain values or text.

    Raises:
        ConfigError: Unknown name, wrong type, out of range.
    """
    return from_mapping(XSegOptions, plain_answers(values), source=source)
