# pyright: strict
"""Curves of what the watch saw, as numbers for inline drawings: lines with intervals, and marks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from dflcolab.pipeline.chart_axes import Tick, anchor, round_marks, round_marks_of_log
from dflcolab.watch.intervals import Interval, interval_of
from dflcolab.watch.looks import Look

_POINTS = 160
_LEAST_SPAN = 0.02
_DIGIT = 8.0
"""Width of a digit of a mark, in the drawing's own units."""


@dataclass(frozen=True)
class Frame:
    """Size of a drawing and of its field, in the drawing's own units."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float


WIDE = Frame(900, 360, 64.0, 890.0, 30.0, 318.0)
"""Over the whole page."""

SMALL = Frame(320, 170, 44.0, 312.0, 10.0, 140.0)
"""One of several beside each other."""


@dataclass(frozen=True)
class Curve:
    """One measure over the looks, before it is drawn.

    Attributes:
        name: In the legend.
        css: Its classes: color and kind of line.
        iterations: Of the looks, `N`, rising.
        intervals: Values at the looks, `N`.
        parts: `N` words; where they change, the line is broken: what lies on both sides of it does
            not compare.
    """

    name: str
    css: str
    iterations: Sequence[int]
    intervals: Sequence[Interval]
    parts: Sequence[str]


@dataclass(frozen=True)
class DrawnCurve:
    """A curve as points: its bands and its lines, a pair for each unbroken part."""

    name: str
    css: str
    last: str
    bands: Sequence[str]
    lines: Sequence[str]
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class DrawnMark:
    """Something that happened: an upright line with a number on top, 0 where there is no room for it."""

    x: float
    number: int
    kind: str


@dataclass(frozen=True)
class CurveChart:
    """Everything that the page draws."""

    title: str
    hint: str
    frame: Frame
    curves: Sequence[DrawnCurve]
    marks: Sequence[DrawnMark]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]


def curve_of(looks: Sequence[Look], measure: str, name: str, css: str) -> Curve | None:
    """The curve of one measure; None if fewer than two looks hold it.

    Args:
        looks: In order of their iterations.
        measure: Such as "src/held_out/loss".
        name: In the legend.
        css: Classes of the curve.
    """
    known = [look for look in looks if measure in look.measures]
    known = [look for look in known if math.isfinite(look.measures[measure].mean)]
    if len(known) < 2:
        return None
    places = np.linspace(0, len(known) - 1, min(len(known), _POINTS)).round()
    shown = [known[int(place)] for place in sorted(set(places.tolist()))]
    return Curve(
        name,
        css,
        [look.iteration for look in shown],
        [interval_of(look.measures[measure]) for look in shown],
        [f"{look.comparable} {look.measures[measure].counts}" for look in shown],
    )


def draw(
    title: str,
    curves: Sequence[Curve | None],
    *,
    frame: Frame,
    hint: str = "",
    marks: Sequence[tuple[int, int, str]] = (),
    log: bool = False,
    until: int | None = None,
) -> CurveChart | None:
    """Lay curves out in one field.

    Args:
        title: What is drawn.
        curves: Those that are there.
        frame: The field.
        hint: What more and less of it means.
        marks: Iteration, number and kind of what happened.
        log: Equal ratios are equally far; for positive measures.
        until: Last iteration of the axis, if later than the curves' end.

    Returns:
        None if there is no curve.
    """
    shown = [curve for curve in curves if curve is not None]
    if not shown:
        return None
    values = np.array([i.value for curve in shown for i in curve.intervals])
    log = log and bool((values > 0).all())
    low, high = _range(shown, log=log)
    first = min(curve.iterations[0] for curve in shown)
    last = max(*(curve.iterations[-1] for curve in shown), until or 0, first + 1)

    def x(iteration: float) -> float:
        share = (iteration - first) / (last - first)
        return round(frame.left + min(max(share, 0), 1) * (frame.right - frame.left), 1)

    def y(value: float) -> float:
        ends = (math.log(low), math.log(high)) if log else (low, high)
        at = math.log(max(value, low)) if log else value  # an interval may reach below 0
        share = (min(max(at, ends[0]), ends[1]) - ends[0]) / (ends[1] - ends[0])
        return round(frame.bottom - share * (frame.bottom - frame.top), 1)

    about = 5 if frame is WIDE else 3
    y_marks = (round_marks_of_log if log else round_marks)(low, high, about)
    return CurveChart(
        title,
        hint,
        frame,
        [_drawn(curve, x, y) for curve in shown],
        _marks(x, marks),
        [
            Tick(x(mark), short(mark), anchor(x(mark), frame.left, frame.right))
            for mark in round_marks(first, last, about)
        ],
        [Tick(y(mark), f"{mark:g}") for mark in y_marks],
    )


def _marks(x: Callable[[float], float], marks: Sequence[tuple[int, int, str]]) -> list[DrawnMark]:
    """Lines of all marks, and as many numbers as can be read beside each other."""
    drawn: list[DrawnMark] = []
    free_from = -math.inf
    for at, mark_number, kind in sorted(marks):
        room = x(at) >= free_from
        if room:
            free_from = x(at) + _DIGIT * (len(str(mark_number)) + 1)
        drawn.append(DrawnMark(x(at), mark_number if room else 0, kind))
    return drawn


def short(iteration: float) -> str:
    """`900`, `12,000`, `120k`, `1.5M`."""
    if iteration >= 1e6:
        return f"{iteration / 1e6:.3g}M"
    return f"{iteration / 1e3:.4g}k" if iteration >= 1e5 else f"{iteration:,.0f}"


def _range(curves: Sequence[Curve], *, log: bool) -> tuple[float, float]:
    """From the lowest to the highest value, with as much of the intervals as leaves room for both.

    On an even scale a few looks at the very start, which are far off, are cut: they would press the
    rest into a line.
    """
    values = np.array([i.value for curve in curves for i in curve.intervals])
    ends = np.array([(i.low, i.high) for curve in curves for i in curve.intervals])
    low, high = float(values.min()), float(values.max())
    if not log:
        later = [i.value for curve in curves for i in curve.intervals[len(curve.intervals) // 12 :]]
        low, high = min(later), max(later)
    room = (high - low) / 3
    known = ends[np.isfinite(ends).all(axis=1)]
    if len(known):
        low = max(min(low, float(known.min())), low / 1.5 if log else low - room)
        high = min(max(high, float(known.max())), high * 1.2 if log else high + room)
    # What differs in the fourth digit only is drawn as the flat line that it is.
    lacking = _LEAST_SPAN * max(abs(low), abs(high), 1e-6) - (high - low)
    if lacking > 0:
        low, high = low - lacking / 2, high + lacking / 2
    return low, high


def _drawn(curve: Curve, x: Callable[[float], float], y: Callable[[float], float]) -> DrawnCurve:
    bands: list[str] = []
    lines: list[str] = []
    dots: list[tuple[float, float]] = []
    points = zip(curve.parts, curve.iterations, curve.intervals, strict=True)
    for _, part in groupby(points, key=lambda point: point[0]):
        known = [(x(at), interval) for _, at, interval in part]
        line = [(at, y(interval.value)) for at, interval in known]
        if len(line) == 1:
            dots += line
        lines.append(_points(line))
        sure = [(at, i) for at, i in known if math.isfinite(i.low) and math.isfinite(i.high)]
        upper = [(at, y(interval.high)) for at, interval in sure]
        lower = [(at, y(interval.low)) for at, interval in reversed(sure)]
        if len(sure) > 1:
            bands.append(_points(upper + lower))
    return DrawnCurve(curve.name, curve.css, number(curve.intervals[-1].value), bands, lines, dots)


def number(value: float) -> str:
    """Three digits, without an exponent where that can be."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{at:g},{value:g}" for at, value in points)
