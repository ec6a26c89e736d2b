# pyright: strict
"""What an XSeg network says of a dst face and of its swapped one.

DFL interoperability notes, section 8.3, step 3. DeepFaceLab shows the network crops of the swap
model's face type, whatever it was trained on. Here it sees the crops it knows: if the types differ,
the swapped face is first put into its surroundings, and the mask is moved back to the model's crop.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from dflcolab.arrays import FloatImage, Image, Landmarks, Mask, Transform
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.conversion import between_crops
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.boxes import as_float, box_of_crop, crop_from

SIDE = 256
"""Side of the crops and masks of an XSeg network."""


class Segmenter(Protocol):
    """A trained XSeg network."""

    @property
    def face_type(self) -> FaceType:
        """Extent of its crops."""
        ...

    @property
    def identity(self) -> str:
        """Text that changes when its weights change."""
        ...

    def predict(self, faces: FloatImage) -> Mask:
        """Masks of faces.

        Args:
            faces: `[B, 256, 256, 3]`, float32 BGR in 0..1.

        Returns:
            `[B, 256, 256, 1]` in 0..1; values below 0.1 are 0.
        """
        ...


def dst_crop(frame: Image, landmarks: Landmarks, face_type: FaceType) -> FloatImage:
    """The dst face as the network takes it.

    Args:
        frame: The dst frame.
        landmarks: `[68, 2]`, frame pixels.
        face_type: The network's.

    Returns:
        `[256, 256, 3]`, BGR; cubic, so values may leave 0..1 a little.
    """
    matrix = alignment_matrix(landmarks, SIDE, face_type)
    box = box_of_crop(matrix, SIDE, frame)
    return crop_from(as_float(frame[box.slices]), box, matrix, SIDE)


def swap_crop(
    swap: FloatImage,
    frame: Image,
    landmarks: Landmarks,
    *,
    model_type: FaceType,
    face_type: FaceType,
) -> FloatImage:
    """The swapped face as the network takes it, `[256, 256, 3]`.

    Args:
        swap: The prediction, `[n, n, 3]` BGR in 0..1.
        frame: The dst frame, which surrounds the face where the network looks further.
        landmarks: `[68, 2]`, frame pixels.
        model_type: Face type of the prediction.
        face_type: The network's.
    """
    if face_type is model_type:
        return _resized(swap)
    matrix = between_crops(landmarks, model_type, swap.shape[0], face_type, SIDE)
    around = dst_crop(frame, landmarks, face_type)
    inside = _moved(np.ones(swap.shape[:2], np.float32), matrix)[..., None]
    found = around * (np.float32(1.0) - inside) + _moved(swap, matrix)
    return found.astype(np.float32, copy=False)


def mask_in_model_crop(
    mask: Mask, landmarks: Landmarks, *, model_type: FaceType, face_type: FaceType
) -> Mask:
    """A mask of the network's crop as the model's crop shows it, `[256, 256, 1]`."""
    if face_type is model_type:
        return mask
    matrix = between_crops(landmarks, face_type, SIDE, model_type, SIDE)
    return np.clip(_moved(mask, matrix), np.float32(0.0), np.float32(1.0)).reshape(SIDE, SIDE, 1)


def _resized(picture: FloatImage) -> FloatImage:
    if picture.shape[0] == SIDE:
        return picture
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).astype(
        np.float32, copy=False
    )


def _moved(picture: FloatImage, matrix: Transform) -> FloatImage:
    """Zero where the picture does not reach."""
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR).astype(
        np.float32, copy=False
    )
