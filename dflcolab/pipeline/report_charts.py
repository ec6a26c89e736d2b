"""Drawings of the report: where poses lie, and how numbers are spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dflcolab.faceset.coverage import PITCH_EDGES, YAW_EDGES
from dflcolab.faceset.measures import FaceMeasure

_CELL = 24
_LEFT, _TOP = 44, 6
_BINS = 28
_BAR = 8


@dataclass(frozen=True)
class Cell:
    """One cell of a pose map that holds faces."""

    x: int
    y: int
    opacity: float
    label: str
    hint: str
    bright: bool


@dataclass(frozen=True)
class Tick:
    """A number at an axis."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class PoseChart:
    """Faces by yaw and pitch: up is up, the picture's left is left.

    Attributes:
        title: What is counted.
        width: Of the drawing.
        height: Of the drawing.
        cell: Side of a cell.
        box: Left, top, width and height of the grid.
        cells: Those that hold faces; darker holds more, on a logarithmic scale.
        x_ticks: Degrees of yaw.
        y_ticks: Degrees of pitch.
        total: All faces.
    """

    title: str
    width: int
    height: int
    cell: int
    box: tuple[int, int, int, int]
    cells: Sequence[Cell]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    total: int


def pose_chart(pose_map: Sequence[Sequence[int]], title: str) -> PoseChart:
    """The drawing of a pose map (`coverage.pose_map`)."""
    rows, columns = len(PITCH_EDGES) - 1, len(YAW_EDGES) - 1
    largest = max((value for row in pose_map for value in row), default=0)
    cells: list[Cell] = []
    for r, row in enumerate(pose_map):
        for c, count in enumerate(row):
            if not count:
                continue
            opacity = 0.15 + 0.85 * math.log1p(count) / math.log1p(largest)
            cells.append(
                Cell(
                    x=_LEFT + (columns - 1 - c) * _CELL,
                    y=_TOP + (rows - 1 - r) * _CELL,
                    opacity=round(opacity, 3),
                    label=str(count) if count < 1000 else f"{count / 1000:.0f}k",
                    hint=f"{count:,} faces, yaw {YAW_EDGES[c]} to {YAW_EDGES[c + 1]}, "
                    f"pitch {PITCH_EDGES[r]} to {PITCH_EDGES[r + 1]} degrees",
                    bright=opacity > 0.6,
                )
            )
    width, height = columns * _CELL, rows * _CELL
    x_ticks = [
        Tick(_LEFT + (YAW_EDGES[-1] - degrees) / 10 * _CELL, _TOP + height + 15, f"{degrees}°")
        for degrees in (60, 30, 0, -30, -60)
    ]
    y_ticks = [
        Tick(_LEFT - 6, _TOP + (PITCH_EDGES[-1] - degrees) / 10 * _CELL, f"{degrees}°")
        for degrees in (30, 0, -30)
    ]
    return PoseChart(
        title,
        _LEFT + width + 4,
        _TOP + height + 22,
        _CELL,
        (_LEFT, _TOP, width, height),
        cells,
        x_ticks,
        y_ticks,
        sum(value for row in pose_map for value in row),
    )


@dataclass(frozen=True)
class Bars:
    """One side's bars: the outline of the histogram as SVG points."""

    side: str
    points: str


@dataclass(frozen=True)
class Histogram:
    """How one number is spread on each side.

    Attributes:
        title: The number.
        hint: What more and less of it means.
        bars: One per side.
        low: Number at the left end.
        high: Number at the right end.
        width: Of the drawing.
        height: Of the drawing.
    """

    title: str
    hint: str
    bars: Sequence[Bars]
    low: str
    high: str
    width: int = _BINS * _BAR
    height: int = 64


Value = Callable[[FaceMeasure], float | None]

_SCALES: tuple[tuple[str, str, str, Value], ...] = (
    ("Sharpness", "right is sharper", ".1f", lambda m: m.sharpness),
    ("Size in the frame", "pixels from brow to chin", ".0f", lambda m: m.frame_pixels),
    ("Brightness", "right is brighter", ".2f", lambda m: m.light and m.light.brightness),
    ("Contrast", "right is harder", ".2f", lambda m: m.light and m.light.contrast),
    (
        "Light from the left",
        "right: from the picture's left",
        ".2f",
        lambda m: m.light and m.light.from_left,
    ),
    ("Light from above", "right: from above", ".2f", lambda m: m.light and m.light.from_above),
    ("Mouth", "right is wider open", ".2f", lambda m: m.mouth),
    ("Eyes", "right is wider open", ".2f", lambda m: m.eyes),
)


def histograms(sides: Mapping[str, Sequence[FaceMeasure]]) -> list[Histogram]:
    """Both sides' spreads over one scale each; scales without numbers are left out.

    Heights are shares of the side's own faces, so a large and a small faceset compare.
    """
    found: list[Histogram] = []
    for title, hint, form, value in _SCALES:
        values = {side: _finite(measures, value) for side, measures in sides.items()}
        everything = np.concatenate(list(values.values())) if values else np.zeros(0)
        if not len(everything):
            continue
        low, high = np.percentile(everything, [0.5, 99.5]).tolist()
        if high - low < 1e-6:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, _BINS + 1)
        shares = {
            side: np.histogram(np.clip(numbers, low, high), edges)[0] / len(numbers)
            for side, numbers in values.items()
            if len(numbers)
        }
        top = max(float(share.max()) for share in shares.values())
        bars = [Bars(side, _outline(share / top)) for side, share in shares.items()]
        found.append(Histogram(title, hint, bars, format(low, form), format(high, form)))
    return found


def _finite(measures: Sequence[FaceMeasure], value: Value) -> np.ndarray:
    found = [number for m in measures if (number := value(m)) is not None]
    table = np.array(found, dtype=np.float64)
    return table[np.isfinite(table)]


def _outline(heights: np.ndarray) -> str:
    """Stairs over the bins, closed along the floor."""
    tall = Histogram.height
    points = [f"0,{tall}"]
    for i, height in enumerate(heights.tolist()):
        y = round(tall - height * (tall - 4), 1)
        points += [f"{i * _BAR},{y}", f"{(i + 1) * _BAR},{y}"]
    return " ".join([*points, f"{len(heights) * _BAR},{tall}"])
