# pyright: strict
"""A face at another size, or as another face type (DFL interoperability notes, section 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from dflcolab.arrays import Image, Transform
from dflcolab.errors import FacesetError
from dflcolab.faces.conversion import conversion_matrix, converted_record, covered_share
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.polygons import drawing_order
from dflcolab.formats.dfl_jpeg import Face, decode_xseg_mask, embed, encode_xseg_mask
from dflcolab.formats.jpeg_segments import obstacles

_MASK_SIZE = 256
"""Side of the masks that DeepFaceLab stores; smaller ones are brought to it, larger ones stay."""


@dataclass(frozen=True)
class ConvertedFace:
    """A face file at its new size.

    Attributes:
        data: The file.
        changed: False where the face was already as wanted: `data` is the old file then.
        enlarged: The picture has more pixels than before, and no more detail.
        covered: Share of the picture that the old one fills; the rest is black.
    """

    data: bytes
    changed: bool
    enlarged: bool
    covered: float


def convert_face(
    face: Face, *, size: int | None, face_type: FaceType | None = None, jpeg_quality: int = 100
) -> ConvertedFace:
    """Give a face another size, and another face type if asked.

    Pictures are resampled by Lanczos4, as in DeepFaceLab. With another face type the stored mask is
    warped with the picture and cut at one half; otherwise it stays as it is, for it is stretched
    over the picture when used.

    Args:
        face: The face.
        size: Side of the new picture in pixels; None keeps it.
        face_type: Extent of the new crop; None keeps the face's own.
        jpeg_quality: 1 to 100.

    Raises:
        FacesetError: The picture is not square, or the face cannot have that type.
        FormatError: The picture or its mask is damaged.
    """
    if face.width != face.height:
        raise FacesetError(
            f"{face.name} is not square ({face.width} x {face.height}); it was left as it is. "
            "Extract that face again."
        )
    size = size or face.width
    own = face.record.assumed_face_type
    wanted = face_type or own
    if wanted is not own and not wanted.is_crop:
        raise FacesetError(f"{face.name} is a crop, and {wanted.value} means a whole frame.")
    if wanted is own and size == face.width:
        original = face.jpeg()
        if not obstacles(original, face.name):
            return ConvertedFace(original, changed=False, enlarged=False, covered=1.0)
    matrix = conversion_matrix(face.record, face.width, wanted, size)
    if not np.isfinite(matrix).all():
        raise FacesetError(f"The landmarks of {face.name} cannot be aligned; remove that face.")
    picture = face.decode()
    if wanted is own:
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_LANCZOS4)
    else:
        picture = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LANCZOS4)
    encoded = _encode(cast(Image, picture), jpeg_quality)
    record = converted_record(face.record, matrix, wanted, size)
    record = record.replace(polygons=drawing_order(record.polygons))
    if face.record.face_type is None and wanted is own:
        record = record.replace(face_type=None)
    if wanted is not own:
        record = with_warped_mask(record, matrix, face.width, size, face.name)
    zoom = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return ConvertedFace(
        embed(encoded, record, name=face.name),
        changed=True,
        enlarged=zoom > 1.0,
        covered=covered_share(matrix, face.width, size),
    )


def with_warped_mask(
    record: FaceRecord, matrix: Transform, old_size: int, new_size: int, name: str
) -> FaceRecord:
    """The record with its stored mask brought to the new crop, whatever size the mask has."""
    if record.xseg_mask is None:
        return record
    mask = decode_xseg_mask(record.xseg_mask, name=name)
    height, width = mask.shape[:2]
    side = max(_MASK_SIZE, width, height)
    # Mask pixels to picture pixels, into the new crop, and to the pixels of the new mask.
    linear = matrix[:, :2].astype(np.float64) * (side / new_size)
    columns = linear * np.array([old_size / width, old_size / height])
    shift = matrix[:, 2:].astype(np.float64) * (side / new_size)
    to_mask = np.concatenate([columns, shift], axis=1)
    warped = cv2.warpAffine(mask[..., 0], to_mask, (side, side), flags=cv2.INTER_LANCZOS4)
    return record.replace(xseg_mask=encode_xseg_mask((warped > 0.5).astype(np.float32)))


def _encode(picture: Image, quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise FacesetError("A face could not be written as JPEG; choose a smaller size.")
    return encoded.tobytes()
