# pyright: strict
"""Kinds of sorting that DeepFaceLab does not have.

`identity` and `landmark-quality` ask a network, which comes in as a callable; `dissimilar-face` and
`expression` need the landmarks only; `duplicates` compares small gray pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Landmarks
from dflcolab.errors import FacesetError
from dflcolab.faceset.clean_checks import landmark_problem
from dflcolab.faceset.config import SortKind
from dflcolab.faceset.duplicates import duplicate_groups, find_duplicates
from dflcolab.faceset.face_files import FaceFile, for_each_face, read_face_head, why_not
from dflcolab.faceset.identity import Embedder, Vector, embed_faces, likeness, main_person
from dflcolab.faceset.landmark_quality import LandmarkJudge, judge_faces
from dflcolab.faceset.measures import expression, face_points, measure_faces
from dflcolab.faceset.sort_result import SortedFaces, checked
from dflcolab.faceset.vector_cache import VectorCache
from dflcolab.progress import Progress

_MOUTH_STEP = 0.1
_BLOCK = 1024

T = TypeVar("T")


def by_identity(
    paths: Sequence[Path],
    embed: Embedder,
    person: Vector | None,
    progress: Progress,
    *,
    cache: VectorCache | None = None,
) -> SortedFaces:
    """Faces most like the wanted person, or like the person seen most, first."""
    vectors, rejected = embed_faces(paths, embed, progress=progress, cache=cache)
    if person is None:
        person = main_person(list(vectors.values()))
    values = likeness(vectors, person)
    order = sorted(values, key=lambda name: values[name], reverse=True)
    return checked(SortedFaces(tuple(order), values, rejected), paths)


def by_landmark_quality(
    paths: Sequence[Path], judge: LandmarkJudge, progress: Progress
) -> SortedFaces:
    """Faces without a face in them first, then wrong landmarks, the best last."""
    verdicts, rejected = judge_faces(paths, judge, progress=progress)
    values = {name: verdict.badness for name, verdict in verdicts.items()}
    order = sorted(values, key=lambda name: values[name], reverse=True)
    return checked(SortedFaces(tuple(order), values, rejected), paths)


def by_duplicates(paths: Sequence[Path], progress: Progress) -> SortedFaces:
    """Groups of near-copies, the largest first, in each the sharpest face in front.

    The score is the size of a face's group. Faces that cannot be compared come last.
    """
    measures = measure_faces(paths, progress=progress)
    groups = duplicate_groups(find_duplicates(measures), len(measures))
    rejected = {m.name: m.reason for m in measures if m.thumbnail is None and m.record is None}
    scores: dict[str, float] = {}
    incomparable: list[str] = []
    for keeper, copies in groups:
        name = measures[keeper].name
        if measures[keeper].thumbnail is not None:
            scores |= {measures[i].name: float(len(copies) + 1) for i in (keeper, *copies)}
        elif name not in rejected:
            incomparable.append(name)
    return checked(SortedFaces((*scores, *incomparable), scores, rejected), paths)


def by_dissimilar_face(paths: Sequence[Path], progress: Progress) -> SortedFaces:
    """Faces whose landmarks - pose and expression - are least like all others first.

    The score is the mean distance to all other faces, in sides of the face. Landmarks that cannot
    be right come before all others.
    """
    found, rejected = _from_landmarks(paths, face_points, progress, SortKind.DISSIMILAR_FACE)
    shapes = {name: value for name, value in found.items() if value is not None}
    scores = {name: float("inf") for name in found}
    if shapes:
        values = mean_shape_distances(np.stack(list(shapes.values())))
        scores.update(zip(shapes, values.tolist(), strict=True))
    order = sorted(scores, key=lambda name: -scores[name])
    return checked(SortedFaces(tuple(order), scores, rejected), paths)


def mean_shape_distances(shapes: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """`[N]`: root mean square distance of the points of each shape to those of the others, averaged.

    Args:
        shapes: `[N, 68, 2]` from `face_points`.
    """
    rows = shapes.reshape(len(shapes), -1).astype(np.float64)
    rows = rows - rows.mean(axis=0)
    squares = np.square(rows).sum(axis=1)
    total = np.zeros(len(rows))
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        squared = squares[part, None] + squares - 2.0 * (rows[part] @ rows.T)
        index = np.arange(start, min(start + _BLOCK, len(rows)))
        squared[index - start, index] = 0.0
        total[part] = np.sqrt(np.maximum(squared, 0.0)).sum(axis=1)
    return total / np.sqrt(shapes.shape[1]) / max(len(rows) - 1, 1)


def by_expression(paths: Sequence[Path], progress: Progress) -> SortedFaces:
    """From a wide open mouth to a shut one in coarse steps, in each from open to shut eyes.

    The score is the mouth's opening over its width. Landmarks that cannot be right come last.
    """
    found, rejected = _from_landmarks(paths, expression, progress, SortKind.EXPRESSION)
    known = {name: value for name, value in found.items() if value is not None}

    def key(name: str) -> tuple[int, float]:
        mouth, eyes = known[name]
        return -int(mouth / _MOUTH_STEP), -eyes

    order = sorted(known, key=key) + [name for name in found if name not in known]
    scores = {name: mouth for name, (mouth, _) in known.items()}
    return checked(SortedFaces(tuple(order), scores, rejected), paths)


def _from_landmarks(
    paths: Sequence[Path], measure: Callable[[Landmarks], T], progress: Progress, kind: SortKind
) -> tuple[dict[str, T | None], dict[str, str]]:
    """A measure of the landmarks by name, None where they cannot be right; and files without."""

    def work(face: FaceFile) -> tuple[T | None, str]:
        if face.record is None:
            return None, why_not(face)
        if landmark_problem(face.record, face.size, face.size):
            return None, ""
        try:
            return measure(face.record.landmarks), ""
        except FacesetError:
            return None, ""

    results = for_each_face(
        paths, work, progress=progress, title=f"Sorting by {kind.value}", read=read_face_head
    )
    found: dict[str, T | None] = {}
    rejected: dict[str, str] = {}
    for path, (value, reason) in zip(paths, results, strict=True):
        if reason:
            rejected[path.name] = reason
        else:
            found[path.name] = value
    return found, rejected
