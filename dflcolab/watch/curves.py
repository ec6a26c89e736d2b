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
_FEWEST_BENDS = 3


@dataclass(frozen=True)
class Curve:
    """One measure of the same faces over looks.

    Attributes:
        values: Mean of each stretch at each look, `[looks, stretches]`.
        counts: Faces of each stretch, `[stretches]`.
        series: Mean over the faces at each look, `[looks]`.
    """

    values: Values
    counts: Values
    series: Values

    @classmethod
    def of(cls, looks: Sequence[Look], name: str) -> Curve:
        """The measure of that name; the looks are at the same faces."""
        values = np.array([look.measures[name].means for look in looks], np.float64)
        counts = np.array(looks[-1].measures[name].counts, np.float64)
        return cls(values, counts, values @ (counts / counts.sum()))

    def change(
        self, first: slice, last: slice, *, chances: float = 1, level: float = LEVEL
    ) -> Interval:
        """Relative change from one window of looks to another, as a share of the first.

        The interval is that over stretches, widened by how much looks wander.

        Args:
            first: Looks before.
            last: Looks after.
            chances: Among how many windows the first was chosen as the lowest. Of many, the lowest
                is low by chance too, and the interval says so.
            level: Share of such intervals that should hold the truth, between 0 and 1.
        """
        before, after = self.values[first].mean(axis=0), self.values[last].mean(axis=0)
        found = bootstrapped(
            lambda weights: (
                ((weights * self.counts) @ (after - before)) / ((weights * self.counts) @ before)
            ),
            len(self.counts),
            level=level,
        )
        level_before = float(self.series[first].mean())
        of_first, of_last = (
            window_noise(self.series[: last.stop], w.stop - w.start) / level_before
            for w in (first, last)
        )
        spread = float(ndtri((1 + level) / 2)) * math.hypot(of_first, of_last)
        # The lowest of n normal values lies about sqrt(2 ln n) deviations below their mean.
        lucky = of_first * math.sqrt(2 * math.log(max(1.0, chances)))
        return Interval(
            found.value,
            found.value - math.hypot(found.value - found.low, spread) - lucky,
            found.value + math.hypot(found.high - found.value, spread),
        )


def together(curves: Sequence[Curve]) -> Curve:
    """The mean of several curves over the same looks, each with the same weight."""
    counts = np.concatenate([curve.counts / curve.counts.sum() for curve in curves])
    values = np.concatenate([curve.values for curve in curves], axis=1)
    return Curve(values, counts, values @ (counts / counts.sum()))


def windows(series: Values, width: int) -> Values:
    """Means of `width` looks in a row, `[looks - width + 1]`; the i-th begins at look i."""
    sums = np.concatenate([np.zeros(1), np.cumsum(series)])
    return (sums[width:] - sums[:-width]) / width


def window_noise(series: Values, width: int) -> float:
    """Standard deviation of the mean of `width` looks about the trend, from the latest looks.

    From second differences, which a straight trend leaves at 0, by their median, which a jump does
    not bend: of single looks, and of neighbouring windows as well, which see a slow wander.
    """
    part = series[-_NOISE_LOOKS:]
    single = _bend(part, 1) / math.sqrt(width)
    return max(single, _bend(windows(part, width), width)) if len(part) >= width else single


def largest_by_chance(series: Values, width: int, chances: float, *, level: float = LEVEL) -> float:
    """How far a window lies above the lowest of many by the wandering of looks alone.

    Args:
        series: The looks.
        width: Looks in a window.
        chances: Among how many windows the lowest was chosen.
        level: Share of cases in which it is less.
    """
    noise = window_noise(series, width)
    # The lowest of n normal values lies about sqrt(2 ln n) deviations below their mean.
    return noise * (
        math.sqrt(2) * float(ndtri((1 + level) / 2)) + math.sqrt(2 * math.log(max(1.0, chances)))
    )


def _bend(series: Values, lag: int) -> float:
    if len(series) < 2 * lag + _FEWEST_BENDS:
        return 0.0
    bends = np.abs(series[2 * lag :] - 2 * series[lag:-lag] + series[: -2 * lag])
    return float(np.median(bends)) * 1.4826 / math.sqrt(6)


def same_faces(looks: Sequence[Look], names: Sequence[str]) -> list[Look]:
    """The looks that saw the same faces as the last one by all names, with finite values."""
    if not looks:
        return []
    last = looks[-1].measures
    kept = [
        look
        for look in looks
        if all(
            name in look.measures and look.measures[name].counts == last[name].counts
            for name in names
        )
    ]
    finite = np.all(
        [np.isfinite([look.measures[name].means for look in kept]).all(axis=1) for name in names],
        axis=0,
    )
    return [look for look, whole in zip(kept, finite, strict=True) if whole]
