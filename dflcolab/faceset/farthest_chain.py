# pyright: strict
"""The chain of `absdiff` to the least similar face: each face followed by the farthest of the rest.

Distances to a few dozen pivots tell how far each face can be at most (`pivot_limits`). The few
faces whose limit reaches the largest distance known so far are compared area by area, beginning
where limits are least close: most of them are out after a part of their samples. The order is that
of comparing every pair.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.faceset.pivot_limits import AreaLayout, Limits, PivotLimits, distances
from dflcolab.imaging.one_thread import one_opencv_thread

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.intp]
Distances = npt.NDArray[np.int64]

_SMALL = 256
"""For so few faces no new pivots are made."""

_FIRST = 32
"""Faces by whose limits the leaders are chosen."""

_LEADERS = 4
"""Faces that are compared in full: how far the farthest is at least."""

_AT_A_TIME = 32
"""Faces in one race, for each core: the next race knows the largest distance of this one."""

_FEW = 8
"""Faces that are not worth waking a thread."""

_CUTS = np.array([1, 2, 4, 6, 8, 12]) / 16
"""Parts of the areas after which faces may leave the race."""


@dataclass
class _Race:
    """Who is the farthest from a picture?

    Attributes:
        here: Index of the picture.
        areas: All areas, beginning with those where limits are least close.
        unit: Of the limits.
        best: The largest distance known so far.
    """

    here: int
    areas: Indices
    unit: int
    best: int


class FarthestChain:
    """Pictures to be chained.

    Args:
        layout: How they are stored.
        samples: `[N, layout.n_areas, layout.n_samples]`, uint8, filled by `put`; may be mapped from
            a file.
    """

    def __init__(self, layout: AreaLayout, samples: Bytes) -> None:
        self._layout, self._samples = layout, samples
        self._pieces = samples.reshape(-1, layout.n_samples)
        self._workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(max(1, self._workers - 1))

    def put(self, index: int, picture: Image) -> None:
        """Take in a picture of the common size; safe to call from several threads."""
        self._layout.store(picture, self._samples[index])

    def order(
        self, indices: Sequence[int], *, step: Callable[[], None] = lambda: None
    ) -> list[int]:
        """The chain of some pictures, beginning with the first of them.

        Of equally far ones the one with the lowest index comes first.

        Args:
            indices: Which pictures; all of them were `put`.
            step: Called after every face that found its place.
        """
        with one_opencv_thread():
            return self._order(list(indices[:1]), np.array(indices[1:], dtype=np.intp), step)

    def _order(self, found: list[int], rest: Indices, step: Callable[[], None]) -> list[int]:
        """The beginning of a chain, followed by all the rest."""
        while len(rest):
            # Pivots suit the pictures of which they were made.
            until = len(rest) // 2 if len(rest) > _SMALL else 0
            limits = PivotLimits(self._samples, np.append(rest, found[-1]), self._share)
            row = limits.row(len(rest))
            limits.remove(len(rest))
            while len(rest) > until:
                place = self._farthest(found[-1], rest, limits, row)
                row = limits.row(place)
                found.append(int(rest[place]))
                # The last one takes the free place: nothing else moves.
                limits.remove(place)
                rest[place] = rest[-1]
                rest = rest[:-1]
                step()
        return found

    def _farthest(self, here: int, rest: Indices, limits: PivotLimits, row: Limits) -> int:
        """Place in `rest` of the picture that follows `here`."""
        quick = limits.of_pictures(row)
        first = _largest(quick, _FIRST)
        close = limits.of_areas(row, first)
        leaders = _largest(close.sum(axis=1), _LEADERS)
        race = self._start(here, rest[first[leaders]], close[leaders], limits.unit)

        places = np.flatnonzero(quick >= race.best / race.unit)
        close = limits.of_areas(row, places)
        totals = close.sum(axis=1)
        ranks = np.argsort(totals)[::-1]
        winners = np.empty(0, np.intp)
        for start in range(0, len(ranks), _AT_A_TIME * self._workers):
            batch = ranks[start : start + _AT_A_TIME * self._workers]
            batch = batch[totals[batch] >= race.best / race.unit]
            if not len(batch):
                break
            found = self._run(race, rest[places[batch]], close[batch])
            if (largest := int(found.max())) > race.best:
                race.best, winners = largest, winners[:0]
            winners = np.append(winners, places[batch[found == race.best]])
        return int(winners[np.argmin(rest[winners])])

    def _start(self, here: int, leaders: Indices, limits: Limits, unit: int) -> _Race:
        """Compare some pictures in full; for all others the limits are likely to be like theirs."""
        black = np.zeros(self._layout.n_samples, np.uint8)
        apart = [cv2.absdiff(self._samples[here], self._samples[leader]) for leader in leaders]
        exact = np.array([distances(np.asarray(areas, np.uint8), black) for areas in apart])
        excess = (limits.astype(np.int64) * unit - exact).sum(axis=0)
        return _Race(here, np.argsort(-excess), unit, int(exact.sum(axis=1).max()))

    def _run(self, race: _Race, others: Indices, limits: Limits) -> Distances:
        """Distances of some pictures, by all cores; something less where they are below the best."""
        n_parts = max(1, min(self._workers, len(others) // _FEW))
        parts = np.array_split(np.arange(len(others)), n_parts)

        def work(part: Indices) -> Distances:
            return self._run_part(race, others[part], limits[part])

        return np.concatenate(self._share(work, parts))

    def _run_part(self, race: _Race, others: Indices, limits: Limits) -> Distances:
        n_areas = len(race.areas)
        totals = limits.sum(axis=1, dtype=np.int64) * race.unit
        stay = np.arange(len(others))
        for areas in np.split(race.areas, (_CUTS * n_areas).astype(int)):
            if not len(areas) or not len(stay):
                continue
            pieces = self._pieces.take(others[stay, None] * n_areas + areas, axis=0)
            found = distances(
                pieces.reshape(len(stay), -1), self._samples[race.here, areas].ravel()
            )
            part = limits[stay[:, None], areas].sum(axis=1, dtype=np.int64) * race.unit
            totals[stay] += found - part
            stay = stay[totals[stay] >= race.best]
        return totals

    def _share(self, work: Callable[[Indices], Any], parts: Iterable[Indices]) -> list[Any]:
        """Like `map`, in several threads at once if there is more than one part."""
        parts = list(parts)
        size = -(-len(parts) // self._workers)
        groups = [parts[start : start + size] for start in range(0, len(parts), size)]

        def several(group: Sequence[Indices]) -> list[Any]:
            return [work(part) for part in group]

        # This thread does its share too: waking another one takes time.
        others = [self._pool.submit(several, group) for group in groups[1:]]
        return several(groups[0]) + [result for other in others for result in other.result()]


def _largest(values: npt.NDArray[Any], count: int) -> Indices:
    """Places of the largest values, in any order."""
    rest = max(0, len(values) - count)
    return np.argpartition(values, rest)[rest:] if rest else np.arange(len(values))
