"""Filters: shapes, neutral values, directions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.imaging.filters import (
    blursharpen,
    dilate,
    erode,
    gaussian_blur_auto,
    median_blur,
    motion_blur,
)

FILTERS = [
    lambda p: gaussian_blur_auto(p, 5),
    lambda p: erode(p, 4),
    lambda p: dilate(p, 4),
    lambda p: median_blur(p, 15),
    lambda p: blursharpen(p, 1, 3, 5),
    lambda p: blursharpen(p, 2, 4, 5),
    lambda p: motion_blur(p, 7, 30),
]


@pytest.mark.parametrize("apply", FILTERS)
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3)])
def test_the_form_of_a_picture_stays(apply, shape: tuple[int, ...]):
    picture = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    before = picture.copy()
    found = apply(picture)
    assert found.shape == shape
    assert found.dtype == np.float32
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("apply", FILTERS)
def test_a_flat_picture_stays_flat(apply):
    flat = np.full((20, 30, 3), 0.5, np.float32)
    np.testing.assert_allclose(apply(flat), flat, atol=1e-5)


def test_neutral_amounts_change_nothing():
    picture = np.random.default_rng(0).uniform(size=(9, 9, 3)).astype(np.float32)
    for found in (
        erode(picture, 0),
        blursharpen(picture, 1, 3, 0),
        blursharpen(picture, 0, 3, 50),
        gaussian_blur_auto(picture, 1),
        motion_blur(picture, 1, 77),
    ):
        np.testing.assert_array_equal(found, picture)


@given(st.integers(1, 15))
def test_erosion_shrinks_and_a_negative_one_grows(size: int):
    mask = np.zeros((64, 64, 1), np.float32)
    mask[20:44, 20:44] = 1
    assert erode(mask, size).sum() <= mask.sum() <= erode(mask, -size).sum()
    np.testing.assert_array_equal(dilate(mask, size), erode(mask, -size))


def test_a_horizontal_motion_blur_runs_along_the_row():
    dot = np.zeros((21, 21), np.float32)
    dot[10, 10] = 1
    row = motion_blur(dot, 9, 0)
    assert np.count_nonzero(row) == np.count_nonzero(row[10]) == 9
    column = motion_blur(dot, 9, 90)
    assert column[:, 10].sum() == pytest.approx(1, abs=1e-4)


def test_an_unknown_sharpening_is_refused():
    with pytest.raises(ValueError, match="mode 3"):
        blursharpen(np.zeros((4, 4, 3), np.float32), 3, 3, 1)
