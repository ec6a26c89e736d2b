# pyright: strict
"""From the crop of one face type to that of another, without the frame.

Every crop shows its frame through a matrix; the way from one crop to another is back to the frame
and forth again. Where both crops turn with the face, the landmarks inside of the first crop say it
all, which is how DeepFaceLab converts facesets (DFL interoperability notes, section 10).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Transform
from dflcolab.errors import FacesetError
from dflcolab.faces.alignment import alignment_matrix, invert_transform, transform_points
from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.guesses import guess_kind, with_guess


def compose(second: npt.ArrayLike, first: npt.ArrayLike) -> Transform:
    """The matrix `[2, 3]` that does `first`, then `second`."""
    a, b = np.asarray(second, dtype=np.float64), np.asarray(first, dtype=np.float64)
    linear = a[:, :2] @ b[:, :2]
    shift = a[:, :2] @ b[:, 2] + a[:, 2]
    return np.concatenate([linear, shift[:, None]], axis=1).astype(np.float32)


def between_crops(
    source_landmarks: npt.ArrayLike,
    old_type: FaceType,
    old_size: int,
    new_type: FaceType,
    new_size: int,
) -> Transform:
    """The matrix from one crop of a frame to another, both made from the frame's landmarks.

    Args:
        source_landmarks: `[68, 2]`, frame pixels.
        old_type: Extent of the present crop; `MARK_ONLY` is the frame itself.
        old_size: Its side in pixels.
        new_type: Extent of the wanted crop; any but `MARK_ONLY`.
        new_size: Its side in pixels.

    Returns:
        `[2, 3]`, float32.

    Raises:
        FacesetError: The landmarks lie on one point.
        ValueError: `new_type` has no crop.
    """
    forth = alignment_matrix(source_landmarks, new_size, new_type)
    if not old_type.is_crop:
        return forth
    return compose(forth, invert_transform(alignment_matrix(source_landmarks, old_size, old_type)))


def conversion_matrix(
    record: FaceRecord, old_size: int, new_type: FaceType, new_size: int
) -> Transform:
    """The matrix from a face's picture to its crop of another type or size.

    Args:
        record: The face. Upright types need its landmarks in the frame, unless its own crop is
            upright already.
        old_size: Width of its picture.
        new_type: Extent of the wanted crop; the record's own means a change of size only.
        new_size: Its side in pixels.

    Returns:
        `[2, 3]`, float32.

    Raises:
        FacesetError: The landmarks lie on one point, or an upright crop was asked for and the face
            does not say where it was in the frame.
        ValueError: `new_type` has no crop, and the record's differs from it.
    """
    old_type = record.assumed_face_type
    if old_type is new_type:
        zoom = new_size / old_size
        return np.array([[zoom, 0, 0], [0, zoom, 0]], dtype=np.float32)
    upright = old_type.unrotated or not old_type.is_crop
    if new_type.unrotated and not upright:
        if record.source_landmarks is None:
            raise FacesetError(
                f"A face without landmarks of its frame cannot become {new_type.value}, which "
                "stands upright in the frame; extract it again as that type."
            )
        back = record.image_to_face_mat
        if back is None:
            back = alignment_matrix(record.source_landmarks, old_size, old_type)
        forth = alignment_matrix(record.source_landmarks, new_size, new_type)
        return compose(forth, invert_transform(back))
    return alignment_matrix(record.landmarks, new_size, new_type)


def converted_record(
    record: FaceRecord, matrix: Transform, new_type: FaceType, new_size: int
) -> FaceRecord:
    """The record of the converted picture, its mask left as it is.

    Landmarks and outlines are mapped by `matrix` (see `conversion_matrix`). `image_to_face_mat` is
    made anew from the frame's landmarks, or follows the picture where there are none. What the
    record says of the frame stays.
    """
    if record.source_landmarks is not None and new_type.is_crop:
        to_crop = alignment_matrix(record.source_landmarks, new_size, new_type)
    elif record.image_to_face_mat is not None:
        to_crop = compose(matrix, record.image_to_face_mat)
    else:
        to_crop = None
    polygons = tuple(
        Polygon(polygon.include, transform_points(polygon.points, matrix))
        for polygon in record.polygons
    )
    converted = record.replace(
        face_type=new_type,
        landmarks=transform_points(record.landmarks, matrix),
        image_to_face_mat=to_crop,
        polygons=polygons,
    )
    guessed = guess_kind(record)
    return with_guess(converted, polygons, guessed) if guessed else converted


def covered_share(matrix: Transform, old_size: int, new_size: int) -> float:
    """How much of a new crop the old picture fills, 0 to 1; the rest would be black."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
    old = transform_points(square * old_size, matrix)
    area, _ = cv2.intersectConvexConvex(old, square * new_size)
    return min(1.0, float(area) / float(new_size) ** 2)
