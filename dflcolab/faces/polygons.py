# pyright: strict
"""Drawn outlines as a mask (DFL interoperability notes, section 3.9)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dflcolab.arrays import Mask
from dflcolab.faces.face_record import Polygon

_FARTHEST = 2.0**20  # pixels; beyond it the rasteriser's fixed-point numbers would overflow


def drawing_order(polygons: Sequence[Polygon]) -> tuple[Polygon, ...]:
    """All including outlines, then all excluding ones; otherwise in stored order."""
    return tuple(sorted(polygons, key=lambda polygon: not polygon.include))


def polygon_mask(
    polygons: Sequence[Polygon], height: int, width: int, *, scale: tuple[float, float] = (1.0, 1.0)
) -> Mask:
    """What the outlines enclose: 1 inside, 0 outside.

    Each outline is filled by the even-odd rule and includes its edge. One with a single point makes
    a dot, one with two a line, an empty one nothing.

    Args:
        polygons: In stored order; exclusions are cut out after all inclusions were filled.
        height: Of the mask in pixels.
        width: Of the mask in pixels.
        scale: Horizontal and vertical factor from the outlines' pixels to those of the mask.

    Returns:
        `[height, width, 1]`, float32.
    """
    canvas = np.zeros((height, width), np.float32)
    for polygon in drawing_order(polygons):
        if len(polygon.points):
            points = np.clip(polygon.points * np.array(scale, np.float32), -_FARTHEST, _FARTHEST)
            cv2.fillPoly(canvas, [points.astype(np.int32)], (float(polygon.include),))
    return canvas[..., None]
