# pyright: strict
"""Outlines moved to the edges that the picture shows nearby (GrabCut).

Colors well inside and well outside of the outlines say what face and surroundings look like here; a
narrow band along the outlines is then cut anew by them (Rother, Kolmogorov and Blake: GrabCut,
SIGGRAPH 2004; OpenCV's).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.label_guess import mask_guess

BAND = 0.02
"""Share of the picture's longer side by which an edge moves at most; 5 pixels of 256."""

_SIDE = 256
"""Largest side at which is cut; with the few rounds it bounds the time to some tenths of a second."""

_ROUNDS = 3
_SMOOTH = 5  # pixels of the cut picture: side of the median that takes frayed edges away

_Plane = npt.NDArray[np.uint8]


def refined_outlines(
    picture: Image,
    polygons: Sequence[Polygon],
    *,
    band: float = BAND,
    tolerance: float | None = None,
) -> tuple[Polygon, ...]:
    """Outlines of the same face along the edges in the picture.

    The points are new ones, and exclusions that reach over the edge become part of it; the mask is what
    is kept. The same picture and outlines always give the same result.

    Args:
        picture: `[H, W, 3]`, uint8, BGR.
        polygons: Rough outlines in its pixels.
        band: How far an edge may move, as a share of the longer side, 0..0.5.
        tolerance: How far new outlines may run from the cut edge, in pixels; None: as for guesses.

    Returns:
        New outlines; the old ones where they enclose too little, or leave too little out, to learn
        the colors of either from.
    """
    height, width = picture.shape[:2]
    zoom = min(1.0, _SIDE / max(height, width))
    small_height, small_width = max(1, round(height * zoom)), max(1, round(width * zoom))
    scale = (small_width / width, small_height / height)
    mask = polygon_mask(polygons, small_height, small_width, scale=scale)[..., 0].astype(np.uint8)
    reach = max(1, round(band * max(small_height, small_width)))
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inner = np.asarray(cv2.erode(mask, element), np.uint8)
    outer = np.asarray(cv2.dilate(mask, element), np.uint8)
    if not inner.any() or outer.all():
        return tuple(polygons)
    size = (small_width, small_height)
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    cut = _cut(small, mask, inner, outer)
    found = (np.asarray(cv2.medianBlur(cut, _SMOOTH), np.uint8) | inner) & outer
    spurs = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, spurs), np.uint8)
    return mask_guess(found.astype(np.float32), height, width, tolerance=tolerance)


def _cut(picture: Image, mask: _Plane, inner: _Plane, outer: _Plane) -> _Plane:
    """The picture cut anew between `inner` and `outer`, `[H, W]`, 0 or 1."""
    state = np.where(mask > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[inner > 0] = cv2.GC_FGD
    state[outer == 0] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # OpenCV draws the first colors of its clusters
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, state, (0, 0, 1, 1), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return ((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)).astype(np.uint8)
