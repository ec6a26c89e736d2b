# pyright: strict
"""Proposals which faces to remove, each with its reason and number. Nothing is moved here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.errors import FormatError
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faceset.clean_checks import (
    face_sharpness,
    landmark_problem,
    thumbnail,
    thumbnail_difference,
)
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.identity import Vector
from dflcolab.faceset.identity import likeness as likeness_to
from dflcolab.progress import Progress

_BLUR_DEVIATIONS = 3.0
_LEAST_BLUR_STEP = 1.0
"""A face is called blurred only if it is also this much below the median (see `face_sharpness`)."""


@dataclass(frozen=True)
class Proposal:
    """A face that a check would remove.

    Attributes:
        path: The file.
        check: Name of the check ("identity", "blur", "duplicates", "landmarks").
        reason: A few words for the trash and the report.
        score: The number behind it; None where there is none.
    """

    path: Path
    check: str
    reason: str
    score: float | None


@dataclass(frozen=True, eq=False)
class FaceLook:
    """What the checks need to know about one face.

    Attributes:
        path: The file.
        problem: Why the file cannot be judged further; "" if it can.
        sharpness: See `face_sharpness`.
        thumbnail: See `thumbnail`.
        source: Name of its frame.
    """

    path: Path
    problem: str = ""
    sharpness: float | None = None
    thumbnail: npt.NDArray[np.float32] | None = None
    source: str = ""


def look_at_faces(paths: Sequence[Path], *, progress: Progress) -> list[FaceLook]:
    """Read every face once and measure what the checks compare.

    Raises:
        Interrupted: The user asked to stop.
    """
    return list(for_each_face(paths, _look, progress=progress, title="Looking at faces"))


def _look(face: FaceFile) -> FaceLook:
    if face.problem:
        return FaceLook(face.path, problem=face.problem)
    try:
        image = face.decode()
    except FormatError:
        return FaceLook(face.path, problem="not a readable picture")
    height, width = image.shape[:2]
    problem = landmark_problem(face.record, width, height)
    if problem or face.record is None:
        return FaceLook(face.path, problem=problem)
    hull = hull_mask(face.record.landmarks, height, width, eyebrows_expand=0.0)
    return FaceLook(
        face.path,
        sharpness=face_sharpness(image, hull),
        thumbnail=thumbnail(image),
        source=face.record.source_filename or "",
    )


def propose_landmarks(looks: Sequence[FaceLook]) -> list[Proposal]:
    """Files without face data, unreadable ones, and impossible landmarks."""
    return [Proposal(look.path, "landmarks", look.problem, None) for look in looks if look.problem]


def propose_blur(looks: Sequence[FaceLook]) -> list[Proposal]:
    """Faces far less sharp than the middle of the set (robust: median and median deviation)."""
    judged = [(look, look.sharpness) for look in looks if look.sharpness is not None]
    values = np.array([value for _, value in judged if np.isfinite(value)])
    if len(values) < 5:
        return []
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    limit = median - max(_BLUR_DEVIATIONS * spread, _LEAST_BLUR_STEP)
    return [
        Proposal(look.path, "blur", "much less sharp than the others", round(value - median, 3))
        for look, value in judged
        if value < limit
    ]


def propose_duplicates(looks: Sequence[FaceLook], threshold: float) -> list[Proposal]:
    """Faces that hardly differ from the last kept one of the frames before.

    Faces of one frame are never each other's duplicates, and each video is judged by itself.

    Args:
        looks: The faces in any order; they are compared in order of their frames.
        threshold: Mean difference, 0..1, below which two neighbours are duplicates.
    """
    usable = [look for look in looks if look.thumbnail is not None]
    usable.sort(key=lambda look: (_frame_key(look.source), look.path.name))
    found: list[Proposal] = []
    kept: list[FaceLook] = []
    for look in usable:
        # Several people per frame: the last few kept faces are the possible twins.
        near = [
            other
            for other in kept[-4:]
            if other.source != look.source
            and _frame_key(other.source)[0] == _frame_key(look.source)[0]
        ]
        differences = [(_difference(look, other), other) for other in near]
        difference, twin = min(differences, key=lambda pair: pair[0], default=(1.0, look))
        if difference < threshold:
            reason = f"nearly the same as {twin.path.name}"
            found.append(Proposal(look.path, "duplicates", reason, round(difference, 5)))
        else:
            kept.append(look)
    return found


def _difference(one: FaceLook, other: FaceLook) -> float:
    assert one.thumbnail is not None
    assert other.thumbnail is not None
    return thumbnail_difference(one.thumbnail, other.thumbnail)


def _frame_key(source: str) -> tuple[str, int]:
    """Video part and number of a frame name: `2-00017.png` → `("2-", 17)`."""
    found = re.fullmatch(r"(.*?)(\d+)(\.[^.]*)?", source)
    return (found[1], int(found[2])) if found else (source, 0)


def propose_identity(
    paths: Sequence[Path],
    vectors: Mapping[str, Vector],
    person: Vector,
    threshold: float,
) -> list[Proposal]:
    """Faces whose likeness to the wanted person is below `threshold`, the least like first."""
    values = likeness_to(vectors, person)
    by_name = {path.name: path for path in paths}
    foreign = [(value, name) for name, value in values.items() if value < threshold]
    return [
        Proposal(by_name[name], "identity", "another person", round(value, 4))
        for value, name in sorted(foreign)
    ]


def without_repeats(proposals: Sequence[Proposal]) -> list[Proposal]:
    """Each file once, with the first check that named it."""
    seen: dict[Any, Proposal] = {}
    for proposal in proposals:
        seen.setdefault(proposal.path, proposal)
    return list(seen.values())
