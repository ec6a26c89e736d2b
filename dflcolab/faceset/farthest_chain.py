# pyright: strict
"""The chain of `absdiff` to the least similar face: each face followed by the farthest of the rest.

Everything is comparing with bytes: the rounded means of areas, and how far the samples of an area
spread around them, tell how large a distance can be at most. Three such limits, each closer and
dearer than the one before, leave a few faces to be compared pixel by pixel. The order is that of
comparing every pair.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image

_COARSE, _FINE = 32, 64
"""Areas along a side, at most; each coarse one is made of 2 x 2 fine ones."""

_PIECE = 3 << 16
"""Bytes of a table worked on at a time: with its companions they stay in a core's cache."""

_WORTH_SHARING = 256
"""Fewer comparisons than this are done before another core has woken up."""

_FIRST, _AT_A_TIME = 4, 64

_SLACK = 1e-9
"""Relative error that sums of float64 stay far below."""

# For x, y >= 0 the root of x² + y² is at most x + Σ weight · max(y - share · x, 0): chords of
# sqrt(1 + r²) between the shares, whose slopes grow to 1.
_SHIFTS = (2, 1, 0)  # shares 1/4, 1/2 and 1
_ROOTS = [(1 + share * share) ** 0.5 for share in (0.0, 0.25, 0.5, 1.0)]
_SLOPES = [
    *((b - a) / width for a, b, width in zip(_ROOTS, _ROOTS[1:], (0.25, 0.25, 0.5), strict=False)),
    1.0,
]
_WEIGHTS = [_SLOPES[0], *(b - a for a, b in itertools.pairwise(_SLOPES))]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


