# pyright: strict
"""The chain of `absdiff`: each face followed by the one whose pixels differ least, or most.

DFL interoperability notes, section 5.5. The distance is the sum of absolute differences over all
samples. DeepFaceLab compares every pair; here the means of areas (and how much the samples of an
area spread around them) tell beforehand how small or how large a difference can be at most, coarse
areas first, then finer ones. Only the faces that stay in the race are compared pixel by pixel. The
order is the same.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image

_NEAR_SIDES, _FAR_SIDES = (8, 32), (8, 16, 32)
_FIRST = 4
_AT_A_TIME = 16
_CACHE = 1 << 18
"""Numbers worked on at a time."""

_ROUNDING = 1e-4
"""Gray levels by which float32 may err in a mean difference."""

Table = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


class PixelChain:
    """Pictures to be chained.

    Args:
        pixels: `[N, H, W, 3]`, uint8, filled by `put`; usually mapped from a file, since thousands
            of decoded pictures do not fit in memory.
        dissimilar: True goes to the farthest each time, False to the nearest.
    """

    def __init__(self, pixels: npt.NDArray[np.uint8], *, dissimilar: bool) -> None:
        self._pixels = pixels
        self._farthest = dissimilar
        count, height, width = pixels.shape[:3]
        sides = _FAR_SIDES if dissimilar else _NEAR_SIDES
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        self._levels = [
            _Level(count, height, width, side, self._pool, spread=dissimilar) for side in sides
        ]

    def put(self, index: int, picture: Image) -> None:
        """Take in a picture of the common size; safe to call from several threads."""
        self._pixels[index] = picture
        integrals: Any = cv2.integral2(picture) if self._farthest else (cv2.integral(picture),)
        for level in self._levels:
            level.put(index, *integrals)

    def order(
        self, indices: Sequence[int], *, step: Callable[[], None] = lambda: None
    ) -> list[int]:
        """The chain of some pictures, beginning with the first of them.

        Of equally good ones the one with the lowest index wins.

        Args:
            indices: Which pictures; all of them were `put`.
            step: Called after every face that found its place.
        """
        found = list(indices[:1])
        rest = np.array(indices[1:], dtype=np.intp)
        coarse = self._levels[0].rows(rest)
        while len(rest):
            place = self._next(found[-1], rest, coarse)
            found.append(int(rest[place]))
            # The last one takes the free place: nothing else moves.
            rest[place] = rest[-1]
            rest = rest[:-1]
            for table in coarse:
                table[place] = table[len(rest)]
            step()
        return found

    def _next(self, here: int, rest: Indices, coarse: list[Table]) -> int:
        """Place in `rest` of the picture that follows `here`.

        Farthest is turned into nearest by taking all distances negative. A promise is the least
        that a distance can be.
        """
        places = np.arange(len(rest))
        best = math.inf
        promise = self._levels[0].promise(here, [table[: len(rest)] for table in coarse])
        known: dict[int, float] = {}
        for level in (*self._levels[1:], None):
            few = min(_FIRST, len(places))
            for turn in np.argpartition(promise, few - 1)[:few].tolist():
                place = int(places[turn])
                if place not in known:
                    known[place] = self._exact(here, int(rest[place]))
            best = min(known.values())
            places = places[promise <= best]
            if level is None:
                promise = promise[promise <= best]
            else:
                promise = level.promise(here, level.rows(rest[places]))
        winners = [place for place, distance in known.items() if distance == best]
        turns = [turn for turn in np.argsort(promise).tolist() if int(places[turn]) not in known]
        for start in range(0, len(turns), _AT_A_TIME):
            batch = [turn for turn in turns[start : start + _AT_A_TIME] if promise[turn] <= best]
            if not batch:
                break
            found = [int(places[turn]) for turn in batch]
            distances = self._pool.map(functools.partial(self._exact, here), rest[found].tolist())
            for place, distance in zip(found, distances, strict=True):
                if distance < best:
                    best, winners = distance, [place]
                elif distance == best:
                    winners.append(place)
        return min(winners, key=lambda place: int(rest[place]))

    def _exact(self, here: int, other: int) -> float:
        distance = cv2.norm(_flat(self._pixels[here]), _flat(self._pixels[other]), cv2.NORM_L1)
        return -distance if self._farthest else distance


class _Level:
    """Means, and on request standard deviations, of the areas of all pictures.

    Args:
        count: Number of pictures.
        height: Their height in pixels.
        width: Their width.
        side: Number of areas along each side.
        pool: Threads to share the work.
        spread: Keep the standard deviations too: promises are then those of the farthest.
    """

    def __init__(
        self,
        count: int,
        height: int,
        width: int,
        side: int,
        pool: ThreadPoolExecutor,
        *,
        spread: bool,
    ) -> None:
        self._pool = pool
        self._y, self._x = _edges(height, side), _edges(width, side)
        areas = np.diff(self._y)[:, None] * np.diff(self._x)[None, :]
        self._areas = areas[..., None].astype(np.float64)
        self._weights = areas.ravel().repeat(3).astype(np.float32)
        self._slack = _ROUNDING * height * width * 3
        n_tables = 2 if spread else 1
        self._tables = [np.zeros((count, areas.size * 3), np.float32) for _ in range(n_tables)]

    def put(
        self,
        index: int,
        sums: npt.NDArray[np.int32],
        squares: npt.NDArray[np.float64] | None = None,
    ) -> None:
        """Take in a picture by its integral and that of its squares."""
        means = self._of_areas(sums)
        self._tables[0][index] = means.ravel()
        if squares is not None:
            variance = self._of_areas(squares) - np.square(means)
            self._tables[1][index] = np.sqrt(np.maximum(variance, 0.0)).ravel()

    def _of_areas(self, integral: npt.NDArray[np.int32 | np.float64]) -> npt.NDArray[np.float64]:
        corners = integral[self._y][:, self._x]
        return np.diff(np.diff(corners, axis=0), axis=1) / self._areas

    def rows(self, indices: Indices) -> list[Table]:
        """Copies of the rows of some pictures."""
        return [table[indices] for table in self._tables]

    def promise(self, here: int, others: list[Table]) -> npt.NDArray[np.float64]:
        """What the distances of a picture to others are at least; with spread, minus at most.

        Within an area of P samples with means m, n and deviations s, t the absolute differences
        sum up to at least P |m - n|, and to at most P sqrt((m - n)² + (s + t)²).

        Args:
            here: Index of the picture.
            others: From `rows`.
        """
        means, *spreads = others
        found = np.empty(len(means), np.float64)
        piece = max(1, _CACHE // means.shape[1])

        def work(start: int) -> None:
            part = slice(start, start + piece)
            difference = means[part] - self._tables[0][here]
            if spreads:
                spread = spreads[0][part] + self._tables[1][here]
                np.multiply(spread, spread, out=spread)
                np.multiply(difference, difference, out=difference)
                np.sqrt(np.add(difference, spread, out=difference), out=difference)
            else:
                np.abs(difference, out=difference)
            # Not BLAS: its own threads would fight with ours.
            found[part] = np.einsum("ij,j->i", difference, self._weights)

        starts = range(0, len(means), piece)
        if len(starts) < 4:  # not worth waking the threads
            for start in starts:
                work(start)
        else:
            list(self._pool.map(work, starts))
        return -(found + self._slack) if spreads else found - self._slack


def _flat(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return picture.reshape(picture.shape[0], -1)


def _edges(length: int, parts: int) -> Indices:
    """Borders of nearly equal pieces, at most `parts`, `[parts + 1]`."""
    return np.linspace(0, length, min(parts, length) + 1).astype(np.intp)
