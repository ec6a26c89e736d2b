# pyright: strict
"""The chain of `absdiff`: each face followed by the one whose pixels differ least.

DFL interoperability notes, section 5.5. The distance is the sum of absolute differences over all
samples. DeepFaceLab compares every pair; here the means of areas tell beforehand how small a
difference can be, coarse areas first, then finer ones. Only the faces that stay in the race are
compared pixel by pixel. The order is the same. `farthest_chain` goes the other way.
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

_SIDES = (8, 32)
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
    """

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self._pixels = pixels
        count, height, width = pixels.shape[:3]
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        self._levels = [_Level(count, height, width, side, self._pool) for side in _SIDES]

    def put(self, index: int, picture: Image) -> None:
        """Take in a picture of the common size; safe to call from several threads."""
        self._pixels[index] = picture
        sums: Any = cv2.integral(picture)
        for level in self._levels:
            level.put(index, sums)

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
            coarse[place] = coarse[len(rest)]
            step()
        return found

    def _next(self, here: int, rest: Indices, coarse: Table) -> int:
        """Place in `rest` of the picture that follows `here`.

        A promise is the least that a distance can be.
        """
        places = np.arange(len(rest))
        best = math.inf
        promise = self._levels[0].promise(here, coarse[: len(rest)])
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
        return cv2.norm(_flat(self._pixels[here]), _flat(self._pixels[other]), cv2.NORM_L1)


class _Level:
    """Means of the areas of all pictures.

    Args:
        count: Number of pictures.
        height: Their height in pixels.
        width: Their width.
        side: Number of areas along each side.
        pool: Threads to share the work.
    """

    def __init__(
        self, count: int, height: int, width: int, side: int, pool: ThreadPoolExecutor
    ) -> None:
        self._pool = pool
        self._y, self._x = _edges(height, side), _edges(width, side)
        areas = np.diff(self._y)[:, None] * np.diff(self._x)[None, :]
        self._areas = areas[..., None].astype(np.float64)
        self._weights = areas.ravel().repeat(3).astype(np.float32)
        self._slack = _ROUNDING * height * width * 3
        self._means = np.zeros((count, areas.size * 3), np.float32)

    def put(self, index: int, sums: npt.NDArray[np.int32]) -> None:
        """Take in a picture by its integral."""
        corners = sums[self._y][:, self._x]
        means = np.diff(np.diff(corners, axis=0), axis=1) / self._areas
        self._means[index] = means.ravel()

    def rows(self, indices: Indices) -> Table:
        """Copies of the rows of some pictures."""
        return self._means[indices]

    def promise(self, here: int, others: Table) -> npt.NDArray[np.float64]:
        """What the distances of a picture to others are at least.

        Within an area of P samples with means m and n the absolute differences sum up to at least
        P |m - n|.

        Args:
            here: Index of the picture.
            others: From `rows`.
        """
        found = np.empty(len(others), np.float64)
        piece = max(1, _CACHE // others.shape[1])

        def work(start: int) -> None:
            part = slice(start, start + piece)
            difference = np.abs(others[part] - self._means[here])
            # Not BLAS: its own threads would fight with ours.
            found[part] = np.einsum("ij,j->i", difference, self._weights)

        starts = range(0, len(others), piece)
        if len(starts) < 4:  # not worth waking the threads
            for start in starts:
                work(start)
        else:
            list(self._pool.map(work, starts))
        return found - self._slack


def _flat(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return picture.reshape(picture.shape[0], -1)


def _edges(length: int, parts: int) -> Indices:
    """Borders of nearly equal pieces, at most `parts`, `[parts + 1]`."""
    return np.linspace(0, length, min(parts, length) + 1).astype(np.intp)
