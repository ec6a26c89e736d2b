# pyright: strict
"""One face of a frame: what the networks are shown of it, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dflcolab.arrays import FloatImage, Image, Landmarks, Mask
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_type import FaceType
from dflcolab.imaging.back_projection import enlarged
from dflcolab.merging.boxes import as_float, box_of_crop, crop_from
from dflcolab.merging.options import CompositeOptions

ENLARGEMENT = 4
"""The mask is shaped at this multiple of the model's resolution, and super-resolution paints at it."""


@dataclass(frozen=True)
class Prediction:
    """What networks make of one face crop, each float32 in 0..1.

    Attributes:
        swap: The swapped face, `[n, n, 3]` BGR.
        swap_mask: Learned mask of the swapped face, `[n, n, 1]`.
        dst_mask: Learned mask of the dst face, `[n, n, 1]`.
        swap_xseg: XSeg mask of the swapped face, `[256, 256, 1]`; None where no option asks for it.
        dst_xseg: XSeg mask of the dst face, the same.
        enhanced: The swapped face four times as large, `[4n, 4n, 3]`, by a network of its own; None
            leaves enlarging to `imaging.back_projection`.
    """

    swap: FloatImage
    swap_mask: Mask
    dst_mask: Mask
    swap_xseg: Mask | None = None
    dst_xseg: Mask | None = None
    enhanced: FloatImage | None = None

    @property
    def size(self) -> int:
        """Side of the crop in pixels: the model's resolution."""
        return self.swap.shape[0]


@dataclass(frozen=True)
class FaceToMerge:
    """One face of a frame, ready to be put in.

    Attributes:
        landmarks: `[68, 2]`, frame pixels.
        prediction: What the model made of its crop.
        crop: The dst face as `face_crop` gave it, at the size that `working_size` says; None makes
            it anew.
        face_type: Extent of the crop, where models of several people differ; None: the usual one.
    """

    landmarks: Landmarks
    prediction: Prediction
    crop: FloatImage | None = None
    face_type: FaceType | None = None


def working_size(options: CompositeOptions, resolution: int) -> int:
    """Side of the crops in which the face is worked on: the model's, larger for super-resolution."""
    return resolution * ENLARGEMENT if options.super_resolution_power else resolution


def face_crop(frame: Image, landmarks: Landmarks, size: int, face_type: FaceType) -> FloatImage:
    """A face as its crop shows it.

    Args:
        frame: The dst frame.
        landmarks: `[68, 2]`, frame pixels.
        size: Side of the crop.
        face_type: Extent of the crop.

    Returns:
        `[size, size, 3]`, float32 BGR in 0..1; black where the crop leaves the frame.
    """
    matrix = alignment_matrix(landmarks, size, face_type)
    box = box_of_crop(matrix, size, frame)
    crop = crop_from(as_float(frame[box.slices]), box, matrix, size)
    return np.clip(crop, np.float32(0.0), np.float32(1.0), out=crop)


def swap_at(prediction: Prediction, power: int, size: int) -> FloatImage:
    """The swapped face at the working size.

    DFL interoperability notes, section 8.3, step 2.

    Args:
        prediction: The model's answer.
        power: `super_resolution_power`, percent of the sharply enlarged face.
        size: From `working_size`.
    """
    if not power:
        return prediction.swap
    sharp = prediction.enhanced
    if sharp is None:
        sharp = enlarged(prediction.swap, ENLARGEMENT)
    share = np.float32(power / 100.0)
    smooth = resized_picture(prediction.swap, size)
    mixed = smooth * (np.float32(1.0) - share) + sharp * share
    return np.clip(mixed, 0.0, 1.0).astype(np.float32, copy=False)


def resized_picture(picture: FloatImage, size: int) -> FloatImage:
    """A square picture at another size, linear; itself if it has that size."""
    if picture.shape[0] == size:
        return picture
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR).astype(
        np.float32, copy=False
    )
