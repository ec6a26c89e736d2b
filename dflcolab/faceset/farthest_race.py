# pyright: strict
"""The race of `absdiff`: who is the farthest from a picture?

Faces are compared area by area, beginning where limits are least close, until they are known to be
nearer than another one: most of them are out after a part of their samples. Several processes may
run one race, each with faces of its own: they share the largest distance found so far.
"""

from __future__ import annotations

import mmap

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.faceset.pivot_limits import Bytes, Indices, Limits, distances

Distances = npt.NDArray[np.int64]

_AT_A_TIME = 64
"""Faces compared together: the next ones know the largest distance of these."""

_HEAD = 4
"""Faces compared together in the beginning."""

_CUTS = np.array([1, 2, 3, 4, 5, 6, 8, 12]) / 16
"""Parts of the areas after which faces may leave the race."""


class Best:
    """A large distance that somebody has found, shared with processes forked later.

    It is the largest one or nearly: nobody waits for others to set it.
    """

    def __init__(self) -> None:
        self._found = np.frombuffer(mmap.mmap(-1, 8), np.int64)

    @property
    def found(self) -> int:
        """The distance."""
        return int(self._found[0])

    def start(self) -> None:
        """Forget it, for a new race."""
        self._found[0] = 0

    def learn(self, distance: int) -> None:
        """Somebody has found a distance."""
        if distance > self._found[0]:
            self._found[0] = distance


class Race:
    """A race from one picture.

    Args:
        samples: `[N, areas, samples]`, uint8, of all pictures.
        here: Index of the picture.
        unit: Of the limits.
        best: Of this race.
    """

    def __init__(self, samples: Bytes, here: int, unit: int, best: Best) -> None:
        self._samples, self._here, self._unit, self._best = samples, here, unit, best
        self._pieces = samples.reshape(-1, samples.shape[2])
        self._areas: Indices = np.arange(samples.shape[1])

    @property
    def least(self) -> float:
        """The least limit with which a picture may still be the farthest."""
        return self._best.found / self._unit

    def lead(self, others: Indices, limits: Limits) -> Distances:
        """Distances of some pictures, compared in full.

        Args:
            others: Their indices.
            limits: How far they are at most in each area, `[others, areas]`.
        """
        black = np.zeros(self._samples.shape[2], np.uint8)
        apart = [cv2.absdiff(self._samples[self._here], self._samples[other]) for other in others]
        exact = np.array([distances(np.asarray(areas, np.uint8), black) for areas in apart])
        # For all others the limits are likely to be like theirs.
        excess = (limits.astype(np.int64) * self._unit - exact).sum(axis=0)
        self._areas = np.argsort(-excess)
        found = exact.sum(axis=1)
        self._best.learn(int(found.max()))
        return found

    def run(self, others: Indices, limits: Limits) -> Distances:
        """Distances of some pictures; something less where they are below the best.

        Args:
            others: Their indices, beginning with those that are likely to be far.
            limits: As for `lead`.
        """
        starts = [_HEAD, *range(_AT_A_TIME, len(others), _AT_A_TIME)]
        batches = zip(np.split(others, starts), np.split(limits, starts), strict=True)
        return np.concatenate([self._run(some, theirs) for some, theirs in batches])

    def _run(self, others: Indices, limits: Limits) -> Distances:
        n_areas = len(self._areas)
        totals = limits.sum(axis=1, dtype=np.int64) * self._unit
        stay = np.flatnonzero(totals >= self._best.found)
        for areas in np.split(self._areas, (_CUTS * n_areas).astype(int)):
            if not len(stay):
                return totals
            if not len(areas):
                continue
            places = others[stay, None] * n_areas + areas
            pieces = self._pieces.take(places, axis=0).reshape(len(stay), -1)
            found = distances(pieces, self._samples[self._here, areas].ravel())
            part = limits[stay[:, None], areas].sum(axis=1, dtype=np.int64) * self._unit
            totals[stay] += found - part
            stay = stay[totals[stay] >= self._best.found]
        if len(stay):
            self._best.learn(int(totals[stay].max()))
        return totals
