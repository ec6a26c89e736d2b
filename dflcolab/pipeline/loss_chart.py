# pyright: strict
"""Loss curves as numbers for an inline drawing: thinned, smoothed, with round axis marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.pipeline.chart_axes import Tick, anchor, round_marks

WIDTH, HEIGHT = 900, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 892.0, 12.0, 302.0
_POINTS = 400
_SMOOTHED = 0.04
_NAMES = ("src", "dst")
_ALONE = ("masks",)

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One loss: points of the thin and the thick line, and the smoothed value at the end.

    Attributes:
        name: In the legend.
        css: Its color: `src` or `dst`.
    """

    name: str
    css: str
    raw: str
    smooth: str
    last: str


@dataclass(frozen=True)
class LossChart:
    """Everything the page draws, in the drawing's own units."""

    curves: list[Curve]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: float = _LEFT
    right: float = _RIGHT
    bottom: float = _BOTTOM


def loss_chart(
    losses: npt.NDArray[np.floating], iterations: npt.NDArray[np.integer] | None = None
) -> LossChart | None:
    """Lay the losses out for drawing.

    Args:
        losses: `[N, 2]`: src and dst of each iteration, or that of masks and nothing; NaN where
            unknown.
        iterations: Number of the iteration of each row; None counts from 1.

    Returns:
        None if fewer than two rows hold numbers.
    """
    values = np.asarray(losses, np.float64).reshape(-1, 2)
    numbers = (
        np.arange(1, len(values) + 1, dtype=np.float64)
        if iterations is None
        else np.asarray(iterations, np.float64)
    )
    names = _NAMES
    if not np.isfinite(values[:, 1]).any():
        values, names = values[:, :1], _ALONE
    known = np.isfinite(values).all(axis=1)
    values, numbers = values[known], numbers[known]
    if len(values) < 2:
        return None
    x, thin = _thinned(numbers, values)
    smooth = _smoothed(thin)
    # A few wild values at the start must not press the rest into a line.
    top = max(float(np.quantile(thin, 0.995)), float(smooth.max())) * 1.04
    bottom = min(0.0, float(thin.min()))
    y_marks = round_marks(bottom, top, 5)
    span = max(float(numbers[-1] - numbers[0]), 1.0)

    def place_x(value: float) -> float:
        return _LEFT + (value - float(numbers[0])) / span * (_RIGHT - _LEFT)

    def place_y(value: float) -> float:
        share = (min(max(value, bottom), top) - bottom) / max(top - bottom, 1e-12)
        return _BOTTOM - share * (_BOTTOM - _TOP)

    def line(column: Values) -> str:
        return " ".join(
            f"{place_x(float(at)):.1f},{place_y(float(value)):.1f}"
            for at, value in zip(x, column, strict=True)
        )

    curves = [
        Curve(name, _NAMES[i], line(thin[:, i]), line(smooth[:, i]), f"{smooth[-1, i]:.3f}")
        for i, name in enumerate(names)
    ]
    x_marks = round_marks(float(numbers[0]), float(numbers[-1]), 5)
    return LossChart(
        curves=curves,
        x_ticks=[
            Tick(round(place_x(mark), 1), f"{mark:,.0f}", anchor(place_x(mark), _LEFT, _RIGHT))
            for mark in x_marks
        ],
        y_ticks=[Tick(round(place_y(mark), 1), f"{mark:g}") for mark in y_marks],
    )


def _thinned(numbers: Values, values: Values) -> tuple[Values, Values]:
    """At most a few hundred points, each the mean of its stretch."""
    edges = np.unique(np.linspace(0, len(values), min(len(values), _POINTS) + 1).astype(int))
    counts = np.diff(edges)
    means = np.add.reduceat(values, edges[:-1], axis=0) / counts[:, None]
    return np.add.reduceat(numbers, edges[:-1]) / counts, means


def _smoothed(values: Values) -> Values:
    """Mean over a window of a few percent of the curve, narrower at its ends."""
    reach = max(int(len(values) * _SMOOTHED / 2), 1)
    sums = np.vstack([np.zeros(values.shape[1]), np.cumsum(values, axis=0)])
    index = np.arange(len(values))
    low = np.maximum(index - reach, 0)
    high = np.minimum(index + reach + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)[:, None]
