# pyright: strict
"""Axes of the reports' drawings: round numbers, and how their texts hang on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

_LABEL_ROOM = 30.0


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, what, and how its text hangs on it."""

    at: float
    label: str
    anchor: str = "middle"


def anchor(x: float, left: float, right: float) -> str:
    """How a text under the axis hangs on its mark without leaving the drawing."""
    if x < left + _LABEL_ROOM:
        return "start"
    return "end" if x > right - _LABEL_ROOM else "middle"


def round_marks(low: float, high: float, about: int) -> list[float]:
    """Round numbers inside a range, about so many."""
    rough = max(high - low, 1e-9) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [round(k * step, 10) for k in range(first, math.floor(high / step) + 1)]


def round_marks_of_log(low: float, high: float, about: int) -> list[float]:
    """Round numbers inside a range of positive ones, about equally far from each other as ratios."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        marks = [float(f"{factor * 10.0**power:.3g}") for power in powers for factor in factors]
        inside = [mark for mark in marks if low <= mark <= high]
        if len(inside) >= about - 1:
            return inside[:: math.ceil(len(inside) / (2 * about))]
    return round_marks(low, high, about)
