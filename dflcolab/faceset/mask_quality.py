# pyright: strict
"""Masks that do not fit their faces: too small, leaking, or unlike those of the neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dflcolab.arrays import Mask
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faceset.mask_steadiness import (
    PlacedMask,
    Plane,
    flickering_clips,
    unlike_both_sides,
)

SIDE = 64
"""Masks are compared at this size."""

_LEAST_COVERED = 0.5
"""Of the landmarks' hull. Hands and hair may cover a lot, so less than half is rare in a good mask."""

_MOST_OUTSIDE = 0.10
"""Of the mask's area, outside of the hull grown by a tenth of the picture (and up to the hair line). Masks
drawn by hand have up to 0.091, and as full faces up to 0.093."""

_FOREHEAD = 4.0  # brow factor of whole faces, which show the forehead


@dataclass(frozen=True)
class BadMask:
    """A mask to look at.

    Attributes:
        name: File name of the face; of `flickering` the video.
        kind: `empty`, `small`, `leaking`, `inconsistent`, or `flickering` of a whole video.
        amount: Covered share of the hull, share of the mask outside, likeness to the neighbours, or
            share of the neighbouring masks that are unlike each other.
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
            "flickering": f"{percent} of its masks are unlike the one before",
        }
        return f"{self.name}: {told[self.kind]}."


@dataclass(frozen=True, eq=False)
class MaskLook:
    """What is remembered of a face's mask.

    Attributes:
        name: File name.
        placed: The mask, `[64, 64]`, and where the face is.
        covered: Share of the hull inside of it.
        outside: Share of it outside of the grown hull; 0 for heads, whose hair has no hull.
    """

    name: str
    placed: PlacedMask
    covered: float
    outside: float

    @property
    def plane(self) -> Plane:
        """The mask, `[64, 64]`."""
        return self.placed.plane


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
    center, across = None, 0.0
    if record.source_landmarks is not None:
        x, y = record.source_landmarks.mean(axis=0).tolist()
        center, across = (float(x), float(y)), float(np.ptp(record.source_landmarks[:, 0]))
    placed = PlacedMask(record.source_filename or name, plane, center, across)
    return MaskLook(name, placed, covered, outside)


def bad_masks(looks: Sequence[MaskLook]) -> list[BadMask]:
    """The masks that do not fit, one entry per fault: flickering videos, then faces by kind, worst first."""
    whole = [look for look in looks if look.plane.any()]
    placed = [look.placed for look in whole]
    found = [
        BadMask(clip.video.strip("/-") or "the video", "flickering", clip.jumps / clip.pairs)
        for clip in flickering_clips(placed)
    ]
    found += [BadMask(look.name, "empty", 0.0) for look in looks if not look.plane.any()]
    small = [look for look in whole if look.covered < _LEAST_COVERED]
    leaking = [look for look in whole if look.outside > _MOST_OUTSIDE]
    found += [BadMask(look.name, "small", look.covered)
              for look in sorted(small, key=lambda look: look.covered)]  # fmt: skip
    found += [BadMask(look.name, "leaking", look.outside)
              for look in sorted(leaking, key=lambda look: -look.outside)]  # fmt: skip
    apart = [
        BadMask(look.name, "inconsistent", alike)
        for look, alike in zip(whole, unlike_both_sides(placed), strict=True)
        if alike is not None
    ]
    return [*found, *sorted(apart, key=lambda bad: bad.amount)]


def told(suspects: Sequence[BadMask], *, most: int = 10) -> list[str]:
    """Bad masks in words: how many, and the first ones."""
    if not suspects:
        return []
    faces = len({bad.name for bad in suspects if bad.kind != "flickering"})
    what = f"{faces} masks do not" if faces else "The masks do not all"
    lines = [f"{what} seem to fit; label some of these faces and train on:"]
    lines += [f"  {bad.sentence()}" for bad in suspects[:most]]
    return [*lines, f"  … and {len(suspects) - most} more."] if len(suspects) > most else lines
