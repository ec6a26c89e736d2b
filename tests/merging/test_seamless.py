"""Blending by gradients against OpenCV's seamless clone, which DeepFaceLab calls."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dflcolab.imaging.poisson import solve_poisson
from dflcolab.merging.boxes import as_float
from dflcolab.merging.seamless import seamless_clone


def _soft_picture(seed: int, height: int, width: int, low: int, high: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 4)
    return cv2.normalize(soft, None, low, high, cv2.NORM_MINMAX)  # type: ignore[call-overload]


@pytest.mark.parametrize(("width", "height"), [(50, 62), (51, 62), (50, 61), (51, 61), (97, 150)])
def test_the_result_is_opencvs(width: int, height: int):
    shape = (height + 20, width + 20)
    face, below = _soft_picture(1, *shape, 0, 255), _soft_picture(2, *shape, 60, 190)
    mask = np.zeros(shape, np.float32)
    mask[10 : 10 + height, 10 : 10 + width] = cv2.resize(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (41, 41)), (width, height)
    )
    region = (mask > 0.5).astype(np.uint8) * 255
    left, top, across, down = cv2.boundingRect(region)
    center = (left + across // 2, top + down // 2)
    # OpenCV changes the mask that it is given.
    expected = cv2.seamlessClone(face, below, region.copy(), center, cv2.NORMAL_CLONE)

    found = np.rint(seamless_clone(as_float(face), below, mask) * 255)

    # Both cut off; OpenCV's own error lets values pass a whole number.
    difference = np.abs(found - expected)
    assert difference.max() <= 1
    assert difference.mean() < 0.02


def test_a_poisson_equation_is_solved():
    wanted = np.random.default_rng(0).standard_normal((33, 58, 3)).astype(np.float32)
    around = np.pad(wanted, ((1, 1), (1, 1), (0, 0)))
    neighbors = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]

    assert np.allclose(solve_poisson(neighbors - 4 * wanted), wanted, atol=1e-4)


def test_the_smallest_masks_leave_the_frame():
    face, below = _soft_picture(1, 9, 9, 0, 255), _soft_picture(2, 9, 9, 60, 190)
    for side in (1, 2, 3):
        mask = np.zeros((9, 9), np.float32)
        mask[:side, 3 : 3 + side] = 1.0

        assert np.array_equal(seamless_clone(as_float(face), below, mask), as_float(below))
