# pyright: strict
"""Which blocks of a picture hold enough Canny edges to count for the sharpness.

DFL interoperability notes, section 5.2, steps 1 and 5: sigma 1, thresholds 0.1 and 0.2 of 255, which
practically every local maximum of the gradient passes. A block needs 9 edge pixels and a face's
block has hundreds, so nearly always every fourth row says enough. In the few blocks where it does
not, all rows are looked at; and only if the weak edges decide, they are followed to strong ones.
"""

from __future__ import annotations

import functools
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

BLOCK = 64
_ENOUGH = 9  # more than 0.002 of 64 x 64
_LOW, _HIGH = 0.1, 0.2
_EVERY = 4

Plane = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def counted_blocks(
    gray: npt.NDArray[np.uint8], corner: tuple[int, int], shape: tuple[int, int], wanted: Flags
) -> Flags:
    """Blocks with at least 9 Canny edge pixels.

    Args:
        gray: `[h, w]`, the part of the picture outside of which it is black, with a margin.
        corner: Row and column of that part in the picture.
        shape: Height and width of the picture.
        wanted: `[rows * columns]`: the blocks in question; only complete blocks of 64 x 64 exist.

    Returns:
        `[rows * columns]`; False for blocks that are not wanted.
    """
    gradient = _Gradient(gray, corner, shape)
    height, width = gray.shape
    columns = shape[1] // BLOCK
    blocks = [divmod(int(block), columns) for block in np.flatnonzero(wanted)]
    parts = [
        (_part(y * BLOCK - corner[0], height), _part(x * BLOCK - corner[1], width))
        for y, x in blocks
    ]
    strong = gradient.ridge(slice(0, height, _EVERY), slice(0, width))
    strong &= gradient.size[::_EVERY] >= _HIGH
    found = np.zeros(len(wanted), dtype=bool)
    connected: Flags | None = None
    for (y, x), (rows, across) in zip(blocks, parts, strict=True):
        few = slice(-(-rows.start // _EVERY), -(-rows.stop // _EVERY))
        enough = np.count_nonzero(strong[few, across]) >= _ENOUGH
        if not enough:
            size = gradient.size[rows, across]
            ridge = gradient.ridge(rows, across)
            enough = np.count_nonzero(ridge & (size >= _HIGH)) >= _ENOUGH
            if not enough and np.count_nonzero(ridge & (size >= _LOW)) >= _ENOUGH:
                connected = gradient.connected_edges() if connected is None else connected
                enough = np.count_nonzero(connected[rows, across]) >= _ENOUGH
        found[y * columns + x] = enough
    return found


def _part(start: int, end: int) -> slice:
    """The pixels of a block that starts at `start` in a row of `end` pixels."""
    return slice(min(max(start, 0), end), min(max(start + BLOCK, 0), end))


class _Gradient:
    """Smoothed gradient of a picture's part.

    Attributes:
        dx: `[h, w]`.
        dy: `[h, w]`.
        length: `[h + 2, w + 2]`: with a border of zeros.
        size: `[h, w]`: the length again, 0 on the border of the picture, where there are no edges.
    """

    def __init__(
        self, gray: npt.NDArray[np.uint8], corner: tuple[int, int], shape: tuple[int, int]
    ) -> None:
        (top, left), (height, width) = corner, gray.shape
        kernel, border, mirror = _kernel(), cv2.BORDER_CONSTANT, cv2.BORDER_REFLECT
        plane = gray.astype(np.float64)
        smooth = cast(Plane, cv2.sepFilter2D(plane, -1, kernel, kernel, borderType=border))
        smooth /= _weight(shape)[top : top + height, left : left + width]
        self.dx = cast(Plane, cv2.Sobel(smooth, cv2.CV_64F, 1, 0, borderType=mirror))
        self.dy = cast(Plane, cv2.Sobel(smooth, cv2.CV_64F, 0, 1, borderType=mirror))
        self.size = cast(Plane, cv2.magnitude(self.dx, self.dy))
        self.length = np.pad(self.size, 1)
        for axis in (0, 1):
            for index in (-corner[axis], shape[axis] - 1 - corner[axis]):
                if 0 <= index < gray.shape[axis]:
                    np.moveaxis(self.size, axis, 0)[index] = 0.0

    def ridge(self, rows: slice, columns: slice) -> Flags:
        """Where the gradient is at least as large as on both sides along its own direction.

        Args:
            rows: Which rows to look at.
            columns: Which columns, one after another.
        """
        dx, dy = self.dx[rows, columns], self.dy[rows, columns]
        here = self._beside(rows, columns, 0, 0)
        across, down = np.abs(dx), np.abs(dy)
        steep = down > across
        large, small = np.maximum(across, down), np.minimum(across, down)
        found = large > 0
        share = np.divide(small, large, out=np.zeros_like(large), where=found)
        rest = 1.0 - share
        rising = dx * dy >= 0  # along the main diagonal
        for sign in (1, -1):
            straight = np.where(
                steep,
                self._beside(rows, columns, sign, 0),
                self._beside(rows, columns, 0, sign),
            )
            # The diagonal neighbour on the same side as the straight one.
            falling = np.where(
                steep,
                self._beside(rows, columns, sign, -sign),
                self._beside(rows, columns, -sign, sign),
            )
            diagonal = np.where(rising, self._beside(rows, columns, sign, sign), falling)
            found &= diagonal * share + straight * rest <= here
        return found

    def connected_edges(self) -> Flags:
        """All edges: thin lines above the lower threshold that touch the upper one somewhere."""
        everywhere = slice(0, self.dx.shape[0]), slice(0, self.dx.shape[1])
        thin = self.ridge(*everywhere) & (self.size >= _LOW)
        count, found = cv2.connectedComponents(thin.astype(np.uint8), connectivity=8)
        labels = cast(npt.NDArray[np.int32], found)
        kept = np.zeros(count, dtype=bool)
        kept[labels[thin & (self.size >= _HIGH)]] = True
        kept[0] = False
        return kept[labels]

    def _beside(self, rows: slice, columns: slice, down: int, right: int) -> Plane:
        """Gradient lengths one pixel further."""
        return self.length[
            rows.start + 1 + down : rows.stop + 1 + down : rows.step,
            columns.start + 1 + right : columns.stop + 1 + right,
        ]


@functools.cache
def _kernel() -> Plane:
    kernel = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    return kernel / kernel.sum()


@functools.lru_cache(maxsize=8)
def _weight(shape: tuple[int, int]) -> Plane:
    """How much of the smoothing kernel lies inside of the picture."""
    kernel = _kernel()
    found = cv2.sepFilter2D(np.ones(shape), -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
    return cast(Plane, found)
