"""The crop follows the face, and every transform has its way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.errors import FacesetError
from dflcolab.faces.alignment import (
    alignment_matrix,
    invert_transform,
    rect_from_landmarks,
    transform_points,
    umeyama,
)
from dflcolab.faces.face_type import FaceType
from tests.faces.sample_faces import faces, frontal_face

CROPS = [kind for kind in FaceType if kind.is_crop]


@given(faces(), st.sampled_from(CROPS), st.integers(32, 1024))
def test_points_come_back_from_the_crop(face: np.ndarray, kind: FaceType, size: int):
    matrix = alignment_matrix(face, size, kind)
    there = transform_points(face, matrix)
    back = transform_points(there, matrix, invert=True)
    # float32 matrix and points: about 1e-6 of the coordinates on each way, times the zoom back.
    np.testing.assert_allclose(back, face, atol=0.02)


@given(faces(), st.sampled_from(CROPS))
def test_an_inverted_matrix_is_the_way_back(face: np.ndarray, kind: FaceType):
    matrix = alignment_matrix(face, 256, kind)
    there_and_back = invert_transform(matrix).astype(float)
    np.testing.assert_allclose(
        transform_points(transform_points(face, matrix), there_and_back), face, atol=0.02
    )


@given(faces(), st.sampled_from([kind for kind in CROPS if not kind.unrotated]))
def test_the_crop_turns_scales_and_moves_with_the_face(face: np.ndarray, kind: FaceType):
    aligned = transform_points(face, alignment_matrix(face, 256, kind))
    turned = face[:, ::-1] * np.float32([1, -1]) * 2 + 30  # a quarter turn, twice as large
    aligned_turned = transform_points(turned, alignment_matrix(turned, 256, kind))
    np.testing.assert_allclose(aligned, aligned_turned, atol=0.02)


@given(faces(), st.sampled_from(CROPS), st.floats(0.5, 2.0))
def test_scale_zooms_about_the_middle_of_the_crop(face: np.ndarray, kind: FaceType, scale: float):
    plain = transform_points(face, alignment_matrix(face, 256, kind)) - 128
    zoomed = transform_points(face, alignment_matrix(face, 256, kind, scale=scale)) - 128
    np.testing.assert_allclose(zoomed, plain * scale, atol=0.05)


@pytest.mark.parametrize(
    ("kind", "side"),
    [
        ("half_face", 1.0),
        ("midfull_face", 1.191),
        ("full_face", 1.597),
        ("whole_face", 2.131),
        ("head", 2.980),
    ],
)
def test_crops_have_the_documented_extent(kind: str, side: float):
    face = frontal_face(side=100)
    matrix = alignment_matrix(face, 256, FaceType.parse(kind))
    top = transform_points([(0, 0), (256, 0)], matrix, invert=True)
    assert np.linalg.norm(top[1] - top[0]) == pytest.approx(100 * side, rel=0.001)


def test_unrotated_crops_stay_upright():
    face = frontal_face()[:, ::-1]
    matrix = alignment_matrix(face, 128, FaceType.FULL_NO_ALIGN)
    assert matrix[0, 1] == 0
    assert matrix[1, 0] == 0
    assert matrix[0, 0] == matrix[1, 1] > 0


def test_the_box_of_a_face_surrounds_its_landmarks():
    left, top, right, bottom = rect_from_landmarks(frontal_face())
    inner = frontal_face()[17:]
    assert left < inner[:, 0].min() < inner[:, 0].max() < right
    assert top < inner[:, 1].min() < inner[:, 1].max() < bottom


@pytest.mark.parametrize("face", [np.zeros((68, 2)), np.full((68, 2), np.nan)])
def test_landmarks_without_extent_are_refused(face: np.ndarray):
    with pytest.raises(FacesetError, match="cannot be aligned"):
        alignment_matrix(face, 256, FaceType.WHOLE)


def test_whole_frames_have_no_matrix():
    with pytest.raises(ValueError, match="mark_only"):
        alignment_matrix(frontal_face(), 256, FaceType.MARK_ONLY)


@given(faces(), faces())
def test_a_fit_never_mirrors(source: np.ndarray, target: np.ndarray):
    mirrored = target * np.float32([-1, 1])
    fit = umeyama(source, mirrored)
    assert np.linalg.det(fit[:2, :2]) > 0


@given(faces(), st.floats(-3, 3), st.floats(0.1, 10))
def test_an_exact_similarity_is_found_again(face: np.ndarray, angle: float, scale: float):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    wanted = np.array([[c, -s, 12.0], [s, c, -7.0], [0, 0, 1]])
    points = face.astype(float)
    moved = points @ wanted[:2, :2].T + wanted[:2, 2]
    np.testing.assert_allclose(umeyama(points, moved), wanted, rtol=1e-6, atol=1e-6)


def test_points_that_coincide_have_no_fit():
    assert np.isnan(umeyama(np.ones((5, 2)), frontal_face()[:5])).all()
