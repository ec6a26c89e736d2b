# pyright: strict
"""The order of a faceset by any of the kinds of `SortKind`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dflcolab.arrays import Image
from dflcolab.errors import FacesetError, FormatError
from dflcolab.faces.pose import pose
from dflcolab.faceset import sort_by_measure, sort_keys
from dflcolab.faceset.config import SortKind
from dflcolab.faceset.cpbd import sharpness
from dflcolab.faceset.face_files import (
    FaceFile,
    for_each_face,
    read_face_file,
    read_face_head,
    reason_of,
    why_not,
)
from dflcolab.faceset.identity import Embedder, Vector
from dflcolab.faceset.landmark_quality import LandmarkJudge
from dflcolab.faceset.sort_by_best import by_best_faces, source_area
from dflcolab.faceset.sort_by_likeness import by_histograms, by_pixels, masked_picture
from dflcolab.faceset.sort_by_name import one_face, recovered_names
from dflcolab.faceset.sort_result import (
    NO_SHARPNESS,
    SortedFaces,
    checked,
)
from dflcolab.faceset.vector_cache import VectorCache
from dflcolab.progress import Progress

Network = TypeVar("Network")

__all__ = ["SortedFaces", "sort_faces"]


def sort_faces(
    paths: Sequence[Path],
    kind: SortKind,
    *,
    target: int = 2000,
    dissimilar: bool = False,
    embed: Embedder | None = None,
    person: Vector | None = None,
    cache: VectorCache | None = None,
    judge: LandmarkJudge | None = None,
    progress: Progress | None = None,
) -> SortedFaces:
    """Find the order of face files. Equal scores keep the order of `paths`.

    Args:
        paths: Face files, ascending by name.
        kind: What the order follows.
        target: Number of faces that `FINAL` and `FINAL_FASTER` keep, about.
        dissimilar: `ABSDIFF` goes to the least similar face each time.
        embed: Turns faces into vectors; needed for `IDENTITY` only.
        person: Unit vector of the wanted person for `IDENTITY`; None: the person seen most.
        cache: Identity vectors of earlier runs, for `IDENTITY`.
        judge: Looks at landmarks again; needed for `LANDMARK_QUALITY` only.
        progress: Shows the reading and carries the wish to stop.

    Raises:
        FacesetError: No file has what the kind needs, or the kind would remove all of them.
        StorageError: `ABSDIFF` finds no room for its temporary file.
        Interrupted: The user asked to stop; nothing was changed.
    """
    progress = progress or Progress()
    match kind:
        case SortKind.RECOVER_NAMES:
            return recovered_names(paths, progress)
        case SortKind.ONEFACE:
            return one_face(paths, progress)
        case SortKind.HIST | SortKind.HIST_DISSIM:
            return by_histograms(paths, kind, progress)
        case SortKind.ABSDIFF:
            return by_pixels(paths, progress, dissimilar=dissimilar)
        case SortKind.FINAL | SortKind.FINAL_FASTER:
            return by_best_faces(paths, kind, target, progress)
        case SortKind.IDENTITY:
            network = _given(embed, kind)
            return sort_by_measure.by_identity(paths, network, person, progress, cache=cache)
        case SortKind.LANDMARK_QUALITY:
            return sort_by_measure.by_landmark_quality(paths, _given(judge, kind), progress)
        case SortKind.DISSIMILAR_FACE:
            return sort_by_measure.by_dissimilar_face(paths, progress)
        case SortKind.DUPLICATES:
            return sort_by_measure.by_duplicates(paths, progress)
        case SortKind.EXPRESSION:
            return sort_by_measure.by_expression(paths, progress)
        case _:
            return _by_score(paths, kind, progress)


def _given(network: Network | None, kind: SortKind) -> Network:
    if network is None:
        raise FacesetError(f"Sorting by {kind.value} needs a network; none was given.")
    return network


Score = Callable[[FaceFile], float | str | None]


def _of_picture(measure: Callable[[Image], float]) -> Score:
    return lambda face: measure(face.decode())


def _of_masked_picture(measure: Callable[[Image], float]) -> Score:
    return lambda face: None if face.record is None else measure(masked_picture(face))


def _yaw(face: FaceFile) -> float | None:
    return None if face.record is None else pose(face.record.landmarks, face.size).yaw


def _pitch(face: FaceFile) -> float | None:
    return None if face.record is None else pose(face.record.landmarks, face.size).pitch


def _source_name(face: FaceFile) -> str | None:
    return None if face.record is None else face.record.source_filename


_FROM_HEADS: dict[SortKind, Score] = {
    SortKind.FACE_YAW: _yaw,
    SortKind.FACE_PITCH: _pitch,
    SortKind.FACE_SOURCE_RECT_SIZE: source_area,
    SortKind.ORIGNAME: _source_name,
}
_FROM_PICTURES: dict[SortKind, Score] = {
    SortKind.BLUR: _of_masked_picture(sharpness),
    SortKind.MOTION_BLUR: _of_masked_picture(sort_keys.laplacian_variance),
    SortKind.BRIGHTNESS: _of_picture(sort_keys.brightness),
    SortKind.HUE: _of_picture(sort_keys.hue),
    SortKind.BLACK: _of_picture(sort_keys.black_samples),
}
_LOW_FIRST = (SortKind.BLACK, SortKind.ORIGNAME)
_ZERO_IS_REJECTED = (SortKind.BLUR, SortKind.MOTION_BLUR)


def _by_score(paths: Sequence[Path], kind: SortKind, progress: Progress) -> SortedFaces:
    of_head = _FROM_HEADS.get(kind)
    score_of = of_head or _FROM_PICTURES[kind]

    def measure(face: FaceFile) -> tuple[float | str | None, str]:
        try:
            return score_of(face), why_not(face)
        except FormatError as error:
            return None, face.reason or reason_of(error)

    scores: dict[str, float | str] = {}
    rejected: dict[str, str] = {}
    results = for_each_face(
        paths,
        measure,
        progress=progress,
        title=f"Sorting by {kind.value}",
        read=read_face_head if of_head else read_face_file,
    )
    for path, (score, reason) in zip(paths, results, strict=True):
        if score is None:
            rejected[path.name] = reason
        elif score == 0 and kind in _ZERO_IS_REJECTED:
            rejected[path.name] = NO_SHARPNESS
        else:
            scores[path.name] = score

    # `sorted` keeps equal scores in their order, with `reverse` as well.
    def value(name: str) -> Any:
        return scores[name]

    order = sorted(scores, key=value, reverse=kind not in _LOW_FIRST)
    return checked(SortedFaces(tuple(order), scores, rejected), paths)