class FarthestChain:
    """Pictures to be chained.

    Args:
        pixels: `[N, H, W, 3]`, uint8, filled by `put`; may be mapped from a file.
    """

    def __init__(self, pixels: Bytes) -> None:
        count, height, width = pixels.shape[:3]
        self._pixels = pixels
        self._fine = _Areas(count, height, width, -(-height // _FINE), -(-width // _FINE))
        self._coarse = _Areas(count, height, width, 2 * self._fine.high, 2 * self._fine.wide)
        self._residuals = np.zeros(count)
        self._workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._workers)

    def put(self, index: int, picture: Image) -> None:
        """Take in a picture of the common size; safe to call from several threads."""
        self._pixels[index] = picture
        integrals: Any = cv2.integral2(picture)
        sums, squares = integrals
        self._fine.put(index, sums, squares)
        self._coarse.put(index, sums, squares)
        blocky = self._coarse.drawn(index)
        self._residuals[index] = cv2.norm(_flat(picture), _flat(blocky), cv2.NORM_L1)

    def order(
        self, indices: Sequence[int], *, step: Callable[[], None] = lambda: None
    ) -> list[int]:
        """The chain of some pictures, beginning with the first of them.

        Of equally far ones the one with the lowest index comes first.

        Args:
            indices: Which pictures; all of them were `put`.
            step: Called after every face that found its place.
        """
        found = list(indices[:1])
        rest = np.array(indices[1:], dtype=np.intp)
        means = self._coarse.means[rest]
        while len(rest):
            place = self._farthest(found[-1], rest, means[: len(rest)])
            found.append(int(rest[place]))
            # The last one takes the free place: nothing else moves.
            means[place] = means[len(rest) - 1]
            rest[place] = rest[-1]
            rest = rest[:-1]
            step()
        return found

    def _farthest(self, here: int, rest: Indices, means: Bytes) -> int:
        """Place in `rest` of the picture that follows `here`; `means` are the coarse ones."""
        # One neighbor among one picture: its distance. OpenCV has no faster way for a column.
        found: Any = cv2.batchDistance(
            means, self._coarse.means[here][None], cv2.CV_32S, normType=cv2.NORM_L1, K=1
        )
        apart = found[0][:, 0].astype(np.float64)
        race = _Race(functools.partial(self._exact, here), rest)
        race.run(_largest(apart, _FIRST))
        # |a - b| <= |A - B| + |a - A| + |b - B|, where A and B are the means, rounded or not.
        limits = apart * self._coarse.area + (self._residuals[rest] + self._residuals[here])
        places = np.flatnonzero(limits >= race.best)
        places = places[self._limits(self._coarse, here, rest[places])[0] >= race.best]
        limits, apart = self._limits(self._fine, here, rest[places])
        race.run(places[_largest(apart, _FIRST)])
        turns = np.argsort(-limits)
        for start in range(0, len(turns), _AT_A_TIME):
            batch = turns[start : start + _AT_A_TIME]
            batch = batch[limits[batch] >= race.best]
            if not len(batch):
                break
            race.run(places[batch])
        return race.winner()

    def _limits(self, areas: _Areas, here: int, others: Indices) -> tuple[Floats, Floats]:
        """What the distances are at most, and about, shared by all cores."""
        if len(others) < _WORTH_SHARING:
            return areas.limits(here, others)
        parts: list[Indices] = np.array_split(others, self._workers)
        limits, apart = zip(
            *self._pool.map(functools.partial(areas.limits, here), parts), strict=True
        )
        return np.concatenate(limits), np.concatenate(apart)

    def _exact(self, here: int, other: int) -> float:
        return cv2.norm(_flat(self._pixels[here]), _flat(self._pixels[other]), cv2.NORM_L1)


class _Race:
    """Exact distances known so far, and the farthest."""

    def __init__(self, distance: Callable[[int], float], rest: Indices) -> None:
        self._distance, self._rest = distance, rest
        self._known: dict[int, float] = {}
        self.best = -1.0

    def run(self, places: Indices) -> None:
        """Compare the pictures at some places in full."""
        new = [place for place in places.tolist() if place not in self._known]
        self._known.update(zip(new, map(self._distance, self._rest[new].tolist()), strict=True))
        self.best = max(self._known.values())

    def winner(self) -> int:
        """Place of the farthest picture, of several the one with the lowest index."""
        farthest = [place for place, distance in self._known.items() if distance == self.best]
        return min(farthest, key=lambda place: int(self._rest[place]))


class _Areas:
    """Rounded means and standard deviations of the areas of all pictures.

    Beyond the lower and the right border all pictures count as black, so that all areas are of one
    size.

    Args:
        count: Number of pictures.
        height: Their height in pixels.
        width: Their width.
        high: Height of an area.
        wide: Width of an area.
    """

    def __init__(self, count: int, height: int, width: int, high: int, wide: int) -> None:
        self.high, self.wide, self.area = high, wide, high * wide
        self._height, self._width = height, width
        self._y = np.minimum(np.arange(-(-height // high) + 1) * high, height)
        self._x = np.minimum(np.arange(-(-width // wide) + 1) * wide, width)
        self._shape = len(self._y) - 1, len(self._x) - 1, 3
        n_values = int(np.prod(self._shape))
        self.means = np.zeros((count, n_values), np.uint8)
        self._spreads = np.zeros((count, n_values), np.uint8)
        self._rounding = np.zeros(count)
        self._rows = max(1, _PIECE // n_values)

    def put(self, index: int, sums: npt.NDArray[np.int32], squares: Floats) -> None:
        """Take in a picture by its integral and that of its squares."""
        total = self._of_areas(sums.astype(np.float64, copy=False))
        means = total / self.area
        rounded = np.rint(means)
        variance = self.area * self._of_areas(squares) - np.square(total)
        spreads = np.ceil(np.sqrt(np.maximum(variance, 0.0)) / self.area)
        self.means[index] = rounded.ravel()
        self._spreads[index] = spreads.ravel()
        self._rounding[index] = np.abs(means - rounded).sum() * self.area

    def _of_areas(self, integral: Floats) -> Floats:
        corners = integral[self._y][:, self._x]
        return np.diff(np.diff(corners, axis=0), axis=1)

    def drawn(self, index: int) -> Image:
        """A picture made of the rounded means, `[H, W, 3]`."""
        rows, columns, _ = self._shape
        size = (columns * self.wide, rows * self.high)
        means = self.means[index].reshape(self._shape)
        large = cast(Image, cv2.resize(means, size, interpolation=cv2.INTER_NEAREST))
        return large[: self._height, : self._width]

    def limits(self, here: int, others: Indices) -> tuple[Floats, Floats]:
        """What distances are at most, and the distances of the means.

        Within an area of P samples with means m, n and deviations s, t the absolute differences
        sum up to at most P sqrt((m - n)² + (s + t)²).

        Args:
            here: Index of the picture.
            others: Indices of those to which the distances are.
        """
        rows = min(self._rows, len(others))
        mean, spread = (table[here : here + 1].repeat(rows, 0) for table in self._tables)
        x, y, over = np.empty_like(mean), np.empty_like(mean), np.empty_like(mean)
        apart, limits = np.empty(len(others)), np.empty(len(others))
        for start in range(0, len(others), rows):
            part = slice(start, start + rows)
            chosen = others[part]
            n = len(chosen)
            for table, out in zip(self._tables, (x, y), strict=True):
                np.take(table, chosen, axis=0, out=out[:n], mode="clip")
            # Bytes stop at 255, which two deviations together cannot exceed.
            cv2.absdiff(x[:n], mean[:n], x[:n])
            cv2.add(y[:n], spread[:n], y[:n])
            apart[part] = _row_sums(x[:n])
            limits[part] = apart[part] + _WEIGHTS[0] * _row_sums(y[:n])
            for shift, weight in zip(_SHIFTS, _WEIGHTS[1:], strict=True):
                np.right_shift(x[:n], shift, out=over[:n])
                cv2.subtract(y[:n], over[:n], over[:n])
                limits[part] += weight * _row_sums(over[:n])
        limits = limits * self.area + (self._rounding[others] + self._rounding[here])
        return limits * (1 + _SLACK), apart

    @property
    def _tables(self) -> tuple[Bytes, Bytes]:
        return self.means, self._spreads


def _row_sums(table: Bytes) -> npt.NDArray[np.int32]:
    sums: Any = cv2.reduce(table, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    return sums[:, 0]


def _largest(values: Floats, count: int) -> Indices:
    """Where the largest values are, in no order."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(values, len(values) - count)[-count:]


def _flat(picture: Bytes) -> Bytes:
    return picture.reshape(picture.shape[0], -1)
