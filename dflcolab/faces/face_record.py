# pyright: strict
"""What a face file says about its face."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Landmarks, Transform
from dflcolab.faces.face_type import FaceType

PROVENANCE_KEY = "dflcolab"
"""Key of our own dictionary among the extra keys of a face file."""


@dataclass(frozen=True, eq=False)
class Polygon:
    """A drawn outline that adds to the mask or takes from it.

    Attributes:
        include: True adds the inside to the mask, False cuts it out.
        points: `[N, 2]`, float32, pixels of the aligned picture; may lie outside of it.
    """

    include: bool
    points: npt.NDArray[np.float32]


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceRecord:
    """Metadata of one face, as face files and packs carry it.

    Coordinates are pixels: "source" ones of the frame, the others of the aligned picture.
    """

    face_type: FaceType | None = None
    """Extent of the crop; None where the file does not say (DeepFaceLab then assumes full face)."""

    landmarks: Landmarks
    """`[68, 2]`, float32, in the aligned picture."""

    source_filename: str | None = None
    """Name of the frame the face came from, without folder."""

    source_rect: npt.NDArray[np.int64] | None = None
    """`[4]`: left, top, right, bottom of the detector's box in the frame; may be unordered."""

    source_landmarks: Landmarks | None = None
    """`[68, 2]`, float32, in the frame."""

    image_to_face_mat: Transform | None = None
    """`[2, 3]`, frame to aligned picture; None for `mark_only`."""

    eyebrows_expand_mod: float = 1.0
    """How far the hull mask reaches above the brows."""

    polygons: tuple[Polygon, ...] = ()
    """Drawn outlines in stored order."""

    xseg_mask: bytes | None = None
    """A mask as an encoded PNG or JPEG file, of any size, stretched over the picture when used."""

    extra: Mapping[str, Any] = field(default_factory=_nothing)
    """Keys this package does not know, kept as they were; and ours, `dflcolab`."""

    def replace(self, **changes: Any) -> FaceRecord:
        """The same record with some fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def assumed_face_type(self) -> FaceType:
        """The face type, full face where the file does not say."""
        return self.face_type or FaceType.FULL

    @property
    def has_points(self) -> bool:
        """True if at least one outline has a point."""
        return any(len(polygon.points) for polygon in self.polygons)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What `extract` wrote: video, frame_index, time_s, score, presence, version; or empty."""
        found = self.extra.get(PROVENANCE_KEY)
        return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]
