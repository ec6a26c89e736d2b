# pyright: strict
"""Outlines on their way to a page and back. What comes from a page is checked before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from dflcolab.errors import FormatError
from dflcolab.faces.face_record import Polygon

MOST_POINTS = 8_000
"""Of a face together. They take 64 kB, which is all that a face file has for its metadata."""

MOST_OUTLINES = 500
_FARTHEST = 100_000.0  # pixels from the picture's corner
_ABSURD = 1e7  # no face file has such numbers


def to_page(polygons: Sequence[Polygon]) -> list[dict[str, Any]]:
    """Outlines as the page takes them; each number is exactly the stored one."""
    return [{"include": p.include, "points": p.points.tolist()} for p in polygons]


def from_page(value: object, present: Sequence[Polygon] = ()) -> tuple[Polygon, ...]:
    """Outlines that a page sent.

    Args:
        value: A list of `{"include": bool, "points": [[x, y], …]}`.
        present: Outlines of the face's file. Such as no editor would make (a dot, a line, points
            far away) are let through unchanged.

    Raises:
        FormatError: They are no outlines: fewer than three points, values that are no numbers or
            lie far outside of the picture, or more points than a face file can hold.
    """
    items = cast(list[object], value) if isinstance(value, list) else None
    if items is None or len(items) > MOST_OUTLINES:
        raise _refused(f"no list of at most {MOST_OUTLINES} outlines")
    polygons: list[Polygon] = []
    left = MOST_POINTS
    for item in items:
        polygon = _polygon(item, left)
        left -= len(polygon.points)
        if not _is_sound(polygon) and not any(_same(polygon, old) for old in present):
            raise _refused("an outline with fewer than three points, or with some far away")
        polygons.append(polygon)
    return tuple(polygons)


def _polygon(item: object, room: int) -> Polygon:
    values = cast(dict[object, object], item) if isinstance(item, dict) else {}
    include, points = values.get("include"), values.get("points")
    if not isinstance(include, bool) or not isinstance(points, list):
        raise _refused("something that is no outline")
    pairs = cast(list[object], points)
    if len(pairs) > room:
        raise _refused(f"more than {MOST_POINTS} points")
    numbers = [number for pair in pairs for number in _pair(pair)]
    return Polygon(include, np.array(numbers, np.float32).reshape(-1, 2))


def _pair(value: object) -> tuple[float, float]:
    pair = cast(list[object], value) if isinstance(value, (list, tuple)) else []
    numbers = [
        float(number)
        for number in pair
        if isinstance(number, (int, float))
        and not isinstance(number, bool)
        and abs(number) < _ABSURD  # neither is NaN
    ]
    if len(pair) != 2 or len(numbers) != 2:
        raise _refused("a point that is not two numbers")
    return numbers[0], numbers[1]


def _is_sound(polygon: Polygon) -> bool:
    points = polygon.points
    return len(points) >= 3 and bool((np.abs(points) <= _FARTHEST).all())


def _same(a: Polygon, b: Polygon) -> bool:
    return a.include is b.include and np.array_equal(a.points, b.points)


def _refused(what: str) -> FormatError:
    return FormatError(f"Not taken: {what}; draw that outline again.")
