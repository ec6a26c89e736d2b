# pyright: strict
"""How well a mask agrees with another: shared area, and edges that run alike."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_NEAR = 0.0075
"""Edges count as alike within this share of the picture's diagonal, as in video segmentation: 2.7
pixels of 256."""

Plane = npt.NDArray[np.bool_]


def cut(mask: npt.NDArray[np.float32]) -> Plane:
    """A mask `[H, W]` or `[H, W, 1]` as yes and no, cut at one half; `[H, W]`."""
    return (mask[..., 0] if mask.ndim == 3 else mask) > 0.5


def intersection_over_union(a: Plane, b: Plane) -> float:
    """Area that both cover over the area that either covers, 0..1; 1 where both are empty."""
    either = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / either if either else 1.0


def boundary_f_score(a: Plane, b: Plane) -> float:
    """How much of either's edge runs near the other's, 0..1; 1 where neither has an edge.

    The harmonic mean of two shares: of a's edge near b's, and of b's near a's. The picture's border
    is no edge.
    """
    edges = boundary(a), boundary(b)
    counts = [int(np.count_nonzero(edge)) for edge in edges]
    if not all(counts):
        return float(not any(counts))
    near = _NEAR * float(np.hypot(*a.shape))
    shares: list[float] = []
    for edge, other in (edges, edges[::-1]):
        away = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        shares.append(float(np.mean(np.asarray(away)[edge] <= near)))
    total = sum(shares)
    return 2 * shares[0] * shares[1] / total if total else 0.0


def boundary(plane: Plane) -> Plane:
    """Pixels inside with a neighbour outside, `[H, W]`."""
    padded = np.pad(plane, 1, mode="edge").astype(np.uint8)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    return plane & ~np.asarray(inner, np.bool_)
