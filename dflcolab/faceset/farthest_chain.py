# pyright: strict
"""The chain of `absdiff` to the least similar face: each face followed by the farthest of the rest.

A table of all pairs tells how large each distance can be at most, by the means of areas and how far
the samples of an area spread around them. In the chain only the few faces whose limit reaches the
largest distance known so far are compared pixel by pixel. The order is that of comparing every pair.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

LIMIT_BYTES = 2
"""Size of an entry in the table of limits."""

_BLOCK, _STRIP = 128, 4096
"""Faces and bytes of each that are compared with another face at a time: they stay in the cache."""

_SIDE = 64
"""Areas along a side, at most."""

_AT_A_TIME = 64
"""Comparisons in full between two looks at the largest distance, for each core."""


class FarthestChain:
    """Pictures to be chained.

    Args:
        pixels: `[N, H, W, 3]`, uint8, filled by `put`; may be mapped from a file.
        limits: `[N, N]`, uint16, filled by `compare`; may be mapped from a file.
    """

    def __init__(self, pixels: Bytes, limits: npt.NDArray[np.uint16]) -> None:
        count, height, width = pixels.shape[:3]
        self._pixels, self._limits = np.asarray(pixels), np.asarray(limits)
        self._areas = _Areas(count, height, width)
        # Twice what a distance can be: no limit reaches that.
        self._unit = 2 * 255 * math.prod(pixels.shape[1:]) / np.iinfo(np.uint16).max
        self._workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._workers)

    def put(self, index: int, picture: Image) -> None:
        """Take in a picture of the common size; safe to call from several threads."""
        self._pixels[index] = picture
        self._areas.put(index, picture)

    def compare(
        self, indices: Sequence[int], *, step: Callable[[int], None] = lambda _: None
    ) -> None:
        """Find how far apart any two of some pictures can be at most.

        Args:
            indices: Which pictures; all of them were `put`.
            step: Called with the number of pairs just done.
        """
        chosen = np.array(indices, dtype=np.intp)
        starts = range(0, len(chosen), _BLOCK)
        for pairs in self._pool.map(functools.partial(self._compare_block, chosen), starts):
            step(pairs)

    def _compare_block(self, chosen: Indices, start: int) -> int:
        """Compare a block of pictures with each other and with all after them."""
        block, others = chosen[start : start + _BLOCK], chosen[start:]
        # One unit more than needed outweighs the rounding errors of floating point.
        limits = np.ceil(self._areas.limits(block, others) / self._unit + 1).astype(np.uint16)
        self._limits[np.ix_(others, block)] = limits
        self._limits[np.ix_(block, others)] = limits.T
        return len(block) * (len(others) - len(block)) + math.comb(len(block), 2)

    def order(
        self, indices: Sequence[int], *, step: Callable[[], None] = lambda: None
    ) -> list[int]:
        """The chain of some pictures, beginning with the first of them.

        Of equally far ones the one with the lowest index comes first.

        Args:
            indices: Which pictures; all of them went through one `compare`.
            step: Called after every face that found its place.
        """
        found = list(indices[:1])
        rest = np.array(indices[1:], dtype=np.intp)
        while len(rest):
            place = self._farthest(found[-1], rest)
            found.append(int(rest[place]))
            # The last one takes the free place: nothing else moves.
            rest[place] = rest[-1]
            rest = rest[:-1]
            step()
        return found

    def _farthest(self, here: int, rest: Indices) -> int:
        """Place in `rest` of the picture that follows `here`."""
        limits = self._limits[here, rest]
        best, winners = -1.0, np.empty(0, np.intp)
        places, batch = _split_largest(limits, np.arange(len(rest)), self._workers)
        while len(batch):
            distances = self._distances(here, rest[batch])
            if (largest := distances.max()) > best:
                best, winners = largest, winners[:0]
                places = places[limits[places] * self._unit >= best]
            winners = np.append(winners, batch[distances == best])
            places, batch = _split_largest(limits, places, _AT_A_TIME * self._workers)
        return int(winners[np.argmin(rest[winners])])

    def _distances(self, here: int, others: Indices) -> Floats:
        """Sums of absolute differences over all samples, shared by all cores."""
        parts = np.array_split(others, self._workers)
        work = functools.partial(self._distances_of_part, here)
        return np.array(list(itertools.chain.from_iterable(self._pool.map(work, parts))))

    def _distances_of_part(self, here: int, others: Indices) -> list[float]:
        flat = self._pixels.reshape(*self._pixels.shape[:2], -1)
        return [cv2.norm(flat[here], flat[other], cv2.NORM_L1) for other in others.tolist()]


def _split_largest(
    values: npt.NDArray[np.uint16], places: Indices, count: int
) -> tuple[Indices, Indices]:
    """Places without those where the `count` largest values are, and those."""
    rest = max(0, len(places) - count)
    if rest:
        places = places[np.argpartition(values[places], rest)]
    return places[:rest], places[rest:]


# Within an area of P samples with means m, n and deviations s, t the absolute differences sum up to
# at most P sqrt(x² + y²), where x = |m - n| and y = s + t. The root is at most
# _MEAN x + _SPREAD y + _BOTH max(x, 2 y), with equality at y = 0, x = 2 y and x = 0; and
# 2 max(x, 2 y) = |(m + 2 s) - (n - 2 t)| + |(m - 2 s) - (n + 2 t)|. So sums of absolute
# differences of three values an area are all that is needed.
_SPREAD = math.sqrt(5) - 2
_BOTH = (1 - _SPREAD) / 2
_MEAN = 1 - _BOTH

_LOWEST, _STEP = -64.0, 1.5
"""How m + 2 s and m - 2 s become bytes."""


class _Areas:
    """Means and spreads of the areas of all pictures, in bytes.

    Beyond the lower and the right border all pictures count as black, so that all areas are of one
    size.

    Args:
        count: Number of pictures.
        height: Their height in pixels.
        width: Their width.
    """

    def __init__(self, count: int, height: int, width: int) -> None:
        high, wide = -(-height // _SIDE), -(-width // _SIDE)
        self._size = -(-width // wide), -(-height // high)
        self._border = self._size[1] * high - height, self._size[0] * wide - width
        self._area = high * wide
        # The mean of 64 squares of a byte in float32 still leads back to their exact sum.
        self._dtype = np.float32 if self._area <= 64 else np.float64
        n_values = math.prod(self._size) * 3
        self._means = np.zeros((count, n_values), np.uint8)
        self._upper = np.zeros((count, n_values), np.uint8)
        self._lower = np.zeros((count, n_values), np.uint8)
        self._more = np.zeros(count)

    def put(self, index: int, picture: Image) -> None:
        """Take in a picture."""
        samples = cv2.copyMakeBorder(
            picture, 0, self._border[0], 0, self._border[1], cv2.BORDER_CONSTANT
        ).astype(self._dtype)
        sums, squares = self._sums(samples), self._sums(np.square(samples))
        means = sums / self._area
        spreads = np.sqrt(self._area * squares - np.square(sums)) / self._area
        self._means[index], more = _rounded(means)
        self._upper[index], up = _rounded((means + 2 * spreads - _LOWEST) / _STEP)
        self._lower[index], low = _rounded((means - 2 * spreads - _LOWEST) / _STEP)
        # |a - b| <= |A - B| + |a - A| + |b - B|, where A and B are the bytes.
        self._more[index] = _MEAN * more + _SPREAD * spreads.sum() + _BOTH / 2 * _STEP * (up + low)

    def _sums(self, samples: npt.NDArray[np.floating[Any]]) -> Floats:
        means = cv2.resize(samples, self._size, interpolation=cv2.INTER_AREA)
        return np.rint(means.astype(np.float64).ravel() * self._area)

    def limits(self, block: Indices, others: Indices) -> Floats:
        """What distances are at most, `[others, block]`.

        Args:
            block: Indices of at most `_BLOCK` pictures.
            others: Indices of those to which the distances are.
        """
        found = self._more[others][:, None] + self._more[block]
        for weight, table, partner in (
            (_MEAN, self._means, self._means),
            (_BOTH / 2 * _STEP, self._upper, self._lower),
            (_BOTH / 2 * _STEP, self._lower, self._upper),
        ):
            for start in range(0, table.shape[1], _STRIP):
                strip = slice(start, start + _STRIP)
                few = table[block, strip]
                for row, other in enumerate(others.tolist()):
                    found[row] += weight * _distances_to(partner[other : other + 1, strip], few)
        return found * self._area


def _distances_to(row: Bytes, table: Bytes) -> npt.NDArray[np.int32]:
    """Sums of absolute differences of the rows of a table to one."""
    # One neighbor among one picture: its distance. OpenCV has no faster way for a column.
    found: Any = cv2.batchDistance(table, row, cv2.CV_32S, normType=cv2.NORM_L1, K=1)
    return found[0][:, 0]


def _rounded(values: Floats) -> tuple[Bytes, float]:
    """Values as bytes, and by how much these differ in all."""
    found = np.clip(np.rint(values), 0, 255)
    return found.astype(np.uint8), float(np.abs(values - found).sum())
