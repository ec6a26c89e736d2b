# pyright: strict
"""One frame with its faces replaced, from predictions and masks.

DFL interoperability notes, section 8.3. DeepFaceLab computes every step on the whole frame in
float; here each step covers only the box in which the mask is not zero, which changes nothing in
the result. Pictures are float32 BGR in 0..1 inside, and 8-bit values are **truncated**, as
DeepFaceLab does, not rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image, Landmarks, Mask, Transform
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.merging.boxes import (
    EMPTY_BOX,
    Box,
    as_float,
    box_of_crop,
    box_of_mask,
    box_of_points,
    crop_from,
    paste_from,
)
from dflcolab.merging.config import ColorTransferMode, CompositeOptions, MaskMode, Mode
from dflcolab.merging.face_colors import match_histogram, transfer_color
from dflcolab.merging.face_filters import changes_frame, degrade_frame, filter_face
from dflcolab.merging.face_mask import (
    FaceMasks,
    Plane,
    resized,
    shaped,
    without_traces,
    working_mask,
)
from dflcolab.merging.motion import STILL, Motion
from dflcolab.merging.seamless import seamless_clone

MASK_SCALE = 4
"""The mask is shaped at this multiple of the model's resolution."""


@dataclass(frozen=True)
class Prediction:
    """What a model makes of one face crop, each float32 in 0..1.

    Attributes:
        swap: The swapped face, `[n, n, 3]` BGR.
        swap_mask: Learned mask of the swapped face, `[n, n, 1]`.
        dst_mask: Learned mask of the dst face, `[n, n, 1]`.
    """

    swap: FloatImage
    swap_mask: Mask
    dst_mask: Mask

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
        crop: The crop itself, as `face_input` gave it; None computes it anew.
    """

    landmarks: Landmarks
    prediction: Prediction
    crop: FloatImage | None = None


@dataclass(frozen=True)
class Patch:
    """A replaced face and its mask, inside a box of the frame.

    Attributes:
        box: Where in the frame; empty if nothing is to be replaced.
        image: `[h, w, 3]`, float32 BGR, the face already blended over the frame.
        mask: `[h, w]`, float32.
    """

    box: Box
    image: FloatImage
    mask: Plane


def face_input(frame: Image, landmarks: Landmarks, size: int, face_type: FaceType) -> FloatImage:
    """The crop that the model is asked about.

    Args:
        frame: The dst frame.
        landmarks: `[68, 2]`, frame pixels.
        size: The model's resolution.
        face_type: The model's face type.

    Returns:
        `[size, size, 3]`, float32 BGR in 0..1; black where the crop leaves the frame.
    """
    matrix = alignment_matrix(landmarks, size, face_type)
    box = box_of_crop(matrix, size, frame)
    return _clipped(crop_from(as_float(frame[box.slices]), box, matrix, size))


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
        face_type: The model's face type.
        options: The look.
        motion: How far and where the face moves around this frame, for motion blur.
        resolution: The model's resolution; only needed for `raw-predict` of a frame without faces.

    Returns:
        The merged picture and its mask `[H, W]`, both uint8. In the mode `raw-predict` they have
        the model's size and show the first face.
    """
    if options.mode is Mode.RAW_PREDICT:
        return _raw_prediction(faces, face_type, options, frame, resolution)
    patches = [
        composite_face(frame, face, face_type=face_type, options=options, motion=motion)
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
        total[place] = _blend(total[place], patch.image, patch.mask) if i else patch.image
        total_mask[place] += patch.mask
    image[region.slices] = truncated(total)
    mask[region.slices] = truncated(np.minimum(total_mask, np.float32(1.0)))
    return image, mask


def composite_face(
    frame: Image,
    face: FaceToMerge,
    *,
    face_type: FaceType,
    options: CompositeOptions,
    motion: Motion = STILL,
) -> Patch:
    """One face put into its frame, as a patch (see `composite_frame`; not for `raw-predict`)."""
    prediction, landmarks = face.prediction, face.landmarks
    size = prediction.size
    scale = 1.0 + 0.01 * options.output_face_scale
    to_mask = alignment_matrix(landmarks, size * MASK_SCALE, face_type, scale=scale)
    crop_mask = face_mask(frame, face, face_type=face_type, options=options)
    to_paste = alignment_matrix(landmarks, size, face_type, scale=scale)
    box = box_of_mask(crop_mask, to_mask, frame)
    if options.mode is Mode.RAW_RGB:
        box = box.union(box_of_crop(to_paste, size, frame))
    elif changes_frame(options):
        box = Box(0, 0, frame.shape[1], frame.shape[0])
    if box.is_empty:
        return Patch(box, np.zeros((0, 0, 3), np.float32), np.zeros((0, 0), np.float32))
    mask = without_traces(_clipped(paste_from(crop_mask, box, to_mask)))
    original = as_float(frame[box.slices])
    if options.mode is Mode.ORIGINAL:
        return Patch(box, original, mask)
    if options.mode is Mode.RAW_RGB:
        inside = paste_from(np.ones((size, size), np.float32), box, to_paste)
        shown = paste_from(prediction.swap, box, to_paste)
        return Patch(box, _clipped(_blend(original, shown, inside)), mask)
    if not _is_large_enough(mask):
        return Patch(box, original, mask)
    return _blended(
        frame, face, Patch(box, original, mask), crop_mask, to_paste, face_type, options, motion
    )


def face_mask(
    frame: Image, face: FaceToMerge, *, face_type: FaceType, options: CompositeOptions
) -> Plane:
    """The mask of one face in its crop at four times the model's size, in 0..1. `[4n, 4n]`."""
    prediction, landmarks = face.prediction, face.landmarks
    size = prediction.size
    hull: Mask | None = None
    if options.mask_mode is MaskMode.DST:
        hull = _hull_in_crop(frame, landmarks, size, face_type)
    masks = FaceMasks(hull=hull, swap=prediction.swap_mask, dst=prediction.dst_mask)
    found = resized(working_mask(options.mask_mode, masks), size * MASK_SCALE)
    if options.mode.is_raw:
        return found
    return shaped(found, erode=options.erode_mask_modifier, blur=options.blur_mask_modifier)


def truncated(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Values 0..1 as 8 bits, cut off rather than rounded."""
    return (values * np.float32(255.0)).astype(np.uint8)


def _blended(
    frame: Image,
    face: FaceToMerge,
    place: Patch,
    crop_mask: Plane,
    to_paste: Transform,
    face_type: FaceType,
    options: CompositeOptions,
    motion: Motion,
) -> Patch:
    """Steps 9 to 14: colors, pasting, gradients, filters."""
    size = face.prediction.size
    to_crop = alignment_matrix(face.landmarks, size, face_type)
    shown = face.crop
    if shown is None:
        shown = face_input(frame, face.landmarks, size, face_type)
    area = resized(crop_mask, size) > 0
    swap = face.prediction.swap
    mode = options.mode
    if not mode.is_seamless:
        swap = transfer_color(options.color_transfer_mode, swap, shown, area)
    if mode is Mode.HIST_MATCH:
        swap = match_histogram(
            swap,
            shown,
            threshold=options.hist_match_threshold,
            area=area if options.masked_hist_match else None,
        )
    box, original, mask = place.box, place.image, place.mask
    pasted = _clipped(paste_from(swap, box, to_paste))
    if mode.is_seamless:
        pasted = seamless_clone(pasted, frame[box.slices], mask)
    out = _blend(original, pasted, mask)
    if not _needs_second_pass(options):
        return Patch(box, out, mask)

    # The face is taken out of the merged frame again, changed in its crop and put back.
    wide = box.union(box_of_crop(to_crop, size, frame))
    merged = as_float(frame[wide.slices])
    merged[box.within(wide)] = out
    crop = crop_from(merged, wide, to_crop, size)
    if mode.is_seamless:
        crop = transfer_color(options.color_transfer_mode, crop, shown, area)
    if mode is Mode.SEAMLESS_HIST_MATCH:
        crop = match_histogram(crop, shown, threshold=options.hist_match_threshold, area=None)
    crop = filter_face(crop, options, motion)
    background = degrade_frame(original, options)
    again = paste_from(crop, box, to_crop)
    return Patch(box, _clipped(_blend(background, again, mask)), mask)


def _needs_second_pass(options: CompositeOptions) -> bool:
    transfers = options.color_transfer_mode is not ColorTransferMode.NONE
    return (
        (options.mode.is_seamless and transfers)
        or options.mode is Mode.SEAMLESS_HIST_MATCH
        or options.motion_blur_power != 0
        or options.blursharpen_amount != 0
        or changes_frame(options)
    )


def _hull_in_crop(frame: Image, landmarks: Landmarks, size: int, face_type: FaceType) -> Mask:
    """The hull drawn in the frame, as the crop shows it."""
    matrix = alignment_matrix(landmarks, size, face_type)
    # The hull is drawn on whole pixels of the frame, so the box must keep those positions.
    points = landmarks.astype(np.float32)
    reach = int(np.ptp(points[:, 1])) // 2 + 1 if points.size else 1
    box = box_of_crop(matrix, size, frame).union(box_of_points(points, frame))
    box = box.grown(reach, frame)  # Room for the brows, which the hull moves up.
    shift = np.array([box.left, box.top], np.float32)
    hull = hull_mask(np.trunc(points) - shift, box.height, box.width)
    return _clipped(crop_from(hull, box, matrix, size)).reshape(size, size, 1)


def _raw_prediction(
    faces: Sequence[FaceToMerge],
    face_type: FaceType,
    options: CompositeOptions,
    frame: Image,
    resolution: int,
) -> tuple[Image, npt.NDArray[np.uint8]]:
    if not faces:
        return np.zeros((resolution, resolution, 3), np.uint8), np.zeros(
            (resolution, resolution), np.uint8
        )
    first = faces[0]
    mask = face_mask(frame, first, face_type=face_type, options=options)
    small = resized(mask, first.prediction.size)
    return truncated(first.prediction.swap), truncated(_clipped(small))


def _is_large_enough(mask: Plane) -> bool:
    """True if the visible mask spans at least five pixels each way."""
    visible = mask >= np.float32(0.1)
    columns = np.flatnonzero(visible.any(axis=0))
    rows = np.flatnonzero(visible.any(axis=1))
    if not columns.size:
        return False
    return bool(columns[-1] - columns[0] >= 4 and rows[-1] - rows[0] >= 4)


def _blend(below: FloatImage, above: FloatImage, mask: Plane) -> FloatImage:
    """`above` where the mask is 1, `below` where it is 0."""
    weight = mask[..., None]
    return (below * (np.float32(1.0) - weight) + above * weight).astype(np.float32, copy=False)


def _clipped(fresh: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The values cut to 0..1, in place: only for arrays that nobody else holds."""
    return np.clip(fresh, np.float32(0.0), np.float32(1.0), out=fresh)
