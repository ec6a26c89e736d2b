# pyright: strict
"""One face put into its frame: its mask, its colors, blending, filters.

DFL interoperability notes, section 8.3. DeepFaceLab computes every step on the whole frame in
float; here each step covers only the box in which the mask is not zero, which changes nothing in
the result. Pictures are float32 BGR in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image, Landmarks, Mask, Transform
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.imaging.filters import reduce_colors
from dflcolab.merging.boxes import (
    CUBIC,
    Box,
    as_float,
    box_of_crop,
    box_of_mask,
    box_of_points,
    crop_from,
    inside_of,
    paste_from,
)
from dflcolab.merging.face import ENLARGEMENT, FaceToMerge, face_crop, swap_at, working_size
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
from dflcolab.merging.motion import Motion
from dflcolab.merging.options import ColorTransferMode, CompositeOptions, MaskMode, Mode
from dflcolab.merging.seamless import seamless_clone

_PALETTE = 256
"""Colors that `color_degrade_power` leaves."""


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


@dataclass(frozen=True)
class _Crops:
    """How the face's crops lie in the frame.

    Attributes:
        size: Side in which the face is worked on.
        inside: Which pixels of the dst face's crop lie in the frame, `[size, size]`.
        clear: Those of them that hold nothing of the black beyond the frame.
        to_crop: Frame to the dst face's crop of that size.
        to_paste: The same, scaled as `output_face_scale` asks.
        to_mask: The same at the size of the mask.
    """

    size: int
    inside: npt.NDArray[np.bool_]
    clear: npt.NDArray[np.bool_]
    to_crop: Transform
    to_paste: Transform
    to_mask: Transform


def composite_face(
    frame: Image,
    face: FaceToMerge,
    *,
    face_type: FaceType,
    options: CompositeOptions,
    motion: Motion,
) -> Patch:
    """One face put into its frame; arguments as for `composite_frame`. Not for `raw-predict`."""
    crops = _crops(frame, face, face_type, options)
    crop_mask = face_mask(frame, face, face_type=face_type, options=options)
    box = box_of_mask(crop_mask, crops.to_mask, frame)
    if options.mode is Mode.RAW_RGB:
        box = box.union(box_of_crop(crops.to_paste, crops.size, frame))
    elif changes_frame(options):
        box = Box(0, 0, frame.shape[1], frame.shape[0])
    if box.is_empty:
        return Patch(box, np.zeros((0, 0, 3), np.float32), np.zeros((0, 0), np.float32))
    mask = without_traces(clipped(paste_from(crop_mask, box, crops.to_mask)))
    original = as_float(frame[box.slices])
    if options.mode is Mode.ORIGINAL:
        return Patch(box, original, mask)
    if options.mode is Mode.RAW_RGB:
        swap = swap_at(face.prediction, options.super_resolution_power, crops.size)
        inside = paste_from(np.ones(swap.shape[:2], np.float32), box, crops.to_paste)
        shown = paste_from(swap, box, crops.to_paste)
        return Patch(box, clipped(blend(original, shown, inside)), mask)
    if not _is_large_enough(mask):
        return Patch(box, original, mask)
    place = Patch(box, original, mask)
    shown = face.crop
    if shown is None:
        shown = face_crop(frame, face.landmarks, crops.size, face_type)
    # What lies beyond the frame has no colors to compare with.
    area = (resized(crop_mask, crops.size) > 0) & crops.clear
    out = _pasted(frame, face, place, shown, area, crops, options)
    if _needs_second_pass(options):
        out = _filtered(frame, place, out, shown, area, crops, options, motion)
    if options.color_degrade_power:
        out = _with_fewer_colors(out, options.color_degrade_power)
    return Patch(box, out, mask)


def face_mask(
    frame: Image, face: FaceToMerge, *, face_type: FaceType, options: CompositeOptions
) -> Plane:
    """The mask of one face in its crop at four times the model's size, in 0..1. `[4n, 4n]`."""
    prediction = face.prediction
    size = working_size(options, prediction.size)

    def fitting(mask: Mask | None) -> Plane | None:
        return None if mask is None else resized(mask[..., 0], size)

    hull: Plane | None = None
    if options.mask_mode is MaskMode.DST:
        hull = _hull_in_crop(frame, face.landmarks, size, face_type)
    masks = FaceMasks(
        swap=resized(prediction.swap_mask[..., 0], size),
        dst=resized(prediction.dst_mask[..., 0], size),
        hull=hull,
        swap_xseg=fitting(prediction.swap_xseg),
        dst_xseg=fitting(prediction.dst_xseg),
    )
    found = resized(working_mask(options.mask_mode, masks), prediction.size * ENLARGEMENT)
    if options.mode.is_raw:
        return found
    return shaped(found, erode=options.erode_mask_modifier, blur=options.blur_mask_modifier)


def blend(below: FloatImage, above: FloatImage, mask: Plane) -> FloatImage:
    """`above` where the mask is 1, `below` where it is 0."""
    weight = mask[..., None]
    return (below * (np.float32(1.0) - weight) + above * weight).astype(np.float32, copy=False)


