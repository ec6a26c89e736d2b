# pyright: strict
"""Masks that flicker: unlike those of the faces before and after, while those are alike.

Faces are aligned, so from frame to frame their masks hardly move. What differs for a moment is an
error of the network; what goes on changing in one direction is a face that turns, or a hand that
comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.faceset.stretches import frame_of

Plane = npt.NDArray[np.bool_]

LEAST_ALIKE = 0.85
"""Intersection over union with the masks beside; drawn masks half a second apart have 0.93."""

_WINDOW = 3
"""Faces on each side whose median is compared with."""

_FARTHEST = 12
"""Frames between two faces that are compared: half a second. In more, a hand may come and go."""

_CLOSE = 5
"""Frames between two faces whose masks should be alike, whatever moves."""

_NEAR = 1.5
"""Widths of a face by which it may have moved in the frame, else it is another one's."""

_SHARE_OF_JUMPS = 0.15
_FEWEST_JUMPS = 4
"""A clip flickers if so many of its neighbouring masks are unlike each other, and this part of them."""


@dataclass(frozen=True, eq=False)
class PlacedMask:
    """A face's mask, and where in which frame the face is.

    Attributes:
        key: The frame (see `Faceset.frame_keys`).
        plane: The mask in the face's crop, `[H, W]`, of one size for all.
        center: Of the face in the frame, in pixels; None where it is not known.
        width: Of the face in the frame, in pixels.
    """

    key: str
    plane: Plane
    center: tuple[float, float] | None = None
    width: float = 0.0


@dataclass(frozen=True)
class FlickeringClip:
    """A video whose masks jump.

    Attributes:
        video: See `stretches.Frame`.
        pairs: Neighbouring faces that were compared.
        jumps: Of these, such whose masks are unlike each other.
    """

    video: str
    pairs: int
    jumps: int


def neighbours_of(masks: Sequence[PlacedMask]) -> list[tuple[list[int], list[int]]]:
    """For each mask those of the same face before and after it, nearest first, up to three a side.

    Nearest by the order of frames, whatever their numbers, within half a second. Where a frame shows
    several faces, the one nearest in the frame counts.
    """
    frames = [frame_of(mask.key) for mask in masks]
    by_video: dict[str, dict[int, list[int]]] = {}
    for index, frame in enumerate(frames):
        if frame.numbered:
            by_video.setdefault(frame.video, {}).setdefault(frame.number, []).append(index)
    found: list[tuple[list[int], list[int]]] = [([], []) for _ in masks]
    for places in by_video.values():
        numbers = sorted(places)
        for at, number in enumerate(numbers):
            sides = (
                [
                    n
                    for n in reversed(numbers[max(0, at - _WINDOW) : at])
                    if number - n <= _FARTHEST
                ],
                [n for n in numbers[at + 1 : at + 1 + _WINDOW] if n - number <= _FARTHEST],
            )
            for index in places[number]:
                for side, near in zip(found[index], sides, strict=True):
                    same = (_same_face(masks, index, places[n]) for n in near)
                    side.extend(other for other in same if other is not None)
    return found


def unlike_both_sides(masks: Sequence[PlacedMask]) -> list[float | None]:
    """Of each mask that flickers the likeness to the side that it is more alike; else None.

    Where one side alone is known, at the ends of a clip, its masks must be alike among themselves.
    """
    found: list[float | None] = []
    for mask, (before, after) in zip(masks, neighbours_of(masks), strict=True):
        sides = [[masks[i].plane for i in side] for side in (before, after) if side]
        medians = [_median(side) for side in sides]
        alike = [overlap(mask.plane, median) for median in medians]
        if not alike or max(alike) >= LEAST_ALIKE:
            steady = True
        elif len(medians) == 2:
            # A face that moves on differs from both sides as well, but these from each other more.
            steady = overlap(*medians) < min(alike)
        else:
            (side,) = sides
            steady = len(side) < _WINDOW or overlap(side[0], side[-1]) < LEAST_ALIKE
        found.append(None if steady else max(alike))
    return found


def flickering_clips(masks: Sequence[PlacedMask]) -> list[FlickeringClip]:
    """Videos whose masks jump from frame to frame again and again, the worst first."""
    counts: dict[str, tuple[int, int]] = {}
    for mask, (before, after) in zip(masks, neighbours_of(masks), strict=True):
        if not before:
            continue
        frame, other = frame_of(mask.key), masks[before[0]]
        if frame.number - frame_of(other.key).number <= _CLOSE:
            alike = overlap(mask.plane, other.plane)
            # What moves on in one direction is ever less like what it was.
            moves = bool(after) and overlap(masks[after[0]].plane, other.plane) < alike
            pairs, jumps = counts.get(frame.video, (0, 0))
            counts[frame.video] = pairs + 1, jumps + (alike < LEAST_ALIKE and not moves)
    clips = [FlickeringClip(video, *numbers) for video, numbers in counts.items()]
    bad = [
        clip
        for clip in clips
        if clip.jumps >= _FEWEST_JUMPS and clip.jumps >= _SHARE_OF_JUMPS * clip.pairs
    ]
    return sorted(bad, key=lambda clip: -clip.jumps / clip.pairs)


def overlap(a: Plane, b: Plane) -> float:
    """Intersection over union; 1 of two empty masks."""
    either = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / either if either else 1.0


def _median(planes: Sequence[Plane]) -> Plane:
    """What most of them hold; of an even number the farthest is left out."""
    odd = planes[: len(planes) - 1 + len(planes) % 2]
    if len(odd) == 1:
        return odd[0]
    return np.sum(np.stack(odd), axis=0) * 2 > len(odd)


def _same_face(masks: Sequence[PlacedMask], index: int, others: Sequence[int]) -> int | None:
    """Which of the faces of another frame is that of a mask; None if none is near."""
    mask = masks[index]
    if mask.center is None:
        return others[0] if len(others) == 1 else None
    known = [other for other in others if masks[other].center is not None]
    away = {other: _distance(mask, masks[other]) for other in known}
    if not away:
        return None
    nearest = min(away, key=lambda other: away[other])
    return nearest if away[nearest] <= _NEAR * mask.width else None


def _distance(a: PlacedMask, b: PlacedMask) -> float:
    (ax, ay), (bx, by) = a.center or (0.0, 0.0), b.center or (0.0, 0.0)
    return float(np.hypot(ax - bx, ay - by))
