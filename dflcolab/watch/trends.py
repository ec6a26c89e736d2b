# pyright: strict
"""The numbers behind a verdict: has a held-out loss risen from its best, does the score still fall?"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dflcolab.watch.curves import Curve, lowest_of, together, wander, windows
from dflcolab.watch.intervals import Interval, Values
from dflcolab.watch.looks import Look

WINDOW = 4
"""Looks that are averaged at least before they are compared."""

CONFIRMED_BY = 3
"""Looks in a row that must say the same."""

NEEDED_LOOKS = 2 * WINDOW + CONFIRMED_BY - 1
"""Looks before the first judgement."""

RISE = 0.02
"""Smallest relative rise of a held-out loss that counts."""

GAP = 0.05
"""How much more held-out faces must have become worse than training faces, reliably."""

UNSTABLE = 0.1
"""Smallest relative rise of the loss on training faces that is called unstable."""

GAIN = 0.01
"""Smallest relative fall of the held-out score that counts."""

UNSEEN = 0.03
"""Relative fall of the held-out score that must be out of the question on a plateau."""

_PATIENCE_SHARE = 6  # a plateau is looked for over this part of the phase
_QUIET = 0.005  # windows grow until their means wander by no more than this share
_WIDEST_SHARE = 4  # but to this part of the looks at most


@dataclass(frozen=True)
class Rise:
    """The last window of looks against the best one before it.

    Attributes:
        best: Index of a look in the middle of the best window.
        held_out: Relative change of the held-out loss.
        training: Relative change of the loss on training faces.
        gap: How much more held-out faces became worse than training faces.
        by_chance: Rise of the held-out loss that the wandering of looks alone explains.
    """

    best: int
    held_out: Interval
    training: Interval
    gap: Interval
    by_chance: float

    @property
    def overfits(self) -> bool:
        """Held-out faces became worse, and training faces did not."""
        return self._rose and not self._training_rose and self.gap.low > GAP

    @property
    def unstable(self) -> bool:
        """Both became much worse."""
        return self._rose and self._training_rose and self.training.value >= UNSTABLE

    @property
    def _rose(self) -> bool:
        return self.held_out.value >= max(RISE, self.by_chance)

    @property
    def _training_rose(self) -> bool:
        return self.training.value >= RISE / 2 and self.training.low > 0


@dataclass(frozen=True)
class Gain:
    """The score in the last looks against the same number of looks before.

    Attributes:
        first: Index of the first look that was compared.
        width: Looks in each of the two windows.
        score: Relative change of the held-out score; negative is better.
    """

    first: int
    width: int
    score: Interval

    @property
    def reliable(self) -> bool:
        """The score fell, by more than its uncertainty and a small margin."""
        return self.score.value <= -GAIN and self.score.high < 0

    @property
    def is_small(self) -> bool:
        """The score did not fall reliably, and hardly by much without being seen."""
        return not self.reliable and self.score.low > -UNSEEN


class Trends:
    """Looks at the same faces, compared.

    Args:
        looks: At least one, with the same stretches in all.
        sides: The sides that are judged; at least one.
    """

    def __init__(self, looks: Sequence[Look], sides: Sequence[str]) -> None:
        self.looks = looks
        self.sides = sides
        self.held_out = {side: Curve.of(looks, f"{side}/held_out/loss") for side in sides}
        self.training = {side: Curve.of(looks, f"{side}/training/loss") for side in sides}
        self.score = together([self.held_out[side] for side in sides])
        self.best = int(np.argmin(self.score.series))
        phase = looks[-1].phase
        others = (i + 1 for i in range(len(looks) - 1, -1, -1) if looks[i].phase != phase)
        self.phase_start = next(others, 0)

    @property
    def in_phase(self) -> int:
        """Looks since the present phase began."""
        return len(self.looks) - self.phase_start

    @property
    def settled(self) -> bool:
        """There are enough looks for a judgement."""
        return self.in_phase >= NEEDED_LOOKS

    @functools.cached_property
    def rises(self) -> dict[str, list[Rise]]:
        """Of each side, how its losses compare with their best by each of the last looks."""
        ends = self._last_ends()
        return {side: [self._rise(side, end) for end in ends] for side in self.sides}

    @functools.cached_property
    def gains(self) -> list[Gain]:
        """How the score changed lately, by each of the last looks."""
        return [self._gain(end) for end in self._last_ends()]

    @property
    def overfits(self) -> list[str]:
        """The sides that over-fit, by all of the last looks."""
        return [side for side, rises in self.rises.items() if all(r.overfits for r in rises)]

    @property
    def unstable(self) -> list[str]:
        """The sides that became worse on training faces too, by all of the last looks."""
        return [side for side, rises in self.rises.items() if all(r.unstable for r in rises)]

    @property
    def plateau(self) -> bool:
        """The score hardly falls any more, by all of the last looks."""
        return all(gain.is_small for gain in self.gains)

    @property
    def past_best(self) -> bool:
        """The score lies above its best by more than looks wander, by all of the last looks."""
        for end in self._last_ends():
            series = self.score.series[:end]
            first, last = _best_and_last(series)
            if series[last].mean() <= series[first].mean() + _chance(series, first, last):
                return False
        return True

    def _last_ends(self) -> range:
        return range(len(self.looks) - CONFIRMED_BY + 1, len(self.looks) + 1)

    def _rise(self, side: str, end: int) -> Rise:
        held_out, training = self.held_out[side], self.training[side]
        series = held_out.series[:end]
        first, last = _best_and_last(series)
        chances = _chances(end, last)
        return Rise(
            (first.start + first.stop) // 2,
            held_out.change(first, last, chances=chances),
            training.change(first, last),
            held_out.change(first, last, against=training, chances=chances),
            _chance(series, first, last) / float(series[first].mean()),
        )

    def _gain(self, end: int) -> Gain:
        looks = end - self.phase_start
        quiet = _quiet_width(self.score.series[self.phase_start : end], looks // _WIDEST_SHARE)
        width = max(quiet, math.ceil(looks / _PATIENCE_SHARE / 2))
        first = slice(end - 2 * width, end - width)
        return Gain(first.start, width, self.score.change(first, slice(end - width, end)))


def _best_and_last(series: Values) -> tuple[slice, slice]:
    """The lowest window of looks, and the last one, which it does not overlap."""
    end = len(series)
    width = _quiet_width(series, end // _WIDEST_SHARE)
    start = int(np.argmin(windows(series[: end - width], width)))
    return slice(start, start + width), slice(end - width, end)


def _chances(end: int, last: slice) -> float:
    """Among how many windows that do not overlap the lowest one was chosen."""
    width = end - last.start
    return (end - 2 * width + 1) / width


def _chance(series: Values, first: slice, last: slice) -> float:
    """How far the last window may lie above the lowest one by the wandering of looks alone."""
    of_mean = wander(series) / math.sqrt(first.stop - first.start)
    return of_mean * (math.sqrt(2) + lowest_of(_chances(len(series), last)))


def _quiet_width(series: Values, widest: int) -> int:
    """Looks to average so that their mean wanders little, between `WINDOW` and `widest`."""
    width = math.ceil((wander(series) / (_QUIET * float(series[-2 * WINDOW :].mean()))) ** 2)
    return max(WINDOW, min(width, widest))
