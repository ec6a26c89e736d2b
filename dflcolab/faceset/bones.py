# pyright: strict
"""How differently two faces are built: proportions from frontal landmarks, and their uncertainty.

A swapped face keeps the outline of dst's head. The more the proportions of src differ from it, the
less the result looks like src. Proportions are lengths between landmarks, freed of the face's size
and, with a model head, of small turns. Neighbouring frames tell the same thing, so the uncertainty
comes from drawing whole stretches of frames anew, not single frames.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.faces.geometry import table
from dflcolab.faces.pose import Pose
from dflcolab.faceset.limits import CALM_MOUTH, FRONTAL_DEG, OTHER_PERSON
from dflcolab.faceset.measures import FaceMeasure

Floats = npt.NDArray[np.float64]

LENGTHS: dict[str, tuple[int, int, float]] = {
    "width at the temples": (0, 16, 0.0139),
    "width at the cheeks": (2, 14, 0.0142),
    "width of the jaw": (4, 12, 0.0137),
    "width of the chin": (6, 10, 0.0249),
    "nose bridge to chin": (27, 8, 0.0246),
    "nose to chin": (33, 8, 0.0331),
    "lip to chin": (57, 8, 0.0577),
    "length of the nose": (27, 33, 0.0290),
    "width of the nose": (31, 35, 0.0623),
    "outer corners of the eyes": (36, 45, 0.0225),
    "inner corners of the eyes": (39, 42, 0.0242),
}
"""Two landmarks, and how much their distance varies (relative, standard deviation) from face to
face of one person in a video: measured on the near-frontal, calm faces of the sample clips (761).
Steadier lengths weigh more. The mouth's width is left out: it varies by 4 to 16 % in one
person's video, and different people differ no more than one person does."""

_FROM = np.array([first for first, _, _ in LENGTHS.values()])
_TO = np.array([second for _, second, _ in LENGTHS.values()])
_NOISE = np.array([noise for _, _, noise in LENGTHS.values()])
_WEIGHTS: Floats = (1.0 / _NOISE) / math.sqrt(float(np.mean(np.square(1.0 / _NOISE))))
_HEAD = table("model_3d_68")

_STRETCHES = 16
"""Stretches that a faceset is cut into, at most; enough for a spread, each long enough to differ."""

_FEWEST = 4
"""Frontal faces, and stretches of them, that both sides need for a judgement."""

_DRAWS = 400


@dataclass(frozen=True)
class Proportion:
    """One proportion of both faces.

    Attributes:
        name: Which length.
        difference: How much longer it is in src, relative to the face's size; 0.05 is 5 %.
        error: Its standard error.
    """

    name: str
    difference: float
    error: float


@dataclass(frozen=True)
class ShapeDistance:
    """How differently two faces are built.

    Attributes:
        distance: Mean relative difference of the proportions, steadier ones counted more.
        low: Lower end of its 90 % interval.
        high: Upper end.
        relative: `distance` over that of two different people (`limits.OTHER_PERSON`).
        relative_low: The same for `low`.
        relative_high: The same for `high`.
        faces: Frontal faces used, of src and dst.
        stretches: Stretches of frames they come from, of src and dst.
        proportions: The single proportions, the most different first.
    """

    distance: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    faces: tuple[int, int]
    stretches: tuple[int, int]
    proportions: tuple[Proportion, ...]


def proportions(points: npt.ArrayLike, pose: Pose) -> Floats:
    """Logarithms of the lengths of a face, freed of its size and of a small turn.

    Args:
        points: `[68, 2]`, any unit.
        pose: Of the head; beyond about 15 degrees the model head is no longer a good guide.
    """
    places = np.asarray(points, dtype=np.float64)
    lengths = _lengths(places) - (_lengths(_turned(pose)) - _lengths(_HEAD[:, :2]))
    return lengths - lengths.mean()


def shape_distance(
    src: Sequence[FaceMeasure], dst: Sequence[FaceMeasure], *, seed: int = 0
) -> ShapeDistance | None:
    """How differently the two faces are built; None if either side has too few frontal faces."""
    rows: list[Floats] = []
    cuts: list[list[npt.NDArray[np.int64]]] = []
    for measures in (src, dst):
        chosen = frontal_faces(measures)
        if len(chosen) < _FEWEST:
            return None
        rows.append(
            np.stack(
                [proportions(m.points, m.pose) for m in chosen if m.points is not None and m.pose]
            )
        )
        cuts.append(stretches([m.frame or m.name for m in chosen]))
    if min(len(cut) for cut in cuts) < _FEWEST:
        return None
    return distance_of(rows[0], rows[1], cuts[0], cuts[1], seed=seed)


