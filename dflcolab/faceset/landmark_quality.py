# pyright: strict
"""How well the stored landmarks of faces sit, by a second opinion.

The network that looks again comes in as a callable, so nothing here needs it; the one that this
package ships is `detection.landmark_check.judge_landmarks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dflcolab.arrays import Image, Landmarks
from dflcolab.errors import FacesetError, FormatError
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.face_files import FaceFile, for_each_face, reason_of, why_not
from dflcolab.progress import Progress

INNER = slice(17, 68)
"""Brows, nose, eyes and mouth. The jaw is left out: landmark networks disagree on what it is."""


@dataclass(frozen=True)
class LandmarkVerdict:
    """What a fresh look at a face says about its stored landmarks.

    Attributes:
        error: Mean distance of the stored brows, nose, eyes and mouth to the fresh ones, as a share
            of the face's side (the mean face's square, about brow to chin).
        presence: How sure the network is that there is a face at all, 0..1.
    """

    error: float
    presence: float

    @property
    def badness(self) -> float:
        """One number for sorting: `error`, and from 1 on if there is rather no face at all."""
        return self.error if self.presence >= 0.5 else max(self.error, 1.0) + 1.0 - self.presence


LandmarkJudge = Callable[[Image, Landmarks], LandmarkVerdict]
"""Aligned picture `[H, W, 3]` BGR and the landmarks stored for it → verdict."""


def inner_error(stored: Landmarks, fresh: Landmarks) -> float:
    """Mean distance of the inner points of two sets, as a share of the stored face's side.

    Infinite where the stored points have no extent.

    Args:
        stored: `[68, 2]`.
        fresh: `[68, 2]` in the same picture.
    """
    side = face_side(stored)
    difference = np.asarray(stored, np.float64)[INNER] - np.asarray(fresh, np.float64)[INNER]
    return float(np.hypot(difference[:, 0], difference[:, 1]).mean()) / side if side else math.inf


def face_side(landmarks: Landmarks) -> float:
    """Side of the mean face's square laid over the landmarks, in their unit; 0 for a point."""
    try:
        matrix = alignment_matrix(landmarks, 1, FaceType.HALF)
    except FacesetError:
        return 0.0
    return 1.0 / math.hypot(float(matrix[0, 0]), float(matrix[1, 0]))


def judge_faces(
    paths: Sequence[Path], judge: LandmarkJudge, *, progress: Progress
) -> tuple[dict[str, LandmarkVerdict], dict[str, str]]:
    """Verdicts of all faces by file name, and the files without one, with the reason.

    Raises:
        Interrupted: The user asked to stop.
    """

    def look(face: FaceFile) -> LandmarkVerdict | str:
        if face.record is None:
            return why_not(face)
        try:
            return judge(face.decode(), face.record.landmarks)
        except FormatError as error:
            return reason_of(error)

    results = for_each_face(paths, look, progress=progress, title="Checking landmarks")
    verdicts: dict[str, LandmarkVerdict] = {}
    failed: dict[str, str] = {}
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, str):
            failed[path.name] = result
        else:
            verdicts[path.name] = result
    return verdicts, failed
