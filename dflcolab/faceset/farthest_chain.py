# pyright: strict
"""The chain of `absdiff` to the least similar face: each face followed by the farthest of the rest.

A table of all pairs tells how large each distance can be at most (`area_limits`). In the chain only
the few faces whose limit reaches the largest distance known so far are compared sample by sample,
where faces have the most detail first; few of them remain to be compared in full. The order is that
of comparing every pair.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.faceset.area_limits import AreaLimits, Layout

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

LIMIT_BYTES = 2
"""Size of an entry in the table of limits."""

_BLOCK = 128
"""Faces that are compared with another one at a time."""

_AT_A_TIME = 128
"""Faces in one race, for each core: the next race knows the largest distance of this one."""

_FEW = 8
"""Faces that are not worth waking a thread."""


class FarthestChain:
    """Pictures to be chained.

    Args:
        layout: How they are stored.
        samples: `[N, layout.n_samples]`, uint8, filled by `put`; may be mapped from a file.
        limits: `[N, N]`, uint16, filled by `compare`; may be mapped from a file.
    """

    def __init__(self, layout: Layout, samples: Bytes, limits: npt.NDArray[np.uint16]) -> None:
        self._layout = layout
        self._samples, self._limits = np.asarray(samples), np.asarray(limits)
        self._areas = [AreaLimits(len(samples), shape) for shape in layout.shapes]
        # Twice what a distance can be: no limit reaches that.
        self._unit = 2 * 255 * layout.n_samples / np.iinfo(np.uint16).max
        self._workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._workers)

    def put(self, index: int, picture: Image) -> None:
        """Take in a picture of the common size; safe to call from several threads."""
        room = self._samples[index]
        self._layout.store(picture, room)
        for areas, part in zip(self._areas, self._layout.parts, strict=True):
            areas.put(index, room[part])

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
        found = sum(areas.limits(block, others) for areas in self._areas)
        # One unit more than needed outweighs the rounding errors of floating point.
        limits = np.ceil(found / self._unit + 1).astype(np.uint16)
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
            distances = self._race(here, rest[batch], best)
            if (largest := distances.max()) > best:
                best, winners = largest, winners[:0]
                places = places[limits[places] * self._unit >= best]
            winners = np.append(winners, batch[distances == best])
            places, batch = _split_largest(limits, places, _AT_A_TIME * self._workers)
        return int(winners[np.argmin(rest[winners])])

    def _race(self, here: int, others: Indices, best: float) -> Floats:
        """Distances to some pictures, shared by all cores; -1 where they are below `best`."""
        n_parts = min(self._workers, len(others) // _FEW)
        if n_parts < 2:
            return self._race_of_part(here, best, others)
        work = functools.partial(self._race_of_part, here, best)
        return np.concatenate(list(self._pool.map(work, np.array_split(others, n_parts))))

    def _race_of_part(self, here: int, best: float, others: Indices) -> Floats:
        distances = np.full(len(others), -1.0)
        small, large = self._layout.parts
        first = self._distances(here, others, small)
        # The limit in the large areas; a grey level more outweighs the rounding errors.
        limits = first + self._areas[1].limits(others, np.array([here]))[0] + 1
        stay = np.flatnonzero(limits >= best)
        distances[stay] = first[stay] + self._distances(here, others[stay], large)
        distances[distances < best] = -1.0
        return distances

    def _distances(self, here: int, others: Indices, part: slice) -> Floats:
        """Sums of absolute differences over a part of the samples."""
        if part.start == part.stop:
            return np.zeros(len(others))
        mine = self._samples[here : here + 1, part]
        return np.array(
            [
                cv2.norm(mine, self._samples[other : other + 1, part], cv2.NORM_L1)
                for other in others.tolist()
            ]
        )


def _split_largest(
    values: npt.NDArray[np.uint16], places: Indices, count: int
) -> tuple[Indices, Indices]:
    """Places without those where the `count` largest values are, and those."""
    rest = max(0, len(places) - count)
    if rest:
        places = places[np.argpartition(values[places], rest)]
    return places[:rest], places[rest:]
