# pyright: strict
"""Working in the part of a frame that a face covers.

A merge at 1080p touches some tenths of the frame. All warps between frame and crop go through
these functions, which read and write only the box that the crop covers; the numbers are those of
the same warp over the whole frame.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image, Transform
from dflcolab.faces.alignment import invert_transform, transform_points

_REACH = 3
"""Pixels a cubic interpolation may look beyond a point, with one for rounding."""

CUBIC = 2.5
"""Pixels that a cubic interpolation mixes on each side of a point."""


class Box(NamedTuple):
    """Pixels `left <= x < right`, `top <= y < bottom` of a frame."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return max(self.right - self.left, 0)

    @property
    def height(self) -> int:
        return max(self.bottom - self.top, 0)

    @property
    def is_empty(self) -> bool:
        return self.width == 0 or self.height == 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index a picture with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def union(self, other: Box) -> Box:
        """The smallest box that holds both; an empty one adds nothing."""
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def grown(self, margin: int, frame: npt.NDArray[np.generic]) -> Box:
        """The box with a margin, cut to the frame."""
        return Box(
            max(self.left - margin, 0),
            max(self.top - margin, 0),
            min(self.right + margin, frame.shape[1]),
            min(self.bottom + margin, frame.shape[0]),
        )

    def within(self, outer: Box) -> tuple[slice, slice]:
        """Rows and columns of this box in a picture that shows `outer`."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )


EMPTY_BOX = Box(0, 0, 0, 0)


def box_of_points(points: npt.NDArray[np.float32], frame: npt.NDArray[np.generic]) -> Box:
    """The box around points `[N, 2]` with the reach of an interpolation, cut to the frame."""
    height, width = frame.shape[:2]
    low = np.clip(np.floor(points.min(axis=0)) - _REACH, 0, (width, height))
    high = np.clip(np.ceil(points.max(axis=0)) + _REACH + 1, 0, (width, height))
    return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def box_of_crop(matrix: Transform, size: int, frame: npt.NDArray[np.generic]) -> Box:
    """The part of the frame that a crop of `size` pixels shows."""
    corners = [(-1, -1), (size, -1), (size, size), (-1, size)]
    return box_of_points(transform_points(corners, matrix, invert=True), frame)


def box_of_mask(
    mask: npt.NDArray[np.float32], matrix: Transform, frame: npt.NDArray[np.generic]
) -> Box:
    """The part of the frame that the non-zero pixels of a crop's mask can reach."""
    columns = np.flatnonzero(mask.any(axis=0))
    rows = np.flatnonzero(mask.any(axis=1))
    if not columns.size:
        return EMPTY_BOX
    # A mask pixel spreads over two pixels of the crop on each side when it is interpolated.
    left, right = columns[0] - 2.0, columns[-1] + 2.0
    top, bottom = rows[0] - 2.0, rows[-1] + 2.0
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return box_of_points(transform_points(corners, matrix, invert=True), frame)


_AS_FLOAT = np.arange(256, dtype=np.float32) / np.float32(255.0)


def as_float(picture: Image) -> FloatImage:
    """8-bit values as float32 in 0..1, in a picture of its own."""
    if not picture.size:
        return np.zeros(picture.shape, np.float32)
    return cv2.LUT(picture, _AS_FLOAT).astype(np.float32, copy=False)


def crop_from(
    picture: FloatImage, box: Box, matrix: Transform, size: int, *, continued: bool = False
) -> FloatImage:
    """Warp into a crop of `size` from a picture that shows `box` of the frame.

    Cubic interpolation; values may leave 0..1.

    Args:
        picture: The frame inside of the box.
        box: Must hold all that the crop shows of the frame.
        matrix: Frame to crop.
        size: Side of the crop.
        continued: Beyond the frame, the crop shows the colors of its edge; else black.
    """
    if box.is_empty:
        return np.zeros((size, size, picture.shape[2]), np.float32)
    return cv2.warpAffine(
        picture,
        _moved(matrix, box),
        (size, size),
        flags=cv2.INTER_CUBIC,
        borderMode=_BORDERS[continued],
    ).astype(np.float32, copy=False)


def inside_of(
    frame: npt.NDArray[np.generic], matrix: Transform, size: int, *, margin: float
) -> npt.NDArray[np.bool_]:
    """Which pixels of a crop of `size` lie in the frame, `[size, size]`.

    Args:
        frame: The frame.
        matrix: Frame to crop.
        size: Side of the crop.
        margin: Pixels of the frame along its edge that do not count; `CUBIC` leaves those whose
            interpolated values hold nothing of the black beyond.
    """
    height, width = frame.shape[:2]
    low, high = margin - 0.5, (width - margin - 0.5, height - margin - 0.5)
    corners = transform_points([(0, 0), (size, 0), (size, size), (0, size)], matrix, invert=True)
    if ((corners >= low) & (corners <= high)).all():
        return np.ones((size, size), np.bool_)
    column = np.arange(size, dtype=np.float32)
    found = np.ones((size, size), np.bool_)
    for (by_x, by_y, shift), end in zip(invert_transform(matrix), high, strict=True):
        place = by_x * column + (by_y * column + shift)[:, None]  # along one axis of the frame
        found &= (place > low) & (place < end)
    return found


def paste_from(
    crop: npt.NDArray[np.float32], box: Box, matrix: Transform, *, continued: bool = False
) -> npt.NDArray[np.float32]:
    """Warp a crop back to the frame, as seen in `box`.

    Cubic interpolation; values may leave 0..1. A crop without channel axis gives a plane.

    Args:
        crop: What is shown.
        box: Part of the frame to fill.
        matrix: Frame to crop.
        continued: Beyond the crop, the colors of its border go on; else zero.
    """
    return cv2.warpAffine(
        crop,
        _moved(matrix, box),
        (box.width, box.height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=_BORDERS[continued],
    ).astype(np.float32, copy=False)


_BORDERS = {False: cv2.BORDER_CONSTANT, True: cv2.BORDER_REPLICATE}


def _moved(matrix: Transform, box: Box) -> npt.NDArray[np.float64]:
    """The matrix for pixels counted from the corner of the box."""
    moved = matrix.astype(np.float64)
    moved[:, 2] += moved[:, :2] @ (box.left, box.top)
    return moved
