# pyright: strict
"""How far apart two pictures can be at most, by the means and ranges of their areas.

A distance is the sum of absolute differences over all samples. In a large part of most pictures one
face is brighter than the other in every sample of an area: there the means tell the distance. Where
faces have much detail the areas are smaller.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

_SIDE = 32
"""Large areas along a side, at most."""

_QUARTERED = 5 / 16
"""Share of the areas that are cut in four. Of 1024 they are 320: rows of whole cache lines."""

_STRIP = 4096
"""Bytes of each of many pictures that are compared with another one at a time."""

_RANGE, _LOWEST = 2.5, -128


@dataclass(frozen=True)
class Shape:
    """How the samples of areas of one size are stored, as `[height, width, areas, 3]`.

    Attributes:
        n_areas: Number of areas.
        height: Height of an area in pixels.
        width: Its width.
    """

    n_areas: int
    height: int
    width: int

    @property
    def n_samples(self) -> int:
        """Number of all samples."""
        return 3 * self.n_areas * self.height * self.width


class Layout:
    """Where the areas are, and in which order their samples are stored.

    Beyond the lower and the right border pictures count as black, so that all areas are of one size
    but for the quartered ones.

    Args:
        examples: A few of the pictures, `[H, W, 3]`, uint8, all of one size. Areas in which these
            have the most detail are quartered.

    Attributes:
        shapes: Of the small areas and of the large ones.
        parts: Where the samples of either lie among all.
        n_samples: Number of all samples, the border's included.
    """

    def __init__(self, examples: Sequence[Image]) -> None:
        height, width = examples[0].shape[:2]
        high, wide = (-(-length // (2 * _SIDE)) for length in (height, width))
        rows, columns = -(-height // (2 * high)), -(-width // (2 * wide))
        self._border = rows * 2 * high - height, columns * 2 * wide - width
        # Pieces of a row of pixels, as wide as a small area:
        # [large area, vertical half, row in it, horizontal half]
        self._piece = np.dtype((np.void, 3 * wide))
        pieces: Indices = np.arange(rows * 2 * high * columns * 2, dtype=np.intp)
        pieces = pieces.reshape(rows, 2, high, columns, 2).transpose(0, 3, 1, 2, 4)
        pieces = pieces.reshape(-1, 2, high, 2)
        large, small = self._by_detail(pieces, examples)
        self._pieces = (
            pieces[small].transpose(2, 0, 1, 3).ravel(),
            pieces[large].transpose(1, 2, 0, 3).ravel(),
        )
        self.shapes = (
            Shape(4 * len(small), high, wide),
            Shape(len(large), 2 * high, 2 * wide),
        )
        middle, self.n_samples = itertools.accumulate(shape.n_samples for shape in self.shapes)
        self.parts = slice(0, middle), slice(middle, self.n_samples)

    def store(self, picture: Image, room: Bytes) -> None:
        """Write all samples to `room`, `[n_samples]`, those of small areas first."""
        pieces = self._in_pieces(picture)
        for shape, places, part in zip(self.shapes, self._pieces, self.parts, strict=True):
            if not shape.n_areas:
                continue
            found = pieces.take(places).view(np.uint8)
            found = found.reshape(shape.height, shape.n_areas, shape.width, 3)
            turned = room[part].reshape(shape.height, shape.width, shape.n_areas, 3)
            for row, row_turned in zip(found, turned, strict=True):
                cv2.transpose(row, row_turned)

    def _in_pieces(self, picture: Image) -> npt.NDArray[np.void]:
        bottom, right = self._border
        bordered = cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        return bordered.ravel().view(self._piece)

    def _by_detail(self, pieces: Indices, examples: Sequence[Image]) -> tuple[Indices, Indices]:
        """Indices of the large areas that stay, and of those to be quartered."""
        gain = np.zeros(len(pieces))
        for example in examples:
            samples = self._in_pieces(example)[pieces].view(np.uint8).astype(np.float32)
            # [large area, vertical half, row in it, horizontal half, column in it, color]
            samples = samples.reshape(*pieces.shape, -1, 3)
            gain += np.abs(samples - samples.mean((1, 2, 3, 4), keepdims=True)).mean(
                (1, 2, 3, 4, 5)
            )
            gain -= np.abs(samples - samples.mean((2, 4), keepdims=True)).mean((1, 2, 3, 4, 5))
        ranks = np.argsort(gain, kind="stable")
        n_large = round(len(ranks) * (1 - _QUARTERED))
        # Neighbors stay neighbors, which is kind to the cache.
        return np.sort(ranks[:n_large]), np.sort(ranks[n_large:])


class AreaLimits:
    """Means and ranges of areas of one size of all pictures, in bytes.

    In an area let x be the difference of the means, y the sum of the mean deviations from them and
    h >= _RANGE y the sum of the largest ones. With x >= 0 the differences are x + r, where r is at
    least -h and its negative part is y / 2 in the mean. So the negative part of x + r, which is
    convex in r, is at most (1 - x / h) y / 2 in the mean, or 0 from x = h on, and the absolute
    differences at most x + max(0, h - x) / _RANGE. As 2 max(0, h - x) is |x - h| + |x + h| - 2 x, sums
    of absolute differences of three values an area are all that is needed: of the means m, of
    m + k and of m - k, where k is the area's share of h.

    Rounding a mean by e adds at most e to the mean difference.

    Args:
        count: Number of pictures.
        shape: The areas. Every color counts as areas of its own.
    """

    def __init__(self, count: int, shape: Shape) -> None:
        self._shape = shape
        n_values = 3 * shape.n_areas
        self._means = np.zeros((count, n_values), np.uint8)
        self._lower = np.zeros((count, n_values), np.uint8)
        self._upper = np.zeros((count, n_values), np.uint8)
        self._more = np.zeros(count)

    def put(self, index: int, samples: Bytes) -> None:
        """Take in the samples of a picture, stored as the shape tells."""
        if not samples.size:
            return
        size = self._shape.height * self._shape.width
        rows = samples.reshape(size, -1)
        sums = _sums(rows)
        means = (sums + size // 2) // size
        centers = means.astype(np.uint8)
        deviations = np.maximum(rows, centers) - np.minimum(rows, centers)
        reach = np.maximum(deviations.max(0), np.ceil(_sums(deviations) * (_RANGE / size)))
        reach = reach.astype(np.int64)
        reach += (means + reach) & 1  # both ends become whole bytes
        self._means[index] = means
        more = np.abs(sums - size * means).sum() / size
        for table, ends in ((self._lower, means - reach), (self._upper, means + reach)):
            halves = (ends - _LOWEST) >> 1
            table[index] = np.clip(halves, 0, 255)
            more += np.abs(halves - table[index]).sum() / _RANGE
        self._more[index] = more

    def limits(self, block: Indices, others: Indices) -> Floats:
        """What distances of these areas are at most, `[others, block]`.

        Args:
            block: Indices of some pictures, few enough that a strip of them stays in the cache.
            others: Indices of those to which the distances are.
        """
        found = self._more[others][:, None] + self._more[block]
        for weight, table, partner in (
            (1 - 1 / _RANGE, self._means, self._means),
            (1 / _RANGE, self._lower, self._upper),
            (1 / _RANGE, self._upper, self._lower),
        ):
            for start in range(0, table.shape[1], _STRIP):
                strip = slice(start, start + _STRIP)
                few = table[block, strip]
                for row, other in enumerate(others.tolist()):
                    found[row] += weight * _distances_to(partner[other : other + 1, strip], few)
        return found * self._shape.height * self._shape.width


def _sums(rows: Bytes) -> npt.NDArray[np.int64]:
    """Sums of the columns."""
    return cv2.reduce(rows, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0].astype(np.int64)


def _distances_to(row: Bytes, table: Bytes) -> npt.NDArray[np.int32]:
    """Sums of absolute differences of the rows of a table to one."""
    # One neighbor among one picture: its distance. OpenCV has no faster way for a column.
    found: Any = cv2.batchDistance(table, row, cv2.CV_32S, normType=cv2.NORM_L1, K=1)
    return found[0][:, 0]
