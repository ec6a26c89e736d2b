# pyright: strict
"""How far apart two pictures can be at most, by their distances to pivots.

A distance is the sum of absolute differences over all samples. The way over a third picture, a
pivot, is never shorter (the triangle inequality), and no longer at all where in every sample the
pivot lies between the two. A few dozen pivots between groups of pictures come close to that in
most areas: the limit takes the best pivot of each area.
"""

from __future__ import annotations

import itertools
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image

Bytes = npt.NDArray[np.uint8]
Limits = npt.NDArray[np.uint16]
Totals = npt.NDArray[np.uint32]
Indices = npt.NDArray[np.intp]

_SIDE = 8
"""Areas along a side, at most."""

_GROUPS = 8
"""Groups of pictures. Their means are pivots, and the pictures half-way between any two of these."""

_EXAMPLES = 256
"""Pictures that are grouped."""

_STRIP = 1 << 23
"""Samples whose differences add up within 32 bits."""

_BLOCK = 128
"""Pictures worked on at a time: few enough to stay in the cache."""


class AreaLayout:
    """The order in which the samples of a picture are stored: area by area.

    Beyond the lower and the right border pictures count as black, so that all areas are of one size.

    Args:
        height: Height of the pictures in pixels.
        width: Their width.

    Attributes:
        n_areas: Number of areas.
        n_samples: Number of samples of an area.
    """

    def __init__(self, height: int, width: int) -> None:
        self._high, self._wide = -(-height // _SIDE), -(-width // _SIDE)
        self._rows, self._columns = -(-height // self._high), -(-width // self._wide)
        self._border = self._rows * self._high - height, self._columns * self._wide - width
        self.n_areas = self._rows * self._columns
        self.n_samples = self._high * self._wide * 3

    def store(self, picture: Image, room: Bytes) -> None:
        """Write a picture, `[H, W, 3]`, to `room`, `[n_areas, n_samples]`."""
        bottom, right = self._border
        bordered = cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        pieces = bordered.reshape(self._rows, self._high, self._columns, 3 * self._wide)
        room.reshape(self._rows, self._columns, self._high, -1)[:] = pieces.swapaxes(1, 2)


class Pivots:
    """Pivots that suit some pictures.

    Args:
        samples: `[N, areas, samples]`, uint8, of all pictures.
        members: Indices of the pictures in question.

    Attributes:
        unit: What a limit of 1 stands for.
    """

    def __init__(self, samples: Bytes, members: Indices) -> None:
        self._samples = samples
        self._pivots = _pivots(samples, members)
        # Two distances together stay within 16 bits.
        self.unit = -(-255 * samples.shape[2] // (np.iinfo(np.uint16).max // 2))

    def distances(self, members: Indices) -> Limits:
        """Rounded up, of some pictures to all pivots in each area, `[pivots, members, areas]`."""
        n_pivots, n_areas = self._pivots.shape[:2]
        limits = np.empty((n_pivots, len(members), n_areas), np.uint16)
        for start in range(0, len(members), _BLOCK):
            block = members[start : start + _BLOCK]
            found = np.empty((n_areas, n_pivots, len(block)), np.int32)
            for area in range(n_areas):
                few = self._samples[block, area]
                for which, pivot in enumerate(self._pivots[:, area]):
                    found[area, which] = distances(few, pivot)
            limits[:, start : start + _BLOCK] = -(-found // self.unit).transpose(1, 2, 0)
        return limits


class PivotLimits:
    """Distances of some pictures to pivots, in each area.

    Args:
        pivots: The pivots.
        members: Indices of the pictures in question; they have places 0 and on.
    """

    def __init__(self, pivots: Pivots, members: Indices) -> None:
        self._table = pivots.distances(members)
        self._totals = self._table.sum(axis=2, dtype=np.uint32)
        self._count = len(members)

    def row(self, place: int) -> Limits:
        """A copy of the distances of one picture to all pivots, `[pivots, areas]`."""
        return self._table[:, place].copy()

    def remove(self, place: int) -> None:
        """Forget a picture; the last one takes its place."""
        self._count -= 1
        self._table[:, place] = self._table[:, self._count]
        self._totals[:, place] = self._totals[:, self._count]

    def of_pictures(self, row: Limits) -> Totals:
        """Limits of the distances to all pictures, each over one pivot; quick but not close.

        Args:
            row: Distances to all pivots of the picture from which the distances are.
        """
        own = row.sum(axis=1, dtype=np.uint32)[:, None]
        return (self._totals[:, : self._count] + own).min(axis=0)

    def of_areas(self, row: Limits, places: Indices, pivots: Indices) -> Limits:
        """Limits of the distances to some pictures in each area, `[places, areas]`.

        Args:
            row: As in `of_pictures`.
            places: Of the pictures.
            pivots: Which pivots the ways may lead over; the more, the closer.
        """
        best: Limits | None = None
        for pivot in pivots:
            ways = self._table[pivot].take(places, axis=0)
            ways += row[pivot]
            best = ways if best is None else np.minimum(best, ways, out=best)
        assert best is not None
        return best

    def by_use(self, row: Limits, places: Indices) -> tuple[Limits, Indices]:
        """As `of_areas` with all pivots, for few pictures.

        Returns:
            The limits, and all pivots, beginning with those that are the best in most areas.
        """
        ways = self._table.take(places, axis=1)
        ways += row[:, None]
        best = ways.min(axis=0)
        return best, np.argsort(-(ways == best).sum(axis=(1, 2)))


def distances(rows: Bytes, row: Bytes) -> npt.NDArray[np.signedinteger]:
    """Sums of absolute differences of some rows, `[N, samples]`, to one, `[samples]`."""
    if row.size > _STRIP:
        first = distances(rows[:, :_STRIP], row[:_STRIP]).astype(np.int64)
        return first + distances(rows[:, _STRIP:], row[_STRIP:])
    # One neighbor among one picture: its distance. OpenCV has no faster way for a column.
    found: Any = cv2.batchDistance(rows, row[None], cv2.CV_32S, normType=cv2.NORM_L1, K=1)
    return found[0][:, 0]


def _pivots(samples: Bytes, members: Indices) -> Bytes:
    """Means of groups of like pictures, and the pictures half-way, `[pivots, areas, samples]`."""
    chosen: Bytes = samples[members[:: -(-len(members) // _EXAMPLES)]]
    n, n_areas, n_samples = chosen.shape
    sums = distances(chosen.reshape(-1, n_samples), np.zeros_like(chosen[0, 0]))
    levels = (sums.reshape(n, n_areas) / n_samples).astype(np.float32)
    n_groups = min(_GROUPS, n)
    groups = np.empty((n, 1), np.int32)
    groups[np.argsort(levels.sum(axis=1)), 0] = np.arange(n) * n_groups // n
    if n > 1:  # OpenCV takes a single row for a column, and reads behind the labels
        stop = (cv2.TERM_CRITERIA_MAX_ITER, 20, 0)
        cv2.kmeans(levels, n_groups, groups, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    means: list[Bytes] = [
        chosen[groups[:, 0] == group].mean(axis=0, dtype=np.float32).astype(np.uint8)
        for group in np.unique(groups)
    ]
    between = [
        cv2.addWeighted(one, 0.5, two, 0.5, 0) for one, two in itertools.combinations(means, 2)
    ]
    return np.array(means + between, np.uint8)
