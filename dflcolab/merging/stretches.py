# pyright: strict
"""One face through time: the stretches of frames over which it may be smoothed.

A stretch is a face followed from frame to frame without a gap and without a cut of the picture.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.merging.faces_of_frames import FacesOfFrames

_LONGEST_GAP = 3
"""Frames between two sights of a face above which nothing is known of its path."""


@dataclass(frozen=True, order=True)
class Sight:
    """A face in a frame.

    Attributes:
        index: Number of the frame in the footage.
        stem: Its name.
        place: Which of the frame's faces.
    """

    index: int
    stem: str
    place: int


Stretch = tuple[Sight, ...]


@dataclass(frozen=True)
class Stretches:
    """All stretches of a footage, and where each face is among them."""

    all: tuple[Stretch, ...] = ()
    _where: dict[tuple[str, int], tuple[int, int]] = field(
        default_factory=dict[tuple[str, int], tuple[int, int]], repr=False
    )

    def around(self, stem: str, place: int, radius: int) -> Stretch:
        """The same face in the frames up to `radius` away, the frame itself among them.

        Empty for a face that belongs to no stretch.
        """
        found = self._where.get((stem, place))
        if found is None:
            return ()
        stretch, here = self.all[found[0]], self.all[found[0]][found[1]].index
        first = bisect.bisect_left(stretch, here - radius, key=lambda sight: sight.index)
        behind = bisect.bisect_right(stretch, here + radius, key=lambda sight: sight.index)
        return stretch[first:behind]


def find_stretches(
    faces: FacesOfFrames,
    tracks: Mapping[str, str],
    index: Mapping[str, int],
    cuts: Collection[int],
) -> Stretches:
    """Cut the tracks of a footage into stretches.

    Args:
        faces: The faces by frame.
        tracks: Face file → its track; faces of photographs have none.
        index: Number of each frame.
        cuts: Numbers of frames that do not continue the one before.
    """
    sights: dict[str, list[Sight]] = defaultdict(list)
    for stem, names in faces.names.items():
        if stem not in index:
            continue
        for place, name in enumerate(names):
            if name in tracks:
                sights[tracks[name]].append(Sight(index[stem], stem, place))
    ordered_cuts = sorted(cuts)
    found = [
        part for _, track in sorted(sights.items()) for part in _parts(sorted(track), ordered_cuts)
    ]
    where = {
        (sight.stem, sight.place): (number, place)
        for number, stretch in enumerate(found)
        for place, sight in enumerate(stretch)
    }
    return Stretches(tuple(found), where)


def _parts(track: Sequence[Sight], cuts: Sequence[int]) -> Iterator[Stretch]:
    part: list[Sight] = []
    for sight in track:
        if part:
            last = part[-1].index
            cut_between = bisect.bisect_right(cuts, last) < bisect.bisect_right(cuts, sight.index)
            if cut_between or not 0 < sight.index - last <= _LONGEST_GAP:
                yield tuple(part)
                part = []
        part.append(sight)
    yield tuple(part)


@dataclass(frozen=True)
class Jitter:
    """How much faces tremble: mean second difference in time, in frame pixels.

    A face that stands still or moves evenly has none.

    Attributes:
        landmarks: Of the single landmarks.
        box: Of the middle of all landmarks.
        triples: Number of frames that it was measured on, each with both neighbors.
    """

    landmarks: float
    box: float
    triples: int


def measure_jitter(faces: FacesOfFrames, stretches: Stretches) -> Jitter:
    """The jitter of all faces that are followed over at least three frames."""
    points: list[float] = []
    middles: list[float] = []
    for stretch in stretches.all:
        shapes = [landmarks_of(faces, sight) for sight in stretch]
        for i in range(1, len(stretch) - 1):
            if stretch[i + 1].index - stretch[i - 1].index != 2:
                continue
            bend = shapes[i - 1].astype(np.float64) - 2.0 * shapes[i] + shapes[i + 1]
            points.append(float(np.linalg.norm(bend, axis=1).mean()))
            middles.append(float(np.linalg.norm(bend.mean(axis=0))))
    if not points:
        return Jitter(0.0, 0.0, 0)
    return Jitter(float(np.mean(points)), float(np.mean(middles)), len(points))


def landmarks_of(faces: FacesOfFrames, sight: Sight) -> Landmarks:
    """Where a face is in its frame."""
    return faces.by_stem[sight.stem][sight.place]
