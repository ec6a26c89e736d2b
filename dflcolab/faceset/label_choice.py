# pyright: strict
"""Which faces to label next: such as stand for many others, and for those the network is unsure of.

A label teaches most about faces that look like its own. So each choice is the face that brings the others
nearest to a labelled one in sum (the greedy way to a k-median), where a face counts the more, the less
sure the network is of its mask. Rare faces come late and near-copies never, other than with a choice of
the farthest, which begins with whatever is damaged or wrongly aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Mask
from dflcolab.errors import FacesetError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.clean_checks import thumbnail
from dflcolab.faceset.measures import face_points

_LEAST_SAY = 0.25
"""Weight of faces that the network is surest of, over the mean of what others have more: it may be surely
wrong."""

_SURE = 0.05
"""Share of the faces that count as those the network is surest of."""

_SMALLEST = 0.01
"""Share of the picture: below, a mask counts as this large when doubt is related to it."""

Vectors = npt.NDArray[np.float32]


class Choice(NamedTuple):
    """A face to label.

    Attributes:
        face: Its index.
        stands_for: Unlabelled faces that are nearer to it than to any other labelled or chosen one,
            itself included.
    """

    face: int
    stands_for: int


class LabelLook(NamedTuple):
    """What is compared of a face.

    Attributes:
        points: Landmarks in units of the mean face, `[136]`: pose, shape and expression.
        picture: The small gray crop, `[1024]`, 0..1: light, hair and what is in front of the face.
    """

    points: Vectors
    picture: Vectors


def label_look(picture: Image, record: FaceRecord) -> LabelLook:
    """Look at a face.

    Args:
        picture: `[H, W, 3]`, uint8, BGR.
        record: Its metadata.

    Raises:
        FacesetError: The landmarks lie on one point, or are no numbers.
    """
    points = face_points(record.landmarks)
    if not np.isfinite(points).all():
        raise FacesetError("The landmarks are no numbers; extract the face again.")
    return LabelLook(points.ravel(), thumbnail(picture).ravel())


def doubt(mask: Mask, mirrored: Mask) -> float:
    """How unsure a network is of a mask: the part of it that may as well be wrong, 0..1.

    Of a pixel of 0.5, or one that the mirrored face gives another answer for, nothing is sure.

    Args:
        mask: What the network says, `[H, W, 1]` in 0..1.
        mirrored: What it says of the mirrored face, mirrored back.
    """
    mean = (mask + mirrored) / 2
    unsure = float(np.minimum(mean, 1 - mean).sum())
    return unsure / max(float(mean.sum()), _SMALLEST * mean.size)


def choose_to_label(
    looks: Sequence[LabelLook],
    labelled: Sequence[int],
    count: int,
    *,
    doubts: npt.ArrayLike | None = None,
) -> list[Choice]:
    """The faces to label next, the most useful first.

    Args:
        looks: Of all faces, labelled ones among them.
        labelled: Which have labels.
        count: How many to choose.
        doubts: How unsure the network is of each face's mask, `[N]`; None: all count alike.

    Returns:
        Unlabelled faces, fewer than `count` where there are fewer.
    """
    known = set(labelled)
    rest = np.array([i for i in range(len(looks)) if i not in known], np.intp)
    if not len(rest):
        return []
    vectors = _vectors(looks)
    between = _distances(vectors[rest], vectors[rest])
    nearest = np.full(len(rest), float(between.max()))
    if known:
        own = np.array(sorted(known), np.intp)
        nearest = _distances(vectors[rest], vectors[own]).min(axis=1)
    say = np.ones(len(rest))
    if doubts is not None:
        # A network that has learned little is unsure everywhere by much the same: only what goes beyond
        # that tells faces apart.
        given = np.asarray(doubts, np.float64)[rest]
        say = np.maximum(given - np.quantile(given, _SURE), 0)
        say += _LEAST_SAY * max(float(say.mean()), 1e-9)
    chosen: list[int] = []
    owner = np.full(len(rest), -1)
    for turn in range(min(count, len(rest))):
        # What all faces together come nearer by each candidate, in the column's sum.
        gains = say @ np.maximum(nearest[:, None] - between, 0)
        gains[chosen] = -1
        best = int(np.argmax(gains))
        chosen.append(best)
        closer = between[:, best] < nearest
        closer[best] = True
        owner[closer] = turn
        nearest = np.minimum(nearest, between[:, best])
    return [
        Choice(int(rest[place]), int(np.count_nonzero(owner == turn)))
        for turn, place in enumerate(chosen)
    ]


def _vectors(looks: Sequence[LabelLook]) -> Vectors:
    """Points and pictures side by side, each scaled so that both vary as much over the faces."""
    parts: list[Vectors] = []
    for column in zip(*looks, strict=True):
        table = np.stack(column).astype(np.float32)
        spread = float(np.sqrt(((table - table.mean(axis=0)) ** 2).sum(axis=1).mean()))
        parts.append(table / np.float32(max(spread, 1e-9)))
    return np.concatenate(parts, axis=1)


def _distances(some: Vectors, others: Vectors) -> npt.NDArray[np.float64]:
    """Distances of all pairs, `[N, M]`."""
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None]
    return np.sqrt(np.maximum(squares - 2 * some @ others.T, 0)).astype(np.float64)
