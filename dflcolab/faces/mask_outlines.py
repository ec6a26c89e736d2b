# pyright: strict
"""A mask as outlines that can be edited: the way back of `polygons.polygon_mask`."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.faces.face_record import Polygon

_Plane = npt.NDArray[np.uint8]


def outlines_of(
    mask: npt.ArrayLike, *, tolerance: float = 1.0, smallest: int = 16
) -> tuple[Polygon, ...]:
    """Outlines that enclose a mask, with few points.

    Each connected part becomes an including outline, each hole in it an excluding one. With
    tolerance 0 they fill the very same pixels, unless a hole has an island in it: exclusions are
    cut out after everything was filled, so an island cannot be told by outlines and goes.

    Args:
        mask: `[H, W]` or `[H, W, 1]`; values above one half of the largest possible (1 or 255) are
            inside.
        tolerance: How far an outline may run from the mask's edge, in pixels. More leaves fewer
            points.
        smallest: Parts and holes with fewer pixels are left out.

    Returns:
        In pixels of the mask, the largest part first.
    """
    plane = _plane(mask)
    parts = list(_contours(plane, tolerance, smallest))
    filled = np.zeros_like(plane)
    for contour in _outer(plane):
        cv2.fillPoly(filled, [contour], (1,))
    holes = list(_contours(filled & (1 - plane), tolerance, smallest))
    return tuple(
        Polygon(include, points)
        for include, found in ((True, parts), (False, holes))
        for points in found
    )


def _plane(mask: npt.ArrayLike) -> _Plane:
    values = np.asarray(mask)
    values = values[..., 0] if values.ndim == 3 else values
    half = 127 if values.dtype == np.uint8 and values.max(initial=0) > 1 else 0.5
    return (values > half).astype(np.uint8)


def _outer(plane: _Plane) -> list[npt.NDArray[np.int32]]:
    """Outer contours, `[N, 1, 2]` each; neighbours by a corner belong together."""
    found, _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(contour, np.int32) for contour in found]


def _contours(plane: _Plane, tolerance: float, smallest: int) -> Iterator[npt.NDArray[np.float32]]:
    """Simplified outer contours of all parts that are large enough, `[N, 2]`, largest first."""
    sized: list[tuple[int, npt.NDArray[np.int32]]] = []
    for contour in _outer(plane):
        left, top, width, height = cv2.boundingRect(contour)
        inside = np.zeros((height, width), np.uint8)
        cv2.fillPoly(inside, [contour - np.array([left, top], np.int32)], (1,))
        sized.append((int(inside.sum()), contour))
    for size, contour in sorted(sized, key=lambda item: -item[0]):
        if size >= smallest:
            simple = cv2.approxPolyDP(contour, tolerance, closed=True) if tolerance else contour
            yield np.asarray(simple, np.float32).reshape(-1, 2)
