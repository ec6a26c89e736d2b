"""Known poses are found again, with DeepFaceLab's signs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.faces.geometry import table
from dflcolab.faces.landmarks import averaged_yaw, mirror_landmarks
from dflcolab.faces.pose import pose

SIZE = 256


def seen(pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Landmarks of the 3-D model in this pose, as a camera of the solver's kind sees them."""
    rotation = np.eye(3)
    for axis, angle in (((1, 0, 0), -pitch), ((0, 1, 0), yaw), ((0, 0, 1), roll)):
        rotation = cv2.Rodrigues(np.array(axis, float) * angle)[0] @ rotation
    model = table("model_3d_68")
    points = (model - model.mean(axis=0)) @ rotation.T
    points[:, 2] += 3 * np.ptp(model[:, 0])
    return SIZE * points[:, :2] / points[:, 2:] + SIZE / 2


angles = st.floats(-0.6, 0.6)


@settings(deadline=None)
@given(angles, angles, angles)
def test_a_known_pose_is_found(pitch: float, yaw: float, roll: float):
    # float32 landmarks limit the solver to about 1e-4.
    assert pose(seen(pitch, yaw, roll), SIZE) == pytest.approx((pitch, yaw, roll), abs=2e-3)


def test_positive_yaw_points_the_nose_to_the_pictures_left():
    straight, turned = seen(), seen(yaw=0.4)
    assert turned[30, 0] - turned[[0, 16], 0].mean() < straight[30, 0] - straight[[0, 16], 0].mean()
    assert averaged_yaw(turned) > averaged_yaw(straight)


def test_positive_pitch_looks_up():
    straight, turned = seen(), seen(pitch=0.4)
    assert turned[30, 1] - turned[[0, 16], 1].mean() < straight[30, 1] - straight[[0, 16], 1].mean()


def test_a_mirrored_face_has_the_opposite_yaw_and_roll():
    face = seen(0.1, 0.3, 0.2)
    found, mirrored = pose(face, SIZE), pose(mirror_landmarks(face, SIZE + 1), SIZE)
    # The model itself is not quite symmetric.
    assert mirrored == pytest.approx((found.pitch, -found.yaw, -found.roll), abs=0.05)
