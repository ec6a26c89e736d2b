"""From one crop to another: the same as cutting the new crop from the frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import FacesetError
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.conversion import (
    between_crops,
    compose,
    conversion_matrix,
    converted_record,
    covered_share,
)
from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.face_type import FaceType
from tests.faces.sample_faces import frontal_face

CROPS = [kind for kind in FaceType if kind.is_crop]


def turned_face(angle: float, zoom: float, x: float, y: float) -> np.ndarray:
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    return transform_points(frontal_face(), [[c, -s, x], [s, c, y]])


def record_of(source: np.ndarray, kind: FaceType, size: int) -> FaceRecord:
    if kind is FaceType.MARK_ONLY:
        return FaceRecord(face_type=kind, landmarks=source, source_landmarks=source)
    matrix = alignment_matrix(source, size, kind)
    return FaceRecord(
        face_type=kind,
        landmarks=transform_points(source, matrix),
        source_landmarks=source,
        image_to_face_mat=matrix,
        polygons=(Polygon(True, transform_points(source[:5], matrix)),),
    )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(FaceType)),
    st.sampled_from(CROPS),
    st.floats(-3.1, 3.1),
    st.floats(0.3, 4.0),
    st.floats(-500, 2000),
    st.integers(64, 700),
    st.integers(64, 700),
)
def test_a_converted_crop_is_the_one_cut_from_the_frame(old, new, angle, zoom, x, size, new_size):
    if old is new:
        new = FaceType.HALF if old is not FaceType.HALF else FaceType.WHOLE
    source = turned_face(angle, zoom, x, 300.0)
    record = record_of(source, old, size)

    matrix = conversion_matrix(record, size, new, new_size)
    found = converted_record(record, matrix, new, new_size)

    cut = alignment_matrix(source, new_size, new)
    wanted = transform_points(source, cut)
    # Landmarks are stored as float32: a crop of a small face that is enlarged tenfold from pixels
    # far off the origin shows that rounding at most as a few hundredths of a pixel.
    np.testing.assert_allclose(found.landmarks, wanted, atol=0.05)
    np.testing.assert_allclose(found.image_to_face_mat, cut, rtol=1e-5, atol=1e-3)
    for polygon in found.polygons:
        np.testing.assert_allclose(polygon.points, wanted[:5], atol=0.05)
    assert found.face_type is new
    np.testing.assert_array_equal(found.source_landmarks, source)
    np.testing.assert_allclose(
        transform_points(record.landmarks, between_crops(source, old, size, new, new_size)),
        wanted,
        atol=0.05,
    )


@pytest.mark.parametrize("kind", list(FaceType))
def test_the_same_type_is_a_change_of_size_only(kind: FaceType):
    record = record_of(frontal_face(), kind, 100)
    matrix = conversion_matrix(record, 100, kind, 250)
    np.testing.assert_allclose(matrix, [[2.5, 0, 0], [0, 2.5, 0]])
    found = converted_record(record, matrix, kind, 250)
    np.testing.assert_allclose(found.landmarks, record.landmarks * 2.5, rtol=1e-6)
    assert (found.image_to_face_mat is None) == (kind is FaceType.MARK_ONLY)


def test_without_the_frames_landmarks_the_matrix_follows_the_picture():
    record = record_of(frontal_face(), FaceType.WHOLE, 100).replace(source_landmarks=None)
    matrix = conversion_matrix(record, 100, FaceType.FULL, 80)
    found = converted_record(record, matrix, FaceType.FULL, 80)
    np.testing.assert_allclose(
        found.image_to_face_mat, alignment_matrix(frontal_face(), 80, FaceType.FULL), atol=1e-3
    )
    bare = converted_record(record.replace(image_to_face_mat=None), matrix, FaceType.FULL, 80)
    assert bare.image_to_face_mat is None
    with pytest.raises(FacesetError, match="extract it again"):
        conversion_matrix(record, 100, FaceType.FULL_NO_ALIGN, 80)


def test_there_is_no_way_to_a_whole_frame():
    record = record_of(frontal_face(), FaceType.WHOLE, 100)
    with pytest.raises(ValueError, match="mark_only"):
        conversion_matrix(record, 100, FaceType.MARK_ONLY, 80)


def test_composing_is_one_after_the_other():
    first = [[0.5, -0.2, 7], [0.2, 0.5, -3]]
    second = [[2, 1, 0], [-1, 2, 40]]
    points = frontal_face()
    np.testing.assert_allclose(
        transform_points(points, compose(second, first)),
        transform_points(transform_points(points, first), second),
        rtol=1e-5,
    )


def test_the_share_that_is_covered_tells_cutting_from_growing():
    source = turned_face(0.4, 1.0, 0, 0)
    whole = record_of(source, FaceType.WHOLE, 256)
    inner = conversion_matrix(whole, 256, FaceType.FULL, 128)
    outer = conversion_matrix(whole, 256, FaceType.HEAD, 128)
    assert covered_share(inner, 256, 128) == pytest.approx(1.0, abs=1e-4)
    # The head's side is 2.98 units, the whole face's 2.131, and the latter lies inside of the
    # former but for its lower part.
    share = covered_share(outer, 256, 128)
    assert 0.4 < share <= (2.131 / 2.980) ** 2 + 1e-3
    assert covered_share(np.array([[1, 0, 900], [0, 1, 0]], np.float32), 256, 128) == 0.0
