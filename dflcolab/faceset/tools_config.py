# pyright: strict
"""Options of `resize` and `metadata`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dflcolab.config import Config, option
from dflcolab.faces.face_type import FaceType
from dflcolab.workspace.workspace import Side


@dataclass(frozen=True, kw_only=True)
class ResizeConfig(Config):
    """Which size and face type the faces of one side get. The former faces are kept."""

    side: Side
    """Whose faces: src or dst."""

    size: int | None = option(None, low=64, high=2048)
    """Side of the new pictures in pixels. Left out: 512, or as it is if another face type is asked for. Smaller ones load faster; larger ones gain no detail. Above the model's resolution little is won."""

    face_type: FaceType | None = option(None)
    """New extent of the crops. Left out: as it is. A smaller type cuts off what lies around; a larger one leaves an empty border: extract again for that."""

    jpeg_quality: int = option(100, low=50, high=100, advanced=True)
    """Quality of the new pictures, which are compressed a second time. 100 as in DeepFaceLab; 90 takes about half the space."""

    undo: bool = option(False)
    """Bring back the faces as they were before the last resize."""


@dataclass(frozen=True, kw_only=True)
class MetadataConfig(Config):
    """Keep the faces' metadata in a file while another program works on the pictures."""

    action: Literal["save", "restore"]
    """save writes meta.dat beside the faces; restore puts it back into them, for picture editors throw it away."""

    side: Side
    """Whose faces: src or dst."""