def frontal_faces(measures: Sequence[FaceMeasure]) -> list[FaceMeasure]:
    """The faces that look into the camera with a calm mouth."""
    limit = math.radians(FRONTAL_DEG.value)
    return [
        m
        for m in measures
        if m.pose is not None
        and m.points is not None
        and abs(m.pose.yaw) < limit
        and abs(m.pose.pitch) < limit
        and m.mouth is not None
        and m.mouth < CALM_MOUTH.value
    ]


def distance_of(
    src: Floats,
    dst: Floats,
    src_stretches: Sequence[npt.NDArray[np.int64]],
    dst_stretches: Sequence[npt.NDArray[np.int64]],
    *,
    seed: int = 0,
) -> ShapeDistance:
    """The distance between the medians of two tables of proportions.

    Scatter alone makes any two medians differ, and squares never cancel out. So the variance of
    the difference, known from the stretches drawn anew, is taken off its square: once from the
    measured one, and twice from each drawn one, which has scattered twice.

    Args:
        src: `[N, 11]`, rows of `proportions`.
        dst: `[M, 11]`.
        src_stretches: Row numbers by stretch; together all rows.
        dst_stretches: The same for dst.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    drawn = _drawn_medians(src, src_stretches, generator) - _drawn_medians(
        dst, dst_stretches, generator
    )
    difference = np.median(src, axis=0) - np.median(dst, axis=0)
    variance: Floats = drawn.var(axis=0, ddof=1)
    off = float(np.mean(np.square(_WEIGHTS) * variance))
    square = float(np.mean(np.square(_WEIGHTS * difference)))
    squares = np.mean(np.square(_WEIGHTS * drawn), axis=1)
    distance = math.sqrt(max(square - off, 0.0))
    ends: list[float] = np.percentile(squares, [5, 95]).tolist()
    low, high = (math.sqrt(max(value - 2.0 * off, 0.0)) for value in ends)
    low, high = min(low, distance), max(high, distance)
    errors = np.sqrt(variance)
    order: list[int] = np.argsort(-np.abs(_WEIGHTS * difference)).tolist()
    names = list(LENGTHS)
    usual = OTHER_PERSON.value
    return ShapeDistance(
        distance,
        low,
        high,
        distance / usual,
        low / usual,
        high / usual,
        (len(src), len(dst)),
        (len(src_stretches), len(dst_stretches)),
        tuple(Proportion(names[i], float(difference[i]), float(errors[i])) for i in order),
    )


def stretches(frames: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    """Indices of faces cut into runs of neighbouring frames, none across two videos.

    Names without a number are photos: each is a run of its own.

    Args:
        frames: Names of the frames, `2-00017.png`.
    """
    videos: dict[str, list[tuple[int, int]]] = {}
    for index, name in enumerate(frames):
        found = re.fullmatch(r"(.*?)(\d{1,15})(_\d+)?(\.[^.]*)?", name, re.DOTALL)
        video, number = (found[1], int(found[2])) if found else (f"photo {name}", 0)
        videos.setdefault(video, []).append((number, index))
    length = max(math.ceil(len(frames) / _STRETCHES), 1)
    cut: list[npt.NDArray[np.int64]] = []
    for members in videos.values():
        order = np.array([index for _, index in sorted(members)], dtype=np.int64)
        cut += np.array_split(order, max(round(len(order) / length), 1))
    return cut


def _drawn_medians(
    rows: Floats, cuts: Sequence[npt.NDArray[np.int64]], generator: np.random.Generator
) -> Floats:
    """`[draws, 11]`: medians of stretches drawn with replacement."""
    found = np.empty((_DRAWS, rows.shape[1]))
    for i in range(_DRAWS):
        chosen: list[int] = generator.integers(0, len(cuts), len(cuts)).tolist()
        found[i] = np.median(rows[np.concatenate([cuts[k] for k in chosen])], axis=0)
    return found


def _lengths(points: Floats) -> Floats:
    sides = points[_FROM] - points[_TO]
    return np.log(np.maximum(np.hypot(sides[:, 0], sides[:, 1]), 1e-6))


def _turned(pose: Pose) -> Floats:
    """The model head as seen when turned, `[68, 2]`, with the signs of `faces.pose`."""
    pitch, yaw = -pose.pitch, pose.yaw
    about_x = np.array(
        [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    )
    about_y = np.array(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    )
    return (_HEAD @ (about_y @ about_x).T)[:, :2]
