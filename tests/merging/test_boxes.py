"""Warping only the part of a frame that a face covers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.boxes import (
    CUBIC,
    Box,
    as_float,
    box_of_crop,
    box_of_mask,
    crop_from,
    inside_of,
    paste_from,
)
from tests.merging.scenes import LANDMARKS, WHOLE, moved, noise_frame

# Moved boxes change coordinates in the last digit, and warps sample on a table of 1/32 pixel: a
# point on the border of two table cells may fall into the other one.
_CELL = 2.0 / 255.0


@pytest.mark.parametrize(
    "shift", [(0, 0), (-60, 0), (130, 40), (-250, -250)], ids=["inside", "left", "corner", "far"]
)
@pytest.mark.parametrize("face_type", [FaceType.HALF, FaceType.WHOLE, FaceType.HEAD])
def test_a_crop_from_the_box_is_the_crop_from_the_frame(face_type: FaceType, shift):
    frame = noise_frame()
    matrix = alignment_matrix(moved(LANDMARKS, shift), 96, face_type)
    expected = cv2.warpAffine(as_float(frame), matrix, (96, 96), flags=cv2.INTER_CUBIC)

    box = box_of_crop(matrix, 96, frame)
    found = crop_from(as_float(frame[box.slices]), box, matrix, 96)

    difference = np.abs(found - expected)
    assert difference.mean() < 1e-4
    assert difference.max() < _CELL


@pytest.mark.parametrize("shift", [(0, 0), (-60, 0), (130, 40)])
def test_a_paste_into_the_box_is_the_paste_into_the_frame(shift):
    frame = noise_frame()
    matrix = alignment_matrix(moved(LANDMARKS, shift), 128, FaceType.FULL)
    mask = np.zeros((128, 128), np.float32)
    cv2.circle(mask, (70, 60), 40, 1.0, -1)
    height, width = frame.shape[:2]
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(mask, matrix, (width, height), flags=flags)

    box = box_of_mask(mask, matrix, frame)
    found = np.zeros_like(expected)
    found[box.slices] = paste_from(mask, box, matrix)

    difference = np.abs(found - expected)
    assert difference.mean() < 1e-4
    assert not (difference[found == 0]).any()
    assert box.width * box.height < frame.shape[0] * frame.shape[1] / 3


def test_an_empty_mask_has_an_empty_box():
    frame = noise_frame()
    matrix = alignment_matrix(LANDMARKS, 64, FaceType.WHOLE)

    assert box_of_mask(np.zeros((64, 64), np.float32), matrix, frame).is_empty


def test_a_face_outside_the_frame_has_an_empty_box_and_a_black_crop():
    frame = noise_frame()
    matrix = alignment_matrix(moved(LANDMARKS, (5000, 0)), 64, FaceType.WHOLE)

    box = box_of_crop(matrix, 64, frame)

    assert box.is_empty
    assert not crop_from(as_float(frame[box.slices]), box, matrix, 64).any()


def test_the_union_with_an_empty_box_adds_nothing():
    box = Box(2, 3, 10, 12)

    assert box.union(Box(0, 0, 0, 0)) == box
    assert Box(0, 0, 0, 0).union(box) == box
    assert box.union(Box(0, 5, 4, 20)) == Box(0, 3, 10, 20)


@pytest.mark.parametrize("margin", [0.0, CUBIC])
def test_pixels_of_a_crop_that_lie_in_the_frame(margin: float):
    picture = np.ones((320, 420, 3), np.float32)
    for shift in ((0, 0), (-150, 40), (200, -160)):
        matrix = alignment_matrix(moved(LANDMARKS, shift), 64, WHOLE)
        shown = crop_from(picture, Box(0, 0, 420, 320), matrix, 64)[..., 0]

        inside = inside_of(picture, matrix, 64, margin=margin)

        if margin:  # Nothing of the black beyond is in them, not even through cubic interpolation.
            np.testing.assert_allclose(shown[inside], 1, atol=1e-5)
        else:
            assert (shown[~inside] <= 0.6).all()
        assert inside.mean() == pytest.approx((shown > 0.5).mean(), abs=0.05 if margin else 0.01)
