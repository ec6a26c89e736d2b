# pyright: strict
"""Outlines carried over from one frame's face to that of a neighbouring frame, by optical flow.

The crops show the face in the same place, so little moves but what the outlines are drawn for: hands,
hair, a turning head. Each outline moves with what it encloses. Flow there and flow back must agree, and
the picture must look alike after the move; where they do not (a cut, another person, a hand that
appears), nothing is carried over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.polygons import polygon_mask

TRUSTED = 0.92
"""Least agreement at which outlines are carried over. On drawn labels (`tests/data/masks`) it lets no
pair through whose carried mask overlaps the drawn one by less than 0.88; without it a hand that came
into the picture was missed."""

_SIDE = 256
"""Crops are compared at this size, whatever theirs is."""

_APART = 3.0
"""Pixels of 256 by which flow there and back may miss the start and still agrees."""

_UNLIKE = 32
"""Gray levels by which a pixel may differ after the move, the light's change taken out."""

_SOFT = 8.0
"""Pixels of 256 over which the flow inside of an outline is averaged."""

_Plane = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Carried:
    """Outlines in another frame.

    Attributes:
        polygons: In pixels of the other face's picture, point by point those of the first.
        agreement: Share of the outlined part where flow there and back agree and the picture looks
            alike, 0..1.
    """

    polygons: tuple[Polygon, ...]
    agreement: float

    @property
    def trusted(self) -> bool:
        """Whether the outlines may be used."""
        return self.agreement >= TRUSTED


def carried_over(polygons: Sequence[Polygon], before: Image, after: Image) -> Carried:
    """Move the outlines of one picture to where its content lies in another.

    Args:
        polygons: In pixels of `before`.
        before: A face, `[H, W, 3]`, uint8, BGR.
        after: The face of a frame nearby in the same crop, of any size.
    """
    first, second = _small(before), _small(after)
    forth, back = _flow(first, second), _flow(second, first)
    scale = (_SIDE / before.shape[1], _SIDE / before.shape[0])
    ways = np.array([_SIDE / after.shape[1], _SIDE / after.shape[0]], np.float32)
    moved: list[Polygon] = []
    for polygon in polygons:
        points = polygon.points * np.array(scale, np.float32)
        region = polygon_mask([Polygon(True, polygon.points)], _SIDE, _SIDE, scale=scale)[..., 0]
        moved.append(Polygon(polygon.include, (points + _along(forth, region, points)) / ways))
    drawn = [Polygon(True, polygon.points) for polygon in polygons]
    inside = polygon_mask(drawn, _SIDE, _SIDE, scale=scale)[..., 0] > 0
    return Carried(tuple(moved), _agreement(first, second, forth, back, inside))


def _small(picture: Image) -> npt.NDArray[np.uint8]:
    small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def _flow(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> _Plane:
    """Where each pixel of the first picture lies in the second, less its own place, `[H, W, 2]`."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(flow.calc(first, second, np.zeros((_SIDE, _SIDE, 2), np.float32)), np.float32)


def _along(flow: _Plane, region: _Plane, points: _Plane) -> _Plane:
    """Flow at points of an outline, averaged over what lies inside of it nearby, `[N, 2]`."""
    if not len(points):
        return np.zeros((0, 2), np.float32)
    weight = np.asarray(cv2.GaussianBlur(region, (0, 0), _SOFT), np.float32) + np.float32(1e-6)
    summed = np.asarray(cv2.GaussianBlur(flow * region[..., None], (0, 0), _SOFT), np.float32)
    places = np.clip(points, 0, _SIDE - 1)[:, None].astype(np.float32)
    return _looked_up(summed / weight[..., None], places).reshape(-1, 2)


def _looked_up(values: npt.NDArray[Any], places: _Plane) -> _Plane:
    """Values `[H, W]` or `[H, W, C]` at places `[h, w, 2]`, between pixels linearly; 0 outside."""
    second: Any = None  # both coordinates are in the first map
    found: Any = cv2.remap(values, places, second, cv2.INTER_LINEAR)
    return np.asarray(found, np.float32)


def _agreement(
    first: npt.NDArray[np.uint8],
    second: npt.NDArray[np.uint8],
    forth: _Plane,
    back: _Plane,
    inside: npt.NDArray[np.bool_],
) -> float:
    if not inside.any():
        return 0.0
    rows, columns = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    there = np.stack([columns, rows], axis=2) + forth
    returned = forth + _looked_up(back, there)
    change = _looked_up(second, there) - first
    change -= np.median(change[inside])
    agrees = (np.hypot(returned[..., 0], returned[..., 1]) <= _APART) & (np.abs(change) <= _UNLIKE)
    return float(agrees[inside].mean())
