"""From a face in a frame to its aligned picture and record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from dflcolab.arrays import Image, Landmarks
from dflcolab.detection.geometry import FloatArray
from dflcolab.detection.mesh import warp_smooth
from dflcolab.errors import FormatError
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.face_record import PROVENANCE_KEY, FaceRecord
from dflcolab.faces.face_type import FaceType


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face ready to be stored.

    Attributes:
        image: `[size, size, 3]` BGR; the whole frame for `mark_only`.
        record: Its metadata, in DeepFaceLab's terms.
    """

    image: Image
    record: FaceRecord


def align_face(
    frame: Image,
    landmarks: Landmarks,
    box: FloatArray,
    *,
    face_type: FaceType,
    size: int,
    source_filename: str,
    antialias: bool = True,
    provenance: Mapping[str, object] | None = None,
) -> AlignedFace:
    """Cut a face out of its frame.

    DFL interoperability notes, section 4.5: an affine warp with bilinear interpolation and black
    outside of the frame. The notes' rule that drops crops of more than four times the detector's
    box is not applied: it guards against wrong landmarks, which here the presence of the mesh does;
    and our box comes from the mesh itself.

    Args:
        frame: `[H, W, 3]` BGR.
        landmarks: `[68, 2]`, frame pixels.
        box: `[4]` left, top, right, bottom of the face, frame pixels.
        face_type: Extent of the crop.
        size: Side of the picture in pixels.
        source_filename: Name that the frame has or would have as a file, without folder.
        antialias: Average where the crop shrinks the frame by two or more; without it the picture
            equals DeepFaceLab's.
        provenance: Plain values for our own key of the record.

    Raises:
        FacesetError: The landmarks lie on one point.
    """
    extra = {} if provenance is None else {PROVENANCE_KEY: dict(provenance)}
    rect = np.trunc(box).astype(np.int64)
    if not face_type.is_crop:
        record = FaceRecord(
            face_type=face_type,
            landmarks=landmarks,
            source_filename=source_filename,
            source_rect=rect,
            source_landmarks=landmarks,
            extra=extra,
        )
        return AlignedFace(frame, record)
    matrix = alignment_matrix(landmarks, size, face_type)
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if antialias:
        image = warp_smooth(frame, matrix, size, scale)
    else:
        image = np.asarray(
            cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8
        )
    record = FaceRecord(
        face_type=face_type,
        landmarks=transform_points(landmarks, matrix),
        source_filename=source_filename,
        source_rect=rect,
        source_landmarks=landmarks,
        image_to_face_mat=matrix,
        extra=extra,
    )
    return AlignedFace(image, record)


def encode_jpeg(image: Image, quality: int) -> bytes:
    """A baseline JPEG file with JFIF header and without restart markers, as DeepFaceLab reads it.

    Raises:
        FormatError: The picture cannot be encoded (no pixels, or a side above 65,500).
    """
    try:
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        done, data = False, np.empty(0, np.uint8)
    if not done:
        raise FormatError(
            f"A picture of {image.shape[1]} x {image.shape[0]} pixels cannot be stored as JPEG; "
            "use smaller frames."
        )
    return data.tobytes()
