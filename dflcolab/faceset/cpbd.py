# pyright: strict
"""DeepFaceLab's sharpness: cumulative probability of blur detection, in array operations.

DFL interoperability notes, section 5.2. The measure is kept with its oddities, so that `blur`
gives the order a user knows: thresholds far below a gray step, squared responses against a plain
threshold, and a ranking that the outline of the mask dominates. `face_sharpness` in
`clean_checks` is the better judge of a face.
"""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image

Plane = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_BLOCK = 64
_LONGEST_RUN = 101
_EDGES_PER_BLOCK = 0.002 * _BLOCK * _BLOCK


def sharpness(image: Image) -> float:
    """Share of edges too narrow to look blurred, 0..1.

    Args:
        image: `[H, W, 3]`, uint8, BGR; the part that shall not count is black.

    Returns:
        0 for pictures under 64 pixels and for those without edges.
    """
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float64)
    rows, columns = gray.shape[0] // _BLOCK, gray.shape[1] // _BLOCK
    if rows == 0 or columns == 0:
        return 0.0
    counted = _blocks(_canny(gray), rows, columns).sum(axis=(2, 3)) > _EDGES_PER_BLOCK
    tiles = _blocks(gray, rows, columns)
    contrast = np.trunc(tiles.max(axis=(2, 3)) - tiles.min(axis=(2, 3)))
    narrow = np.where(contrast <= 50, 5.0, 3.0)
    widths = _blocks(edge_widths(gray, width_edges(gray)), rows, columns)
    chosen = (widths > 0) & counted[:, :, None, None]
    limit = np.broadcast_to(narrow[:, :, None, None], widths.shape)[chosen]
    if limit.size == 0:
        return 0.0
    probability = 1.0 - np.exp(-((widths[chosen] / limit) ** 3.6))
    return float(np.mean(np.rint(100.0 * probability) < 64))


def width_edges(gray: Plane) -> Flags:
    """Pixels on which an edge's width may be measured: thinned, thresholded Sobel response."""
    padded = cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REFLECT)
    smooth = padded[:-2] + 2.0 * padded[1:-1] + padded[2:]
    response = ((smooth[:, :-2] - smooth[:, 2:]) / 8.0) ** 2
    response[response <= 2.0 * np.sqrt(response.mean())] = 0.0
    around = np.pad(response, 1)
    here = around[1:-1, 1:-1]
    horizontal = (here > around[1:-1, :-2]) & (here > around[1:-1, 2:])
    vertical = (here > around[:-2, 1:-1]) & (here > around[2:, 1:-1])
    return horizontal | vertical


def edge_widths(gray: Plane, edges: Flags) -> Plane:
    """Length of the brightness ramp through each edge pixel along its row; 0 where not measured."""
    gradient_y, gradient_x = cast(list[Plane], np.gradient(gray))
    angle = np.degrees(np.arctan2(gradient_y, gradient_x))
    angle[gradient_x == 0] = 0.0
    direction = 45.0 * np.rint(angle / 45.0)
    step = np.diff(gray, axis=1)
    rising, falling = _runs(step > 0), _runs(step < 0)
    widths = np.zeros_like(gray)
    for way, (left, right) in ((0.0, rising), (180.0, falling)):
        place = edges[1:-1, 1:-1] & (np.abs(direction[1:-1, 1:-1]) == way)
        total = left[1:-1, :-2] + right[1:-1, 2:]
        widths[1:-1, 1:-1][place] = total[place]
    return widths


def _runs(holds: Flags) -> tuple[Plane, Plane]:
    """For every pixel, how many comparisons a run to the left and to the right makes.

    Args:
        holds: `[H, W - 1]`: the step between a pixel and its right neighbor goes the wanted way.
    """
    height, steps = holds.shape
    left = np.zeros((height, steps + 1))
    right = np.zeros((height, steps + 1))
    for column in range(1, steps + 1):
        left[:, column] = 1 + np.where(holds[:, column - 1], left[:, column - 1], 0)
    for column in range(steps - 1, -1, -1):
        right[:, column] = 1 + np.where(holds[:, column], right[:, column + 1], 0)
    return np.minimum(left, _LONGEST_RUN), np.minimum(right, _LONGEST_RUN)


def _canny(gray: Plane, low: float = 0.1, high: float = 0.2) -> Flags:
    """Canny edges with sigma 1: smoothing, Sobel, interpolated thinning, hysteresis."""
    kernel = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    kernel /= kernel.sum()
    border = cv2.BORDER_CONSTANT
    weight = cast(Plane, cv2.sepFilter2D(np.ones_like(gray), -1, kernel, kernel, borderType=border))
    blurred = cast(Plane, cv2.sepFilter2D(gray, -1, kernel, kernel, borderType=border))
    smooth = np.ascontiguousarray(blurred / weight)
    dx = cast(Plane, cv2.Sobel(smooth, cv2.CV_64F, 1, 0, borderType=cv2.BORDER_REFLECT))
    dy = cast(Plane, cv2.Sobel(smooth, cv2.CV_64F, 0, 1, borderType=cv2.BORDER_REFLECT))
    size = np.hypot(dx, dy)
    size[0], size[-1], size[:, 0], size[:, -1] = 0, 0, 0, 0
    thin = _is_ridge(dx, dy, np.hypot(dx, dy)) & (size >= low)
    count, found = cv2.connectedComponents(np.asarray(thin, dtype=np.uint8), connectivity=8)
    labels = np.asarray(found, dtype=np.int64)
    strong = np.zeros(count, dtype=bool)
    strong[labels[thin & (size >= high)]] = True
    strong[0] = False
    return strong[labels]


def _is_ridge(dx: Plane, dy: Plane, size: Plane) -> Flags:
    """Where the gradient is at least as large as on both sides along its own direction."""
    around = np.pad(size, 1)

    def shifted(rows: int, columns: int) -> Plane:
        height, width = size.shape
        return around[1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    steep = np.abs(dy) > np.abs(dx)
    large = np.where(steep, np.abs(dy), np.abs(dx))
    small = np.where(steep, np.abs(dx), np.abs(dy))
    share = np.divide(small, large, out=np.zeros_like(large), where=large > 0)
    rising = dx * dy >= 0  # along the main diagonal
    ridge = large > 0
    for sign in (1, -1):
        straight = np.where(steep, shifted(sign, 0), shifted(0, sign))
        # The diagonal neighbor on the same side as the straight one.
        diagonal = np.where(
            rising,
            shifted(sign, sign),
            np.where(steep, shifted(sign, -sign), shifted(-sign, sign)),
        )
        ridge &= diagonal * share + straight * (1.0 - share) <= size
    return ridge


def _blocks(plane: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[Any]:
    """Complete 64 x 64 blocks, `[rows, columns, 64, 64]`."""
    cut = plane[: rows * _BLOCK, : columns * _BLOCK]
    return cut.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
