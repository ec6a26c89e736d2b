# pyright: strict
"""The mask of one face in its crop: chosen, grown or shrunk, softened.

DFL interoperability notes, section 8.3, steps 3 to 5. DeepFaceLab pads the mask by a quarter on
each side, filters, and cuts the padding off again. Since everything outside the crop is zero by
then, filtering the bare crop against a zero border gives the same numbers with less than half the
pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.merging.options import MaskMode

Plane = npt.NDArray[np.float32]
"""Mask without channel axis, `[H, W]`, float32 in 0..1: the form OpenCV works on."""

_FAINTEST = np.float32(1.0 / 255.0)
_SMALL_KERNEL = 12


@dataclass(frozen=True)
class FaceMasks:
    """The masks at hand for one face, all of one size. Those that nobody asks for may be None.

    Attributes:
        swap: Learned mask of the swapped face ("learned-prd").
        dst: Learned mask of the dst face ("learned-dst").
        hull: Hull of the landmarks.
        swap_xseg: XSeg mask of the swapped face ("XSeg-prd").
        dst_xseg: XSeg mask of the dst face ("XSeg-dst").
    """

    swap: Plane
    dst: Plane
    hull: Plane | None = None
    swap_xseg: Plane | None = None
    dst_xseg: Plane | None = None


def working_mask(mode: MaskMode, masks: FaceMasks) -> Plane:
    """The mask that a mode asks for, with traces under 1/255 removed.

    Raises:
        ValueError: A mask that the mode needs is missing.
    """
    if mode is MaskMode.FULL:
        return np.ones_like(masks.swap)
    if mode is MaskMode.LEARNED_EITHER:
        return without_traces(np.minimum(masks.swap + masks.dst, np.float32(1.0)))
    factors = {
        MaskMode.DST: (masks.hull,),
        MaskMode.LEARNED_PRD: (masks.swap,),
        MaskMode.LEARNED_DST: (masks.dst,),
        MaskMode.LEARNED_BOTH: (masks.swap, masks.dst),
        MaskMode.XSEG_PRD: (masks.swap_xseg,),
        MaskMode.XSEG_DST: (masks.dst_xseg,),
        MaskMode.XSEG_BOTH: (masks.swap_xseg, masks.dst_xseg),
        MaskMode.ALL: (masks.swap, masks.dst, masks.swap_xseg, masks.dst_xseg),
    }[mode]
    found: Plane | None = None
    for factor in factors:
        if factor is None:
            raise ValueError(f"mask mode {mode.value} needs a mask that is missing")
        found = factor if found is None else found * factor
    assert found is not None
    return without_traces(found)


def without_traces(mask: Plane) -> Plane:
    """A copy in which values under 1/255 are 0."""
    return np.where(mask < _FAINTEST, np.float32(0.0), mask)


def resized(mask: Plane, size: int) -> Plane:
    """The mask at another size, cubic; unchanged if it has that size. Values may leave 0..1."""
    if mask.shape[0] == size:
        return mask
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_CUBIC).astype(
        np.float32, copy=False
    )


def shaped(mask: Plane, *, erode: int, blur: int) -> Plane:
    """The mask shrunk (or grown) and softened inwards, in 0..1.

    Args:
        mask: `[S, S]`, the mask at four times the model's resolution.
        erode: Diameter in pixels of the ellipse that shrinks (positive) or grows (negative).
        blur: Size in pixels of the Gaussian kernel; the mask is first emptied within half of it
            along the border, so that it ends inside the crop.
    """
    # Only pixels that are not zero, or will not be, need the work.
    place = _reached(mask, max(-erode, 0) // 2 + blur // 2 + 2)
    part = mask[place]
    if erode > 0:
        part = erode_ellipse(part, erode)
    elif erode < 0:
        part = -erode_ellipse(-part, -erode, outside=0.0)
    margin = blur // 2
    if margin:
        inner = np.zeros_like(mask)
        inner[place] = part
        inner[:margin] = inner[-margin:] = 0.0
        inner[:, :margin] = inner[:, -margin:] = 0.0
        part = inner[place]
    if blur > 0:
        kernel = blur | 1
        part = cv2.GaussianBlur(part, (kernel, kernel), 0, borderType=cv2.BORDER_CONSTANT)
    found = np.zeros_like(mask)
    found[place] = np.clip(part, np.float32(0.0), np.float32(1.0))
    return found


def _reached(mask: Plane, reach: int) -> tuple[slice, slice]:
    """Rows and columns that hold values other than zero, and `reach` more on each side."""
    ends: list[slice] = []
    for axis in (1, 0):
        places = np.flatnonzero(mask.any(axis=axis))
        if not places.size:
            return slice(0, 1), slice(0, 1)
        ends.append(slice(max(int(places[0]) - reach, 0), int(places[-1]) + reach + 1))
    return ends[0], ends[1]


def erode_ellipse(mask: Plane, diameter: int, *, outside: float = 0.0) -> Plane:
    """Minimum over an elliptic neighborhood, with a constant outside of the picture.

    OpenCV visits every pixel of the ellipse, which takes seconds for the largest diameters that
    the merger allows. Here the rows of the ellipse are used from the narrowest to the widest, each
    made from the one before, so the time grows with the diameter and not with its square. The
    result is the same to the bit.

    Args:
        mask: `[H, W]`.
        diameter: Size of OpenCV's elliptic structuring element, at least 1.
        outside: Value of everything outside of the picture.
    """
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    if diameter < _SMALL_KERNEL:
        return cv2.erode(
            mask, ellipse, borderType=cv2.BORDER_CONSTANT, borderValue=(outside,) * 4
        ).astype(np.float32, copy=False)
    height, width = mask.shape
    anchor = diameter // 2
    spans = [np.flatnonzero(row) - anchor for row in ellipse]
    # Rows as (left, right) reach and the vertical offset, widest last.
    rows = sorted(
        (int(span[-1] - span[0]), int(-span[0]), int(span[-1]), dy - anchor)
        for dy, span in enumerate(spans)
        if span.size
    )
    border = diameter
    padded = cv2.copyMakeBorder(
        mask, border, border, border, border, cv2.BORDER_CONSTANT, value=(outside,) * 4
    ).astype(np.float32, copy=False)
    running = padded.copy()
    left = right = 0
    result = np.full_like(mask, np.inf)
    for _, reach_left, reach_right, dy in rows:
        while left < reach_left or right < reach_right:
            # The minimum over [-left, right] grows by at most its own length at each step.
            length = left + right + 1
            step_left = min(reach_left - left, length)
            step_right = min(reach_right - right, length)
            running = _grown(running, step_left, step_right)
            left, right = left + step_left, right + step_right
        row = running[border + dy : border + dy + height, border : border + width]
        cv2.min(result, row, dst=result)
    return result


def _grown(running: Plane, left: int, right: int) -> Plane:
    """Minimum of the picture and its copies moved by `left` and `right` columns."""
    grown = running.copy()
    if left > 0:
        cv2.min(grown[:, left:], running[:, :-left], dst=grown[:, left:])
    if right > 0:
        cv2.min(grown[:, :-right], running[:, right:], dst=grown[:, :-right])
    return grown
