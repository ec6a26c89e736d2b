# pyright: strict
"""One frame with its faces replaced, from predictions and masks.

8-bit values are **truncated**, as DeepFaceLab does, not rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.boxes import EMPTY_BOX, as_float
from dflcolab.merging.face import FaceToMerge, swap_at, working_size
from dflcolab.merging.face_mask import resized
from dflcolab.merging.motion import STILL, Motion
from dflcolab.merging.options import CompositeOptions, Mode
from dflcolab.merging.patch import blend, clipped, composite_face, face_mask


def composite_frame(
    frame: Image,
    faces: Sequence[FaceToMerge],
    *,
    face_type: FaceType,
    options: CompositeOptions,
    motion: Motion = STILL,
    resolution: int = 0,
) -> tuple[Image, npt.NDArray[np.uint8]]:
    """A frame with all its faces replaced.

    Each face starts from the original frame; they are combined in the given order. Pixels that no
    face reaches keep their value exactly (unless `image_denoise_power` or
    `bicubic_degrade_power` change the whole frame).

    Args:
        frame: The dst frame.
        faces: Its faces, in the order of their file names; none gives the frame back.
        face_type: The model's face type, for faces that do not state their own.
        options: The look.
        motion: How far and where the face moves around this frame, for motion blur.
        resolution: The model's resolution; only needed for `raw-predict` of a frame without faces.

    Returns:
        The merged picture and its mask `[H, W]`, both uint8. In the mode `raw-predict` they have
        the model's size (four times it with super-resolution) and show the first face.
    """
    if options.mode is Mode.RAW_PREDICT:
        return _raw_prediction(faces, face_type, options, frame, resolution)
    patches = [
        composite_face(
            frame, face, face_type=face.face_type or face_type, options=options, motion=motion
        )
        for face in faces
    ]
    patches = [patch for patch in patches if not patch.box.is_empty]
    image = frame.copy()
    mask = np.zeros(frame.shape[:2], np.uint8)
    region = EMPTY_BOX
    for patch in patches:
        region = region.union(patch.box)
    if region.is_empty:
        return image, mask
    total = as_float(frame[region.slices])
    total_mask = np.zeros(total.shape[:2], np.float32)
    for i, patch in enumerate(patches):
        place = patch.box.within(region)
        # The first face brings its whole picture, later ones only what their mask shows.
        total[place] = blend(total[place], patch.image, patch.mask) if i else patch.image
        total_mask[place] += patch.mask
    image[region.slices] = truncated(total)
    mask[region.slices] = truncated(np.minimum(total_mask, np.float32(1.0)))
    return image, mask


def truncated(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Values 0..1 as 8 bits, cut off rather than rounded."""
    return (values * np.float32(255.0)).astype(np.uint8)


def _raw_prediction(
    faces: Sequence[FaceToMerge],
    face_type: FaceType,
    options: CompositeOptions,
    frame: Image,
    resolution: int,
) -> tuple[Image, npt.NDArray[np.uint8]]:
    if not faces:
        size = working_size(options, resolution)
        return np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)
    first = faces[0]
    size = working_size(options, first.prediction.size)
    own_type = first.face_type or face_type
    mask = resized(face_mask(frame, first, face_type=own_type, options=options), size)
    swap = swap_at(first.prediction, options.super_resolution_power, size)
    return truncated(swap), truncated(clipped(mask.copy()))
