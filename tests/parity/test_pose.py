"""Pitch, yaw and roll, against DeepFaceLab's."""

from __future__ import annotations

import pytest

from dflcolab.faces.pose import averaged_yaw, chin_pitch, pose
from tests.parity.vector_cases import Entry, entry_params


def name_of(index: str, case: dict) -> str:
    return f"{index}-{case.get('src', '')}".replace("/", "-")


@pytest.mark.parametrize("case", entry_params("imaging", "pose", "pose*.json", name=name_of))
def test_the_heads_pose_is_deepfacelabs(case: Entry):
    value = case.value
    landmarks = value["landmarks"]
    # Different versions of the solver stop within 1e-4 of each other.
    assert pose(landmarks, value["size"]) == pytest.approx(
        (value["pitch"], value["yaw"], value["roll"]), abs=1e-3
    )
    if "averaged_yaw" in value:
        assert averaged_yaw(landmarks) == pytest.approx(value["averaged_yaw"], abs=1e-6)
    if "face_pitch_chin" in value:
        assert chin_pitch(landmarks) == pytest.approx(value["face_pitch_chin"], abs=1e-6)
