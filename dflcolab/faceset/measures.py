# pyright: strict
"""What can be told of a face without a network, measured once for sorting, cleaning and reports.

Every file is read and decoded once, by all cores. The numbers are made comparable: sizes are shares
of the face, brightness is measured inside the hull only, points are given in units of the mean face.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Landmarks, Mask
from dflcolab.errors import FacesetError, FormatError
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faces.pose import Pose, pose
from dflcolab.faceset.clean_checks import (
    face_sharpness,
    landmark_problem,
    share_outside,
    thumbnail,
)
from dflcolab.faceset.face_files import NO_FACE_DATA, NOT_READABLE, FaceFile, for_each_face
from dflcolab.faceset.whole_picture import PART_IS_MISSING, is_whole
from dflcolab.progress import Progress

_LOOK = 128
"""Side of the small picture in which light is measured."""

_DARK, _BRIGHT = 16, 240
"""Gray levels at which a camera shows no more drawing in shadows and lights."""


@dataclass(frozen=True)
class Light:
    """How the face is lit. All values are measured inside its hull.

    Attributes:
        brightness: Mean gray, 0..1.
        contrast: Standard deviation of gray, 0..1.
        dark: Share of pixels too dark to show anything, 0..1.
        bright: Share of pixels burnt out, 0..1.
        from_left: Mean gray of the picture's left half less that of the right one, over their sum:
            -1..1, positive when the light comes from the picture's left.
        from_above: The same for the upper and the lower half.
        color: Mean of Lab a and b (each about -60..60): redder and yellower are larger.
    """

    brightness: float
    contrast: float
    dark: float
    bright: float
    from_left: float
    from_above: float
    color: tuple[float, float]


@dataclass(frozen=True, eq=False)
class FaceMeasure:
    """The numbers of one face.

    Attributes:
        path: The file.
        problem: Why the file cannot be judged; "" if it can. All else is then None or empty.
        reason: The same in words shared by all such files; "" where the face data are at fault.
        record: Its face data.
        size: Width of the picture in pixels.
        pose: Pitch, yaw and roll in radians, signs as in `faces.pose`.
        sharpness: See `clean_checks.face_sharpness`; about one less is visibly softer.
        light: How it is lit.
        frame_pixels: Side of the face (the mean face's unit square, about brow to chin) in pixels
            of its frame; None where the file does not say. Small ones were enlarged for the crop.
        mouth: Opening between the lips over the mouth's width; 0 is shut, above 0.4 wide open.
        eyes: Mean opening of the eyes over their width; below about 0.15 they are shut.
        points: `[68, 2]` landmarks in units of the mean face, whatever the crop's type and size.
        thumbnail: `[32, 32]`, 0..1, the gray crop, for comparing faces.
        outside: Share of the face outside of its frame, 0..1; see `clean_checks.share_outside`.
    """

    path: Path
    problem: str = ""
    reason: str = ""
    record: FaceRecord | None = None
    size: int = 0
    pose: Pose | None = None
    sharpness: float | None = None
    light: Light | None = None
    frame_pixels: float | None = None
    mouth: float | None = None
    eyes: float | None = None
    points: Landmarks | None = None
    thumbnail: npt.NDArray[np.float32] | None = None
    outside: float | None = None

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name

    @property
    def frame(self) -> str:
        """Name of the frame it came from, "" where the file does not say."""
        return "" if self.record is None else self.record.source_filename or ""


def measure_faces(paths: Sequence[Path], *, progress: Progress) -> list[FaceMeasure]:
    """Read every face once and measure it; one entry per path, in order.

    Raises:
        Interrupted: The user asked to stop.
    """
    return list(for_each_face(paths, measure_face, progress=progress, title="Looking at faces"))


def measure_face(face: FaceFile) -> FaceMeasure:
    """The numbers of one face file; a damaged one comes back with its `problem`."""
    if face.problem:
        return FaceMeasure(face.path, problem=face.problem, reason=face.reason)
    if not is_whole(face.data):
        return FaceMeasure(face.path, problem=PART_IS_MISSING, reason=PART_IS_MISSING)
    try:
        image = face.decode()
    except FormatError:
        return FaceMeasure(face.path, problem="not a readable picture", reason=NOT_READABLE)
    height, width = image.shape[:2]
    record = face.record
    problem = landmark_problem(record, width, height)
    if problem or record is None:
        return FaceMeasure(
            face.path,
            problem=problem,
            reason=NO_FACE_DATA if record is None else "",
            record=record,
        )
    try:
        points = face_points(record.landmarks)
    except FacesetError:
        return FaceMeasure(face.path, problem="the landmarks lie on a point", record=record)
    hull = hull_mask(record.landmarks, height, width, eyebrows_expand=0.0)
    mouth, eyes = expression(record.landmarks)
    return FaceMeasure(
        face.path,
        record=record,
        size=width,
        pose=pose(record.landmarks, width),
        sharpness=face_sharpness(image, hull),
        light=light_of(image, hull),
        frame_pixels=frame_pixels(record),
        mouth=mouth,
        eyes=eyes,
        points=points,
        thumbnail=thumbnail(image),
        outside=share_outside(image, hull, record),
    )


def light_of(image: Image, hull: Mask) -> Light:
    """Brightness, contrast, direction and color of the light on a face.

    Args:
        image: `[H, W, 3]`, uint8, BGR.
        hull: `[H, W, 1]`, 1 inside the face.
    """
    small = cast(Image, cv2.resize(image, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA))
    inside = cv2.resize(hull[..., 0], (_LOOK, _LOOK), interpolation=cv2.INTER_AREA) > 0.5
    if not inside.any():
        return Light(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, (0.0, 0.0))
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2LAB))
    values = gray[inside].astype(np.float64)
    rows, columns = np.nonzero(inside)
    left = columns < np.median(columns)
    upper = rows < np.median(rows)
    a, b = (lab[inside].astype(np.float64).mean(axis=0)[1:] - 128.0).tolist()
    return Light(
        brightness=float(values.mean()) / 255.0,
        contrast=float(values.std()) / 255.0,
        dark=float((values <= _DARK).mean()),
        bright=float((values >= _BRIGHT).mean()),
        from_left=_difference(values[left], values[~left]),
        from_above=_difference(values[upper], values[~upper]),
        color=(a, b),
    )


def _difference(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    if not (len(one) and len(other)):
        return 0.0
    first, second = float(one.mean()), float(other.mean())
    return (first - second) / max(first + second, 1.0)


def expression(landmarks: npt.ArrayLike) -> tuple[float, float]:
    """Openings of mouth and eyes (see `FaceMeasure`); of the eyes the mean of both.

    Args:
        landmarks: `[68, 2]`, any unit.
    """
    points = np.asarray(landmarks, dtype=np.float64)

    def length(a: int, b: int) -> float:
        return float(np.hypot(*(points[a] - points[b])))

    lips = (length(61, 67) + length(62, 66) + length(63, 65)) / 3.0
    mouth = lips / max(length(48, 54), 1e-6)
    right = (length(37, 41) + length(38, 40)) / 2.0 / max(length(36, 39), 1e-6)
    left = (length(43, 47) + length(44, 46)) / 2.0 / max(length(42, 45), 1e-6)
    return mouth, (right + left) / 2.0


def frame_pixels(record: FaceRecord) -> float | None:
    """Side of the face square in pixels of its frame; None where the file does not say."""
    if record.source_landmarks is not None:
        try:
            matrix = alignment_matrix(record.source_landmarks, 1, FaceType.HALF)
        except FacesetError:
            return None
        scale = math.hypot(float(matrix[0, 0]), float(matrix[1, 0]))
        return 1.0 / scale if scale > 0 else None
    if record.source_rect is not None:
        left, top, right, bottom = (float(edge) for edge in record.source_rect)
        return max(abs(right - left), abs(bottom - top))
    return None


def face_points(landmarks: Landmarks) -> Landmarks:
    """Landmarks in units of the mean face: brows to chin about 1, upright, `[68, 2]`."""
    return transform_points(landmarks, alignment_matrix(landmarks, 1, FaceType.HALF))