def clipped(fresh: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The values cut to 0..1, in place: only for arrays that nobody else holds."""
    return np.clip(fresh, np.float32(0.0), np.float32(1.0), out=fresh)


def _crops(
    frame: Image, face: FaceToMerge, face_type: FaceType, options: CompositeOptions
) -> _Crops:
    resolution = face.prediction.size
    size = working_size(options, resolution)
    scale = 1.0 + 0.01 * options.output_face_scale
    to_crop = alignment_matrix(face.landmarks, size, face_type)
    return _Crops(
        size=size,
        inside=inside_of(frame, to_crop, size, margin=0),
        clear=inside_of(frame, to_crop, size, margin=CUBIC),
        to_crop=to_crop,
        to_paste=alignment_matrix(face.landmarks, size, face_type, scale=scale),
        to_mask=alignment_matrix(face.landmarks, resolution * ENLARGEMENT, face_type, scale=scale),
    )


def _pasted(
    frame: Image,
    face: FaceToMerge,
    place: Patch,
    shown: FloatImage,
    area: npt.NDArray[np.bool_],
    crops: _Crops,
    options: CompositeOptions,
) -> FloatImage:
    """Steps 9 to 13: the face in its colors, blended over the frame inside the box."""
    swap = swap_at(face.prediction, options.super_resolution_power, crops.size)
    mode = options.mode
    if not mode.is_seamless:
        swap = transfer_color(options.color_transfer_mode, swap, shown, area=area)
    if mode is Mode.HIST_MATCH:
        swap = match_histogram(
            swap,
            shown,
            threshold=options.hist_match_threshold,
            area=area if options.masked_hist_match else None,
        )
    pasted = clipped(paste_from(swap, place.box, crops.to_paste))
    if mode.is_seamless:
        pasted = seamless_clone(pasted, frame[place.box.slices], place.mask)
    return blend(place.image, pasted, place.mask)


def _filtered(
    frame: Image,
    place: Patch,
    out: FloatImage,
    shown: FloatImage,
    area: npt.NDArray[np.bool_],
    crops: _Crops,
    options: CompositeOptions,
    motion: Motion,
) -> FloatImage:
    """Step 14: the face taken out of the merged frame again, changed in its crop and put back.

    DeepFaceLab's crop is black beyond the frame, and some of that comes back as a dark line where a
    face is cut by the frame's edge; here it continues the edge, but still counts as black.
    """
    wide = place.box.union(box_of_crop(crops.to_crop, crops.size, frame))
    merged = as_float(frame[wide.slices])
    merged[place.box.within(wide)] = out
    crop = crop_from(merged, wide, crops.to_crop, crops.size, continued=True)
    inside = crops.inside
    if options.mode.is_seamless:
        mode = options.color_transfer_mode
        crop = transfer_color(mode, crop, shown, area=area, shown=inside)
    if options.mode is Mode.SEAMLESS_HIST_MATCH:
        threshold = options.hist_match_threshold
        crop = match_histogram(crop, shown, threshold=threshold, area=inside, outside=0.0)
    crop = filter_face(crop, options, motion)
    background = degrade_frame(place.image, options)
    again = paste_from(crop, place.box, crops.to_crop, continued=True)
    return clipped(blend(background, again, place.mask))


def _needs_second_pass(options: CompositeOptions) -> bool:
    transfers = options.color_transfer_mode is not ColorTransferMode.NONE
    return (
        (options.mode.is_seamless and transfers)
        or options.mode is Mode.SEAMLESS_HIST_MATCH
        or options.motion_blur_power != 0
        or options.blursharpen_amount != 0
        or options.image_denoise_power != 0
        or options.bicubic_degrade_power != 0
    )


def _with_fewer_colors(picture: FloatImage, power: int) -> FloatImage:
    """Step 15: the picture mixed with itself in few colors, `power` percent of it."""
    few = reduce_colors(picture, _PALETTE)
    share = np.float32(power / 100.0)
    mixed = picture * (np.float32(1.0) - share) + few * share
    return mixed.astype(np.float32, copy=False)


def _hull_in_crop(frame: Image, landmarks: Landmarks, size: int, face_type: FaceType) -> Plane:
    """The hull drawn in the frame, as the crop shows it."""
    matrix = alignment_matrix(landmarks, size, face_type)
    # The hull is drawn on whole pixels of the frame, so the box must keep those positions.
    points = landmarks.astype(np.float32)
    reach = int(np.ptp(points[:, 1])) // 2 + 1 if points.size else 1
    box = box_of_crop(matrix, size, frame).union(box_of_points(points, frame))
    box = box.grown(reach, frame)  # Room for the brows, which the hull moves up.
    shift = np.array([box.left, box.top], np.float32)
    hull = hull_mask(np.trunc(points) - shift, box.height, box.width)
    return clipped(crop_from(hull, box, matrix, size)).reshape(size, size)


def _is_large_enough(mask: Plane) -> bool:
    """True if the visible mask spans at least five pixels each way."""
    visible = mask >= np.float32(0.1)
    columns = np.flatnonzero(visible.any(axis=0))
    rows = np.flatnonzero(visible.any(axis=1))
    if not columns.size:
        return False
    return bool(columns[-1] - columns[0] >= 4 and rows[-1] - rows[0] >= 4)
