# pyright: strict
"""The kinds `final` and `final-faster`: the best faces of all poses.

DFL interoperability notes, section 5.6. Faces are shared out among 128 turns of the head; of each
turn the sharpest (or largest in their frame) are taken, spread over pitch, the most unusual light
first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.faceset import sort_keys

YAW_BINS = 128
SMALLEST_TARGET = 65
"""Below, DeepFaceLab's rule gives every turn of the head no face at all."""

_MOST_YAW = 1.2
_POOL = 10


@dataclass(frozen=True)
class Candidate:
    """What decides on one face.

    Attributes:
        yaw: Radians.
        pitch: Radians.
        quality: Sharpness, or area in its frame; high is good.
    """

    yaw: float
    pitch: float
    quality: float


Histograms = Callable[[Sequence[int]], npt.NDArray[np.float64]]
"""Indices of `N` candidates → gray histograms of their whole pictures, `[N, 1, 256]`."""


def best_faces(faces: Sequence[Candidate], target: int, histograms: Histograms) -> list[int]:
    """Indices of the chosen faces, from those turned to the picture's left to the right.

    Args:
        faces: The candidates.
        target: How many are wanted, about. Under 65 none is chosen, as in DeepFaceLab.
        histograms: Asked only for faces whose light decides.
    """
    turns = [-face.yaw for face in faces]
    by_yaw = _in_bins(turns, np.linspace(-_MOST_YAW, _MOST_YAW, YAW_BINS))
    per_bin = round(target / YAW_BINS)
    lack = sum(max(0, per_bin - len(members)) for members in by_yaw)
    per_bin += lack // YAW_BINS
    if per_bin == 0:
        return []
    chosen: list[int] = []
    for members in by_yaw:
        pool = sorted(members, key=lambda index: -faces[index].quality)[: _POOL * per_bin]
        pitches = np.linspace(-math.pi / 2, math.pi / 2, per_bin)
        by_pitch = _in_bins([faces[index].pitch for index in pool], pitches)
        queues = [
            _unusual_first([pool[place] for place in places], histograms) for places in by_pitch
        ]
        chosen += _in_turn(queues, per_bin)
    return chosen


def _in_bins(values: Sequence[float], edges: npt.NDArray[np.float64]) -> list[list[int]]:
    """Indices of the values from each edge to the next; the first and last bins are open."""
    places: list[int] = np.searchsorted(edges[1:], values, side="right").tolist()
    bins: list[list[int]] = [[] for _ in range(len(edges))]
    for index, place in enumerate(places):
        bins[place].append(index)
    return bins


def _unusual_first(members: list[int], histograms: Histograms) -> list[int]:
    """In order of the summed distance of their histograms to the others, large first."""
    if len(members) < 2:
        return members
    roots = sort_keys.histogram_roots(histograms(members))
    distances = np.triu(sort_keys.histogram_distances(roots, roots), 1)
    total = (distances + distances.T).sum(axis=1)
    return [members[place] for place in np.argsort(-total, kind="stable").tolist()]


def _in_turn(queues: list[list[int]], count: int) -> list[int]:
    """One from each queue in turn, until there are `count` or none is left."""
    taken: list[int] = []
    depth = 0
    while len(taken) < count and any(len(queue) > depth for queue in queues):
        taken += [queue[depth] for queue in queues if len(queue) > depth]
        depth += 1
    return taken[:count]
