"""Masks from landmarks: what they cover, and that odd input does no harm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.faces.hull_masks import eye_mask, eyes_mouth_mask, hull_mask, mouth_mask
from tests.faces.sample_faces import faces, frontal_face


def test_the_hull_covers_eyes_nose_and_mouth_and_not_the_corners():
    face = frontal_face()
    mask = hull_mask(face, 240, 256)[..., 0]
    for x, y in face[27:].astype(int):
        assert mask[y, x] == 1
    assert mask[0, 0] == mask[0, -1] == mask[-1, 0] == mask[-1, -1] == 0


def test_raised_brows_make_the_hull_higher():
    face = frontal_face()
    areas = [hull_mask(face, 240, 256, eyebrows_expand=k).sum() for k in (0.0, 1.0, 3.0)]
    assert areas[0] < areas[1] < areas[2]


def test_eyes_and_mouth_are_soft_and_where_they_should_be():
    face = frontal_face()
    both = eyes_mouth_mask(face, 240, 256)
    assert 0.9 < both.max() <= 1.0
    assert ((both > 0.1) & (both < 0.9)).any()
    for part, points in ((eye_mask, face[36:48]), (mouth_mask, face[60:68])):
        mask = part(face, 240, 256)[..., 0]
        inside_x, inside_y = points[0].astype(int)
        assert mask[inside_y, inside_x] > 0.2
        assert mask[5, 5] == 0


@pytest.mark.parametrize("make", [hull_mask, eye_mask, mouth_mask, eyes_mouth_mask])
@given(faces(), st.integers(1, 70), st.integers(1, 70))
def test_masks_of_any_size_stay_between_zero_and_one(make, face, height, width):
    mask = make(face, height, width)
    assert mask.shape == (height, width, 1)
    assert mask.dtype == np.float32
    assert mask.min() >= 0
    assert mask.max() <= 1 + 1e-6


@pytest.mark.parametrize("far", [1e9, -1e30])
def test_landmarks_out_of_all_reason_are_harmless(far: float):
    face = frontal_face().astype(np.float64)
    face[3] = far
    assert np.isfinite(hull_mask(face, 64, 64)).all()
