# pyright: strict
"""Proposals which faces to remove, each with its reason and number. Nothing is moved here.

One function per check. Each returns its proposals worst first, and judges a face against the rest
of the set where a faceset may differ from others without being bad (a soft film, a dark scene);
only extremes count by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dflcolab.faceset.duplicates import find_duplicates
from dflcolab.faceset.landmark_quality import LandmarkVerdict, face_side
from dflcolab.faceset.measures import FaceMeasure
from dflcolab.faceset.person_choice import IdentityVerdict

_BLUR_DEVIATIONS = 3.0
_NO_DETAIL = -4.2
"""Sharpness below which a face shows no features in any set: blurred by 5 % of its width (five
clips). Blurred by 2 %, or 16 pixels wide before it was enlarged, it lies above -4.1."""

_FEWEST = 5
"""Faces below which nothing can be said about what is usual in a set."""

_NO_FACE = 0.5

_ALL_OF_IT = 0.9
_ABOVE_USUAL = 0.3
_NO_CONTRAST, _LITTLE_CONTRAST = 0.012, 0.04
"""Standard deviation of gray, 0..1: three gray levels, and ten. Faces of clips and photographs lie
above 0.07, at a third of their light above 0.02."""

_SMALLER = 0.5
_TINY = 20.0
"""Side of the face in frame pixels below which nothing of it is worth learning; the landmark
network is not dependable below 40."""


@dataclass(frozen=True)
class Proposal:
    """A face that a check would remove.

    Attributes:
        path: The file.
        check: Name of the check ("identity", "blur", "non-faces" …).
        reason: A few words for the trash and the report.
        score: The number behind it; None where there is none.
    """

    path: Path
    check: str
    reason: str
    score: float | None


def propose_unusable(faces: Sequence[FaceMeasure]) -> list[Proposal]:
    """Files without face data, unreadable ones, and impossible landmarks."""
    return [Proposal(face.path, "landmarks", face.problem, None) for face in faces if face.problem]


def propose_landmarks(
    faces: Sequence[FaceMeasure], verdicts: Mapping[str, LandmarkVerdict], threshold: float
) -> list[Proposal]:
    """Faces whose landmarks lie elsewhere than a fresh look finds them.

    Where the network sees no face its points mean nothing, so such faces are not judged here.

    Args:
        faces: The faces.
        verdicts: By file name; see `landmark_quality.judge_faces`.
        threshold: Mean distance in sides of the face.
    """
    found = [
        Proposal(
            face.path,
            "landmarks",
            "the landmarks lie off the face",
            round(verdicts[face.name].error, 4),
        )
        for face in faces
        if face.name in verdicts
        and verdicts[face.name].presence >= _NO_FACE
        and verdicts[face.name].error > threshold
    ]
    return _largest_first(found)


def propose_non_faces(
    faces: Sequence[FaceMeasure],
    presence: Mapping[str, float],
    tracks: Mapping[str, str],
) -> list[Proposal]:
    """Pictures that show no face.

    Args:
        faces: The pictures.
        presence: How sure the networks are of a face, 0..1, by file name; below 0.5 there is none.
        tracks: Face → track. A track in which most pictures show a face is one, so that a frame of
            motion blur or a hand before the face stays.
    """
    seen: dict[str, list[float]] = {}
    for name, track in tracks.items():
        if name in presence:
            seen.setdefault(track, []).append(presence[name])
    found = [
        Proposal(face.path, "non-faces", "no face is seen in it", round(presence[face.name], 4))
        for face in faces
        if presence.get(face.name, 1.0) < _NO_FACE
        and float(np.median(seen.get(tracks.get(face.name, ""), [0.0]))) < _NO_FACE
    ]
    return _smallest_first(found)


def propose_identity(faces: Sequence[FaceMeasure], verdict: IdentityVerdict) -> list[Proposal]:
    """Faces of other people than the wanted ones, the least like first."""
    paths = {face.name: face.path for face in faces}
    number_of = {name: person.number for person in verdict.people for name in person.names}
    found: list[Proposal] = []
    for name in verdict.foreign:
        if name in paths:
            number = number_of.get(name)
            who = "another person" if number is None else f"another person (number {number})"
            score = round(verdict.likeness[name], 4)
            found.append(Proposal(paths[name], "identity", who, score))
    return found


def propose_blur(faces: Sequence[FaceMeasure], threshold: float = 1.0) -> list[Proposal]:
    """Faces far less sharp than the middle of the set, and those without any detail.

    Faces too small in their picture to be measured (of `mark_only`, say) are not judged.

    Args:
        faces: The faces.
        threshold: Least distance to the median (see `clean_checks.face_sharpness`); three times the
            usual spread (by the median deviation) must lie between as well.
    """
    judged = [
        (face, face.sharpness)
        for face in faces
        if face.sharpness is not None and math.isfinite(face.sharpness)
    ]
    values = np.array([value for _, value in judged])
    limit, median = _NO_DETAIL, 0.0
    if len(values) >= _FEWEST:
        median = float(np.median(values))
        limit = max(limit, median - max(_BLUR_DEVIATIONS * _spread(values, median), threshold))
    found = [
        Proposal(
            face.path,
            "blur",
            "shows no detail" if value < _NO_DETAIL else "much less sharp than the others",
            round(value, 3),
        )
        for face, value in judged
        if value < limit
    ]
    return _smallest_first(found)


def propose_exposure(faces: Sequence[FaceMeasure], threshold: float = 0.5) -> list[Proposal]:
    """Faces that show too little because they are black, burnt out, or without contrast.

    A lightless scene is no fault of one face: what is usual in the set moves the limits. Unusual
    light itself is welcome in a faceset and no reason.

    Args:
        faces: The faces.
        threshold: Share of black or of burnt-out pixels, 0..1.
    """
    lit = [(face, face.light) for face in faces if face.light is not None]
    if not lit:
        return []
    dark_limit = _share_limit([light.dark for _, light in lit], threshold)
    bright_limit = _share_limit([light.bright for _, light in lit], threshold)
    usual = float(np.median([light.contrast for _, light in lit]))
    flat_limit = max(_NO_CONTRAST, min(0.3 * usual, _LITTLE_CONTRAST))
    found: list[Proposal] = []
    for face, light in lit:
        if light.dark > dark_limit:
            found.append(Proposal(face.path, "exposure", "too dark", round(light.dark, 4)))
        elif light.bright > bright_limit:
            found.append(Proposal(face.path, "exposure", "burnt out", round(light.bright, 4)))
        elif light.contrast < flat_limit:
            score = round(1.0 - light.contrast, 4)
            found.append(Proposal(face.path, "exposure", "no contrast", score))
    return _largest_first(found)


def propose_small(faces: Sequence[FaceMeasure], threshold: float = 4.0) -> list[Proposal]:
    """Faces that the crop had to enlarge much more than those of the rest; score: how many times.

    Args:
        faces: The faces; those that do not say how large they were in their frame are not judged.
        threshold: Enlargement from which a face is too small, if it is also less than half as large
            as the median of the set. Faces under 20 pixels always are.
    """
    sized = [
        (face, face.frame_pixels, face_side(face.record.landmarks) / face.frame_pixels)
        for face in faces
        if face.frame_pixels and face.record is not None
    ]
    if not sized:
        return []
    usual = float(np.median([pixels for _, pixels, _ in sized]))
    found = [
        Proposal(
            face.path, "small", f"only {pixels:.0f} pixels large in its frame", round(enlarged, 2)
        )
        for face, pixels, enlarged in sized
        if pixels < _TINY or (enlarged > threshold and pixels < _SMALLER * usual)
    ]
    return _largest_first(found)


def propose_cut_off(faces: Sequence[FaceMeasure], threshold: float = 0.05) -> list[Proposal]:
    """Faces that reach outside of their frame; score: share of the face that is missing.

    Args:
        faces: The faces.
        threshold: Share from which a face is cut off, 0..1.
    """
    found = [
        Proposal(face.path, "cut-off", "a part lies outside of the frame", round(face.outside, 4))
        for face in faces
        if face.outside is not None and face.outside > threshold
    ]
    return _largest_first(found)


def propose_duplicates(faces: Sequence[FaceMeasure], threshold: float) -> list[Proposal]:
    """Near-copies, in the whole set; of each group the sharpest face stays.

    Args:
        faces: The faces that would stay otherwise.
        threshold: Mean difference, 0..1, below which two faces are copies.
    """
    found = [
        Proposal(
            faces[index].path,
            "duplicates",
            f"nearly the same as {faces[keeper].name}",
            round(difference, 5),
        )
        for index, (keeper, difference) in find_duplicates(faces, threshold=threshold).items()
    ]
    return _smallest_first(found)


def _share_limit(shares: Sequence[float], threshold: float) -> float:
    """Share above which a face is an exception in this set, or useless in any."""
    usual = float(np.median(shares)) if len(shares) >= _FEWEST else 0.0
    return min(max(threshold, usual + _ABOVE_USUAL), max(threshold, _ALL_OF_IT))


def _spread(values: npt.NDArray[np.float64], median: float) -> float:
    """Standard deviation as the median deviation estimates it, whatever a few outliers do."""
    return 1.4826 * float(np.median(np.abs(values - median)))


def _largest_first(proposals: list[Proposal]) -> list[Proposal]:
    return sorted(proposals, key=lambda found: (-_score(found), found.path.name))


def _smallest_first(proposals: list[Proposal]) -> list[Proposal]:
    return sorted(proposals, key=lambda found: (_score(found), found.path.name))


def _score(found: Proposal) -> float:
    return -math.inf if found.score is None else found.score
