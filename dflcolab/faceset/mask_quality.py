# pyright: strict
"""Masks that do not fit their faces: too small, leaking, or unlike those of the neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Mask
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faceset.stretches import frame_of

SIDE = 64
"""Masks are compared at this size."""

_LEAST_COVERED = 0.5
"""Of the landmarks' hull. Hands and hair may cover a lot, so less than half is rare in a good mask."""

_MOST_OUTSIDE = 0.08
"""Of the mask's area, outside of the hull grown by a tenth of the picture (and up to the hair line)."""

_LEAST_ALIKE = 0.85
"""Intersection over union with a neighbouring frame's mask."""

_NEIGHBOURS = 2
"""Frames apart at most; faces were aligned, so their masks hardly move."""

_FOREHEAD = 4.0  # brow factor of whole faces, which show the forehead

Plane = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BadMask:
    """A mask to look at.

    Attributes:
        name: File name of the face.
        kind: `empty`, `small`, `leaking` or `inconsistent`.
        amount: Covered share of the hull, share of the mask outside, or likeness to the neighbours.
    """

    name: str
    kind: str
    amount: float

    def sentence(self) -> str:
        """In words."""
        percent = f"{100 * self.amount:.0f} %"
        told = {
            "empty": "its mask is empty",
            "small": f"its mask covers only {percent} of the landmarks' hull",
            "leaking": f"{percent} of its mask lies outside of the face",
            "inconsistent": f"its mask agrees only by {percent} with those of the frames beside it",
        }
        return f"{self.name}: {told[self.kind]}."


@dataclass(frozen=True, eq=False)
class MaskLook:
    """What is remembered of a face's mask.

    Attributes:
        name: File name.
        key: The frame it is from.
        plane: The mask, `[64, 64]`.
        covered: Share of the hull inside of it.
        outside: Share of it outside of the grown hull; 0 for heads, whose hair has no hull.
    """

    name: str
    key: str
    plane: Plane
    covered: float
    outside: float


def look_at_mask(name: str, record: FaceRecord, mask: Mask, width: int, height: int) -> MaskLook:
    """Measure a mask.

    Args:
        name: File name of the face.
        record: Its metadata.
        mask: Stored mask of any size, `[h, w, 1]`.
        width: Of the face's picture.
        height: Of the face's picture.
    """
    small = np.asarray(cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    plane: Plane = small > 0.5
    zoom = np.array([SIDE / width, SIDE / height], np.float32)
    points = record.landmarks * zoom
    hull = hull_mask(points, SIDE, SIDE)[..., 0] > 0.5
    inside, area = int(np.count_nonzero(plane & hull)), int(np.count_nonzero(plane))
    outside = 0.0
    if record.assumed_face_type.code <= FaceType.WHOLE.code and area:
        brows = _FOREHEAD if record.assumed_face_type is FaceType.WHOLE else 1.0
        reach = SIDE // 10 * 2 + 1
        element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        allowed = cv2.dilate(hull_mask(points, SIDE, SIDE, eyebrows_expand=brows), element) > 0.5
        outside = int(np.count_nonzero(plane & ~np.asarray(allowed, np.bool_))) / area
    covered = inside / max(1, int(np.count_nonzero(hull)))
    return MaskLook(name, record.source_filename or name, plane, covered, outside)


def bad_masks(looks: Sequence[MaskLook]) -> list[BadMask]:
    """The masks that do not fit, one entry per fault, the worst of each kind first."""
    found = [BadMask(look.name, "empty", 0.0) for look in looks if not look.plane.any()]
    whole = [look for look in looks if look.plane.any()]
    small = [look for look in whole if look.covered < _LEAST_COVERED]
    leaking = [look for look in whole if look.outside > _MOST_OUTSIDE]
    found += [BadMask(look.name, "small", look.covered)
              for look in sorted(small, key=lambda look: look.covered)]  # fmt: skip
    found += [BadMask(look.name, "leaking", look.outside)
              for look in sorted(leaking, key=lambda look: -look.outside)]  # fmt: skip
    apart = [
        BadMask(look.name, "inconsistent", best)
        for look, best in zip(looks, _likeness(looks), strict=True)
        if best is not None and best < _LEAST_ALIKE
    ]
    return [*found, *sorted(apart, key=lambda bad: bad.amount)]


def told(suspects: Sequence[BadMask], *, most: int = 10) -> list[str]:
    """Bad masks in words: how many, and the first ones."""
    if not suspects:
        return []
    faces = len({bad.name for bad in suspects})
    lines = [f"{faces} masks do not seem to fit; label some of these faces and train on:"]
    lines += [f"  {bad.sentence()}" for bad in suspects[:most]]
    return [*lines, f"  … and {len(suspects) - most} more."] if len(suspects) > most else lines


def _likeness(looks: Sequence[MaskLook]) -> list[float | None]:
    """Of each mask to the most similar one of a neighbouring frame; None without neighbours.

    Where one frame is off, it differs from both neighbours, and each of those still has its other
    one.
    """
    frames = [frame_of(look.key) for look in looks]
    places: dict[tuple[str, int], list[int]] = {}
    for index, frame in enumerate(frames):
        if frame.numbered:
            places.setdefault((frame.video, frame.number), []).append(index)
    found: list[float | None] = []
    for look, frame in zip(looks, frames, strict=True):
        others = [
            other
            for away in range(-_NEIGHBOURS, _NEIGHBOURS + 1)
            if away
            for other in places.get((frame.video, frame.number + away), [])
        ]
        alike = [_overlap(look.plane, looks[other].plane) for other in others]
        found.append(max(alike) if alike else None)
    return found


def _overlap(a: Plane, b: Plane) -> float:
    either = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / either if either else 1.0
