# pyright: strict
"""What src has of what dst needs: poses, light, expressions, color, detail, shape of the face.

A dst face is covered if enough src faces are near it. "Enough" is never more than dst itself has
there, so that a faceset covers itself, and a face more in src never makes anything worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy import spatial  # pyright: ignore[reportMissingTypeStubs]

from dflcolab.faceset.bones import ShapeDistance, shape_distance
from dflcolab.faceset.coverage import angles, middle_color, pose_map, spread
from dflcolab.faceset.limits import (
    ENOUGH_NEAR,
    NEAR_BRIGHTNESS,
    NEAR_DEG,
    NEAR_DIRECTION,
    NEAR_EYES,
    NEAR_MOUTH,
    OPEN_MOUTH,
    PROFILE_DEG,
    SHUT_EYES,
    TILTED_DEG,
    TURNED_DEG,
)
from dflcolab.faceset.measures import FaceMeasure

Floats = npt.NDArray[np.float64]

_REGIONS = 6


@dataclass(frozen=True)
class Gap:
    """dst faces of one kind that src does not cover.

    Attributes:
        words: The kind, such as "looking down, turned to the picture's left".
        faces: Uncovered dst faces of this kind.
        share: Part of all dst faces.
        example: A dst face from the middle of them.
        nearest: The src face nearest to it.
    """

    words: str
    faces: int
    share: float
    example: str
    nearest: str


@dataclass(frozen=True)
class Coverage:
    """How much of dst has enough src faces near it.

    Attributes:
        share: Part of the dst faces, 0..1.
        mirrored: The same if src faces are used mirrored as well (`random_src_flip`).
        gaps: What is missing, the largest first.
    """

    share: float
    mirrored: float
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class PairSummary:
    """src and dst beside each other. Differences are src less dst, ratios src over dst.

    Attributes:
        poses: Coverage of yaw and pitch.
        light: Coverage of brightness and direction of light.
        expressions: Coverage of the openings of mouth and eyes.
        dst_open_mouths: dst faces with an open mouth.
        src_open_mouths: src faces with one.
        dst_shut_eyes: dst faces with shut eyes.
        src_shut_eyes: src faces with shut eyes.
        brightness: Difference of the medians, -1..1.
        color: Distance of the median skin colors in Lab's a and b.
        sharpness: Difference of the medians; below 0 src is softer.
        size: Ratio of the faces' sizes in their frames; None where unknown.
        shape: How differently the faces are built; None if too few look into the camera.
        likeness: Cosine of the two main persons; None if not looked at.
        uncovered_map: dst faces without enough src near them, in the cells of `pose_map`.
    """

    poses: Coverage
    light: Coverage
    expressions: Coverage
    dst_open_mouths: int
    src_open_mouths: int
    dst_shut_eyes: int
    src_shut_eyes: int
    brightness: float | None
    color: float | None
    sharpness: float | None
    size: float | None
    shape: ShapeDistance | None
    likeness: float | None
    uncovered_map: tuple[tuple[int, ...], ...]


def covered(src: Floats, dst: Floats, *, enough: int) -> npt.NDArray[np.bool_]:
    """Which rows of `dst` have enough rows of `src` within a distance of 1.

    Enough is `enough`, or as many as there are rows of `dst` within that distance if these are
    fewer (the row itself counts).

    Args:
        src: `[N, D]`, each column scaled so that 1 is the radius.
        dst: `[M, D]`.
        enough: At least 1.
    """
    if not len(dst):
        return np.zeros(0, dtype=bool)
    if not len(src):
        return np.zeros(len(dst), dtype=bool)
    own = _neighbours(dst, dst)
    return _neighbours(src, dst) >= np.clip(own, 1, enough)


def compare(
    src: Sequence[FaceMeasure],
    dst: Sequence[FaceMeasure],
    *,
    src_copies: Iterable[int] = (),
    src_name: Callable[[FaceMeasure], str] = lambda measure: measure.name,
    dst_name: Callable[[FaceMeasure], str] = lambda measure: measure.name,
    likeness: float | None = None,
) -> PairSummary:
    """Put two facesets beside each other.

    Args:
        src: The faces of the src person; damaged ones are passed over.
        dst: The faces of the dst person.
        src_copies: Indices of src faces that are near-duplicates: they add no pose and no light.
        src_name: How a src face is called.
        dst_name: How a dst face is called.
        likeness: Cosine of the two main persons.
    """
    copies = set(src_copies)
    have = [m for i, m in enumerate(src) if not m.problem and i not in copies]
    need = [m for m in dst if not m.problem]
    sides = _Sides(have, need, src_name, dst_name)
    poses, uncovered = _coverage(sides, pose_point, lambda m, _: pose_words(m))
    light, _ = _coverage(sides, light_point, light_words)
    # Near-duplicates are told by the whole picture, in which a blink is nothing: all count here.
    everything = [m for m in src if not m.problem]
    expressive = _Sides(everything, need, src_name, dst_name)
    expressions, _ = _coverage(expressive, expression_point, expression_words)
    return PairSummary(
        poses=poses,
        light=light,
        expressions=expressions,
        dst_open_mouths=_count(need, _open_mouth),
        src_open_mouths=_count(everything, _open_mouth),
        dst_shut_eyes=_count(need, _shut_eyes),
        src_shut_eyes=_count(everything, _shut_eyes),
        brightness=_difference(everything, need, lambda m: m.light and m.light.brightness),
        color=_color_distance(everything, need),
        sharpness=_difference(everything, need, lambda m: m.sharpness),
        size=_ratio(everything, need),
        shape=shape_distance(everything, need),
        likeness=likeness,
        uncovered_map=pose_map(uncovered),
    )


Point = tuple[float, ...]


@dataclass(frozen=True)
class _Sides:
    """Usable faces of both sides, and what they are called."""

    src: list[FaceMeasure]
    dst: list[FaceMeasure]
    src_name: Callable[[FaceMeasure], str]
    dst_name: Callable[[FaceMeasure], str]


def pose_point(measure: FaceMeasure, *, mirrored: bool = False) -> Point:
    """Yaw and pitch in units of the radius."""
    yaw, pitch = angles(measure)
    return (-yaw if mirrored else yaw) / NEAR_DEG.value, pitch / NEAR_DEG.value


def light_point(measure: FaceMeasure, *, mirrored: bool = False) -> Point:
    """Brightness and direction of light in units of the radius."""
    light = measure.light
    if light is None:
        return math.nan, math.nan, math.nan
    left = -light.from_left if mirrored else light.from_left
    return (
        light.brightness / NEAR_BRIGHTNESS.value,
        left / NEAR_DIRECTION.value,
        light.from_above / NEAR_DIRECTION.value,
    )


def expression_point(measure: FaceMeasure, *, mirrored: bool = False) -> Point:
    """Openings of mouth and eyes in units of the radius; mirroring changes nothing."""
    del mirrored
    if measure.mouth is None or measure.eyes is None:
        return math.nan, math.nan
    return measure.mouth / NEAR_MOUTH.value, measure.eyes / NEAR_EYES.value


def pose_words(measure: FaceMeasure) -> str:
    """A pose in words: "looking down, turned slightly to the picture's left"."""
    yaw, pitch = angles(measure)
    words: list[str] = []
    if abs(pitch) >= TILTED_DEG.value / 2:
        slightly = "" if abs(pitch) >= TILTED_DEG.value else "slightly "
        words.append(f"looking {slightly}{'up' if pitch > 0 else 'down'}")
    if abs(yaw) >= TURNED_DEG.value / 2:
        side = "left" if yaw > 0 else "right"
        slightly = "" if abs(yaw) >= TURNED_DEG.value else "slightly "
        words.append(
            f"in profile to the picture's {side}"
            if abs(yaw) >= PROFILE_DEG.value
            else f"turned {slightly}to the picture's {side}"
        )
    return ", ".join(words) or "looking straight ahead"


def light_words(measure: FaceMeasure, nearest: FaceMeasure) -> str:
    """How the light on a face differs from that on the most alike one of the other side."""
    steps = np.subtract(light_point(measure), light_point(nearest))
    which = int(np.argmax(np.abs(steps)))
    more = steps[which] > 0
    return (
        f"that are {'brighter' if more else 'darker'}",
        f"lit more from the picture's {'left' if more else 'right'}",
        f"lit more from {'above' if more else 'below'}",
    )[which]


def expression_words(measure: FaceMeasure, nearest: FaceMeasure) -> str:
    """What the expression of a face has that the most alike one of the other side has not."""
    steps = np.subtract(expression_point(measure), expression_point(nearest))
    if abs(steps[0]) >= abs(steps[1]):
        return f"with the mouth {'wider open' if steps[0] > 0 else 'more closed'}"
    return f"with the eyes {'wider open' if steps[1] > 0 else 'more closed'}"


def _coverage(
    sides: _Sides,
    point: Callable[..., Point],
    words: Callable[[FaceMeasure, FaceMeasure], str],
) -> tuple[Coverage, list[FaceMeasure]]:
    """Coverage in one respect, and the dst faces that are not covered."""
    src, have = _table(sides.src, point)
    dst, need = _table(sides.dst, point)
    enough = round(ENOUGH_NEAR.value)
    good = covered(src, dst, enough=enough)
    mirror = np.array([point(m, mirrored=True) for m in have]).reshape(-1, dst.shape[1])
    # No face counts twice: a dst face must have enough of the one or of the other near it.
    both = good | covered(mirror, dst, enough=enough)
    missing = [i for i in range(len(need)) if not good[i]]
    share = float(good.mean()) if len(need) else 0.0
    mirrored = float(both.mean()) if len(need) else 0.0
    gaps = _gaps(sides, missing, (src, have), (dst, need), words)
    return Coverage(share, mirrored, gaps), [need[i] for i in missing]


def _gaps(
    sides: _Sides,
    missing: Sequence[int],
    src: tuple[Floats, list[FaceMeasure]],
    dst: tuple[Floats, list[FaceMeasure]],
    words: Callable[[FaceMeasure, FaceMeasure], str],
) -> tuple[Gap, ...]:
    """The uncovered dst faces by kind, the most frequent kinds first."""
    if not missing or not src[1]:
        return ()
    _, found = cast(Any, spatial).cKDTree(src[0]).query(dst[0][missing])
    nearest: list[int] = found.tolist()
    groups: dict[str, list[tuple[int, int]]] = {}
    for index, near in zip(missing, nearest, strict=True):
        groups.setdefault(words(dst[1][index], src[1][near]), []).append((index, near))
    gaps: list[Gap] = []
    for kind, members in groups.items():
        rows = dst[0][[index for index, _ in members]]
        middle = np.square(rows - np.median(rows, axis=0)).sum(axis=1).argmin()
        index, near = members[int(middle)]
        gaps.append(
            Gap(
                kind,
                len(members),
                len(members) / len(dst[1]),
                sides.dst_name(dst[1][index]),
                sides.src_name(src[1][near]),
            )
        )
    return tuple(sorted(gaps, key=lambda gap: -gap.faces)[:_REGIONS])


def _table(
    measures: Sequence[FaceMeasure], point: Callable[..., Point]
) -> tuple[Floats, list[FaceMeasure]]:
    """Points of the faces that have one, and these faces."""
    known = [(p, m) for m in measures if all(map(math.isfinite, p := point(m)))]
    width = len(known[0][0]) if known else 2
    return np.array([p for p, _ in known]).reshape(-1, width), [m for _, m in known]


def _neighbours(points: Floats, around: Floats) -> npt.NDArray[np.int64]:
    """How many points lie within 1 of each row of `around`."""
    tree = cast(Any, spatial).cKDTree(points)
    return np.asarray(tree.query_ball_point(around, 1.0, return_length=True, workers=-1), np.int64)


def _open_mouth(measure: FaceMeasure) -> bool:
    return measure.mouth is not None and measure.mouth > OPEN_MOUTH.value


def _shut_eyes(measure: FaceMeasure) -> bool:
    return measure.eyes is not None and measure.eyes < SHUT_EYES.value


def _count(measures: Sequence[FaceMeasure], what: Callable[[FaceMeasure], bool]) -> int:
    return sum(map(what, measures))


def _difference(
    src: Sequence[FaceMeasure],
    dst: Sequence[FaceMeasure],
    value: Callable[[FaceMeasure], float | None],
) -> float | None:
    one, other = spread(map(value, src)), spread(map(value, dst))
    return None if one is None or other is None else one.median - other.median


def _ratio(src: Sequence[FaceMeasure], dst: Sequence[FaceMeasure]) -> float | None:
    one, other = (spread(m.frame_pixels for m in side) for side in (src, dst))
    if one is None or other is None or other.median <= 0:
        return None
    return one.median / other.median


def _color_distance(src: Sequence[FaceMeasure], dst: Sequence[FaceMeasure]) -> float | None:
    one, other = (
        middle_color([m.light.color for m in side if m.light is not None]) for side in (src, dst)
    )
    if one is None or other is None:
        return None
    return math.hypot(one[0] - other[0], one[1] - other[1])
