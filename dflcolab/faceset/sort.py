# pyright: strict
"""The order of a faceset by any of the kinds of `SortKind`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Mask
from dflcolab.errors import FacesetError, FormatError
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faces.pose import pose
from dflcolab.faceset import sort_keys
from dflcolab.faceset.config import SortKind
from dflcolab.faceset.cpbd import sharpness
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.identity import Embedder, likeness_to_main_person
from dflcolab.progress import Progress

NO_FACE_DATA = "no face data"
NOT_READABLE = "not readable"
NO_SHARPNESS = "sharpness cannot be measured"


@dataclass(frozen=True)
class SortedFaces:
    """The outcome of sorting; no file has been touched yet.

    Attributes:
        order: File names, first to last.
        scores: What the order follows, by name; empty for kinds that compare faces in a chain.
        rejected: Files that do not belong in the order, with the reason.
        renamed: New names that the kind itself asks for; None means numbers in order.
    """

    order: tuple[str, ...]
    scores: Mapping[str, float | str]
    rejected: Mapping[str, str]
    renamed: Mapping[str, str] | None = None


def sort_faces(
    paths: Sequence[Path],
    kind: SortKind,
    *,
    embed: Embedder | None = None,
    progress: Progress | None = None,
) -> SortedFaces:
    """Find the order of face files. Equal scores keep the order of `paths`.

    Args:
        paths: Face files, ascending by name.
        kind: What the order follows.
        embed: Turns faces into vectors; needed for `IDENTITY` only.
        progress: Shows the reading and carries the wish to stop.

    Raises:
        FacesetError: No file has what the kind needs.
        Interrupted: The user asked to stop; nothing was changed.
    """
    progress = progress or Progress()
    if kind is SortKind.RECOVER_NAMES:
        return _recovered_names(paths, progress)
    if kind is SortKind.IDENTITY:
        if embed is None:
            raise FacesetError("Sorting by identity needs an embedder; none was given.")
        return _by_identity(paths, embed, progress)
    if kind in (SortKind.HIST, SortKind.HIST_DISSIM):
        return _by_histograms(paths, kind, progress)
    return _by_score(paths, kind, progress)


Score = Callable[[FaceFile], float | str | None]


def _of_picture(measure: Callable[[Image], float]) -> Score:
    return lambda face: measure(face.decode())


def _of_masked_picture(measure: Callable[[Image], float]) -> Score:
    def score(face: FaceFile) -> float | None:
        return None if face.record is None else measure(_masked(face))

    return score


def _masked(face: FaceFile) -> Image:
    """The decoded picture, black outside of the hull (brow factor 1); whole without face data."""
    image = face.decode()
    return image if face.record is None else sort_keys.masked(image, _hull(face, image))


def _hull(face: FaceFile, image: Image) -> Mask:
    assert face.record is not None
    return hull_mask(face.record.landmarks, image.shape[0], image.shape[1])


def _yaw(face: FaceFile) -> float | None:
    return None if face.record is None else pose(face.record.landmarks, face.size).yaw


def _pitch(face: FaceFile) -> float | None:
    if face.record is None:
        return None
    return pose(face.record.landmarks, face.size).pitch


def _source_area(face: FaceFile) -> float | None:
    if face.record is None or face.record.source_rect is None:
        return None
    left, top, right, bottom = (float(edge) for edge in face.record.source_rect)
    return abs((right - left) * (bottom - top))


def _source_name(face: FaceFile) -> str | None:
    return None if face.record is None else face.record.source_filename


_SCORES: dict[SortKind, Score] = {
    SortKind.BLUR: _of_masked_picture(sharpness),
    SortKind.MOTION_BLUR: _of_masked_picture(sort_keys.laplacian_variance),
    SortKind.FACE_YAW: _yaw,
    SortKind.FACE_PITCH: _pitch,
    SortKind.FACE_SOURCE_RECT_SIZE: _source_area,
    SortKind.BRIGHTNESS: _of_picture(sort_keys.brightness),
    SortKind.HUE: _of_picture(sort_keys.hue),
    SortKind.BLACK: _of_picture(sort_keys.black_samples),
    SortKind.ORIGNAME: _source_name,
}
_LOW_FIRST = (SortKind.BLACK, SortKind.ORIGNAME)
_ZERO_IS_REJECTED = (SortKind.BLUR, SortKind.MOTION_BLUR)


def _by_score(paths: Sequence[Path], kind: SortKind, progress: Progress) -> SortedFaces:
    def measure(face: FaceFile) -> tuple[float | str | None, str]:
        try:
            return _SCORES[kind](face), NOT_READABLE if face.problem else NO_FACE_DATA
        except FormatError:
            return None, NOT_READABLE

    scores: dict[str, float | str] = {}
    rejected: dict[str, str] = {}
    results = for_each_face(paths, measure, progress=progress, title=f"Sorting by {kind.value}")
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
    return _checked(SortedFaces(tuple(order), scores, rejected), paths)


def _by_histograms(paths: Sequence[Path], kind: SortKind, progress: Progress) -> SortedFaces:
    def measure(face: FaceFile) -> npt.NDArray[np.float64] | None:
        try:
            if kind is SortKind.HIST:
                return sort_keys.color_histograms(face.decode())
            return sort_keys.gray_histogram(_masked(face))
        except FormatError:
            return None

    results = for_each_face(paths, measure, progress=progress, title=f"Sorting by {kind.value}")
    found = {path.name: counts for path, counts in zip(paths, results, strict=True)}
    usable = {name: counts for name, counts in found.items() if counts is not None}
    rejected = {name: NOT_READABLE for name in found if name not in usable}
    names = list(usable)
    if not names:
        return _checked(SortedFaces((), {}, rejected), paths)
    roots = sort_keys.histogram_roots(np.stack(list(usable.values())))
    if kind is SortKind.HIST:
        order = tuple(names[index] for index in sort_keys.histogram_chain(roots))
        return SortedFaces(order, {}, rejected)
    total = sort_keys.histogram_dissimilarity(roots)
    ranks: list[int] = np.argsort(-total, kind="stable").tolist()
    order = tuple(names[index] for index in ranks)
    scores = {name: float(value) for name, value in zip(names, total, strict=True)}
    return SortedFaces(order, scores, rejected)


def _by_identity(paths: Sequence[Path], embed: Embedder, progress: Progress) -> SortedFaces:
    likeness, rejected = likeness_to_main_person(paths, embed, progress=progress)
    order = sorted(likeness, key=lambda name: likeness[name], reverse=True)
    return _checked(SortedFaces(tuple(order), likeness, rejected), paths)


def _recovered_names(paths: Sequence[Path], progress: Progress) -> SortedFaces:
    """Names `<frame>_<n>` from the face data: the n-th face of a frame in the present order."""
    results = for_each_face(paths, _source_name, progress=progress, title="Reading frame names")
    counts: dict[str, int] = {}
    renamed: dict[str, str] = {}
    for path, source in zip(paths, results, strict=True):
        if not source:
            renamed[path.name] = path.name
            continue
        # A foreign record may name anything; only a plain name becomes a file name.
        stem = Path(source.replace("\\", "/")).stem
        number = counts.get(stem, 0)
        counts[stem] = number + 1
        renamed[path.name] = f"{stem}_{number}{path.suffix}"
    order = tuple(sorted(renamed, key=lambda name: renamed[name]))
    return SortedFaces(order, {}, {}, renamed)


def _checked(found: SortedFaces, paths: Sequence[Path]) -> SortedFaces:
    if not found.order:
        raise FacesetError(
            f"None of the {len(paths)} pictures in {paths[0].parent} can be sorted this way "
            "(no face data in them); extract the faces again or choose another kind."
        )
    return found
