import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.detection.detections import same_face
from dflcolab.detection.geometry import RotatedSquare, coverage, overlap, upright_angle

places = st.floats(-2000, 2000)


@given(places, places, st.floats(2, 3000), st.floats(-3.1, 3.1))
def test_a_square_maps_its_centre_to_the_middle_of_the_crop(x, y, side, angle):
    matrix = RotatedSquare(x, y, side, angle).matrix(256)

    middle = matrix @ (x, y, 1)

    assert middle == pytest.approx((128, 128), abs=1e-6 * (1 + 256 / side * 2000))


@pytest.mark.parametrize("degrees", [-170, -90, -30, 0, 45, 90, 179])
def test_the_crop_of_a_rolled_face_stands_upright(degrees):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    eyes_and_mouth = np.array([[-30.0, -20.0], [30.0, -20.0], [0.0, 40.0]]) @ turn.T + 300

    found = upright_angle(*eyes_and_mouth.astype(np.float32))
    crop = RotatedSquare(300, 300, 200, found).matrix(256)
    right_eye, left_eye, mouth = eyes_and_mouth @ crop[:, :2].T + crop[:, 2]

    assert found == pytest.approx(angle, abs=1e-5)
    assert right_eye[1] == pytest.approx(left_eye[1], abs=1e-3)
    assert right_eye[0] < mouth[0] < left_eye[0]
    assert mouth[1] > right_eye[1]


def test_on_a_profile_the_line_from_eyes_to_mouth_decides():
    # Eyes almost on one spot, their line tilted by 45 degrees; the mouth straight below.
    angle = upright_angle(
        np.array([0, 0], np.float32), np.array([2, 2], np.float32), np.array([1, 60], np.float32)
    )

    assert abs(math.degrees(angle)) < 5


def test_overlap_counts_shared_against_covered_area():
    first = np.array([0, 0, 10, 10], np.float32)
    second = np.array([5, 0, 15, 10], np.float32)
    inside = np.array([2, 2, 4, 4], np.float32)
    far = np.array([20, 20, 30, 30], np.float32)

    assert overlap(first, second) == pytest.approx(1 / 3)
    assert overlap(first, far) == 0
    assert coverage(first, inside) == 1
    assert same_face(first, inside)
    assert not same_face(first, far)


def test_near_squares_are_those_that_show_the_same():
    square = RotatedSquare(100, 100, 50, 0.0)

    assert square.near(RotatedSquare(101, 100, 50.5, 0.01), 0.03)
    assert not square.near(RotatedSquare(103, 100, 50, 0), 0.03)
    assert not square.near(RotatedSquare(100, 100, 60, 0), 0.03)
    assert not square.near(RotatedSquare(100, 100, 50, 0.2), 0.03)
    assert square.near(RotatedSquare(100, 100, 50, 2 * math.pi), 0.03)
