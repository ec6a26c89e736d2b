# pyright: strict
"""A measure over many looks, and how it changed between two windows of looks.

Two things make a change uncertain: other faces of the person might have changed otherwise (the
stretches tell), and the weights wander from look to look (neighbouring looks tell). Both enter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri  # pyright: ignore[reportMissingTypeStubs]

from dflcolab.watch.intervals import LEVEL, Interval, Values, bootstrapped
from dflcolab.watch.looks import Look

_NOISE_LOOKS = 60


@dataclass(frozen=True)
class Curve:
    """One measure of the same faces over looks.

    Attributes:
        values: Mean of each stretch at each look, `[looks, stretches]`.
        counts: Weight of each stretch, `[stretches]`: its faces, or its share of those of its side.
        n_stretches: How many there are of each side.
        series: Mean over the faces at each look, `[looks]`.
    """

    values: Values
    counts: Values
    n_stretches: tuple[int, ...]
    series: Values

    @classmethod
    def of(cls, looks: Sequence[Look], name: str) -> Curve:
        """The measure of that name; the looks are at the same faces."""
        values = np.array([look.measures[name].means for look in looks], np.float64)
        counts = np.array(looks[-1].measures[name].counts, np.float64)
        return cls(values, counts, (len(counts),), values @ (counts / counts.sum()))

    def change(
        self,
        first: slice,
        last: slice,
        *,
        against: Curve | None = None,
        chances: float = 1,
        level: float = LEVEL,
    ) -> Interval:
        """Relative change from one window of looks to another, as a share of the first.

        The interval is that over stretches, widened by how much looks wander.

        Args:
            first: Looks before.
            last: Looks after.
            against: Another curve over the same looks, whose change is taken off.
            chances: Among how many windows the first was chosen as the lowest. Of many, the lowest
                is low by chance too, and the interval says so.
            level: Share of such intervals that should hold the truth, between 0 and 1.
        """
        before, after = self.values[first].mean(axis=0), self.values[last].mean(axis=0)
        series, other = self.series / self.series[first].mean(), 0.0
        if against is not None:
            relative = against.series / against.series[first].mean()
            series, other = series - relative, float(relative[last].mean()) - 1

        def change(weights: Values) -> Values:
            shares = self._shares(weights)
            return shares @ (after - before) / (shares @ before) - other

        found = bootstrapped(change, self.n_stretches, level=level)
        of_first, of_last = (
            wander(series[: last.stop]) / math.sqrt(window.stop - window.start)
            for window in (first, last)
        )
        spread = float(ndtri((1 + level) / 2)) * math.hypot(of_first, of_last)
        return Interval(
            found.value,
            found.value
            - math.hypot(found.value - found.low, spread)
            - of_first * lowest_of(chances),
            found.value + math.hypot(found.high - found.value, spread),
        )

    def _shares(self, weights: Values) -> Values:
        """What each stretch is of the mean, `[N, stretches]`; every side counts the same in each row."""
        begins = np.cumsum([0, *self.n_stretches[:-1]])
        shares = weights * self.counts
        sums = np.add.reduceat(shares, begins, axis=1)
        return shares / np.repeat(sums, self.n_stretches, axis=1)


def lowest_of(chances: float) -> float:
    """How many deviations the lowest of so many normal values lies below their mean, about."""
    return math.sqrt(2 * math.log(max(1.0, chances)))


def wander(series: Values) -> float:
    """Standard deviation of a look about the trend, from the latest looks.

    From second differences, which a straight trend leaves at 0, by their median, which a jump does
    not bend.
    """
    part = series[-_NOISE_LOOKS:]
    if len(part) < 3:
        return 0.0
    bends = np.abs(part[2:] - 2 * part[1:-1] + part[:-2])
    return float(np.median(bends)) * 1.4826 / math.sqrt(6)


def together(curves: Sequence[Curve]) -> Curve:
    """The mean of several curves over the same looks, each with the same weight."""
    counts = np.concatenate([curve.counts / curve.counts.sum() for curve in curves])
    values = np.concatenate([curve.values for curve in curves], axis=1)
    n_stretches = tuple(len(curve.counts) for curve in curves)
    return Curve(values, counts, n_stretches, values @ (counts / counts.sum()))


def windows(series: Values, width: int) -> Values:
    """Means of `width` looks in a row, `[looks - width + 1]`; the i-th begins at look i."""
    sums = np.concatenate([np.zeros(1), np.cumsum(series)])
    return (sums[width:] - sums[:-width]) / width


def same_faces(looks: Sequence[Look], names: Sequence[str]) -> list[Look]:
    """The looks that saw the same faces as the last one by all names, with finite values."""
    if not looks:
        return []
    counts = [looks[-1].measures[name].counts for name in names]
    kept = [look for look in looks if _counts(look, names) == counts]
    finite = np.all(
        [np.isfinite([look.measures[name].means for look in kept]).all(axis=1) for name in names],
        axis=0,
    )
    return [look for look, whole in zip(kept, finite, strict=True) if whole]


def _counts(look: Look, names: Sequence[str]) -> list[tuple[int, ...]]:
    return [look.measures[name].counts for name in names if name in look.measures]
