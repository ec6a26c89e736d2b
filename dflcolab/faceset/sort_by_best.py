# pyright: strict
"""The kinds `final` and `final-faster`: about so many faces of all poses stay, the best ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dflcolab.errors import FacesetError, FormatError
from dflcolab.faces.pose import pose
from dflcolab.faceset import sort_keys
from dflcolab.faceset.best_faces import SMALLEST_TARGET, Candidate, best_faces
from dflcolab.faceset.config import SortKind
from dflcolab.faceset.cpbd import sharpness
from dflcolab.faceset.face_files import FaceFile, for_each_face, reason_of, why_not
from dflcolab.faceset.sort_by_likeness import hull_of
from dflcolab.faceset.sort_result import SortedFaces, checked
from dflcolab.progress import Progress

NO_FRAME_SIZE = "its size in the frame is not known"


@dataclass(frozen=True, eq=False)
class _Look:
    """A face that may be chosen.

    Attributes:
        candidate: What decides on it.
        gray: Histogram of its whole picture.
    """

    candidate: Candidate
    gray: npt.NDArray[np.float64]


def by_best_faces(
    paths: Sequence[Path], kind: SortKind, target: int, progress: Progress
) -> SortedFaces:
    """About `target` faces of all poses, the sharpest ones or those largest in their frame.

    Raises:
        FacesetError: The target is too small, or no face is left.
    """
    if target < SMALLEST_TARGET:
        raise FacesetError(
            f"{kind.value} with --target {target} would remove every face: it shares them out among "
            f"128 turns of the head; {SMALLEST_TARGET} is the smallest useful number."
        )
    look = _look_at_size if kind is SortKind.FINAL_FASTER else _look_at_sharpness
    results = for_each_face(paths, look, progress=progress, title=f"Sorting by {kind.value}")
    rejected: dict[str, str] = {}
    names: list[str] = []
    looks: list[_Look] = []
    for path, found in zip(paths, results, strict=True):
        if isinstance(found, str):
            rejected[path.name] = found
        else:
            names.append(path.name)
            looks.append(found)

    def histograms(indices: Sequence[int]) -> npt.NDArray[np.float64]:
        return np.stack([looks[index].gray for index in indices])

    chosen = best_faces([found.candidate for found in looks], target, histograms)
    order = tuple(names[index] for index in chosen)
    kept = set(order)
    rejected |= {name: f"not among the best {target}" for name in names if name not in kept}
    return checked(SortedFaces(order, {}, rejected), paths)


def _look_at_sharpness(face: FaceFile) -> _Look | str:
    if face.record is None:
        return why_not(face)
    try:
        image = face.decode()
    except FormatError as error:
        return reason_of(error)
    turned = pose(face.record.landmarks, face.size)
    quality = sharpness(sort_keys.masked(image, hull_of(face.record, image)))
    return _Look(Candidate(turned.yaw, turned.pitch, quality), sort_keys.gray_histogram(image))


def _look_at_size(face: FaceFile) -> _Look | str:
    if face.record is None:
        return why_not(face)
    area = source_area(face)
    if area is None:
        return NO_FRAME_SIZE
    try:
        image = face.decode()
    except FormatError as error:
        return reason_of(error)
    turned = pose(face.record.landmarks, face.size)
    return _Look(Candidate(turned.yaw, turned.pitch, area), sort_keys.gray_histogram(image))


def source_area(face: FaceFile) -> float | None:
    """Area of the detector's box in the frame; None where the file does not say."""
    if face.record is None or face.record.source_rect is None:
        return None
    left, top, right, bottom = (float(edge) for edge in face.record.source_rect)
    return abs((right - left) * (bottom - top))
