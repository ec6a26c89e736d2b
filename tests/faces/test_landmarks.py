"""Landmark groups, mirroring, and the reduction from 98 points."""

from __future__ import annotations

import importlib.resources
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.faces import landmarks as groups
from dflcolab.faces.landmarks import averaged_yaw, landmarks_from_98, mirror_landmarks
from tests.faces.sample_faces import faces, frontal_face


def group_table() -> dict:
    folder = importlib.resources.files("dflcolab.assets") / "geometry"
    return json.loads((folder / "landmark_groups.json").read_text())


@given(faces(), st.integers(1, 8000))
def test_mirroring_twice_changes_nothing(face: np.ndarray, width: int):
    # Coordinates up to 8000 in float32 are exact to 5e-4.
    np.testing.assert_allclose(
        mirror_landmarks(mirror_landmarks(face, width), width), face, atol=2e-3
    )


@given(faces())
def test_a_mirrored_face_looks_the_other_way(face: np.ndarray):
    assert averaged_yaw(mirror_landmarks(face, 500)) == pytest.approx(-averaged_yaw(face), abs=0.01)


def test_mirroring_swaps_the_pairs_of_the_table():
    table = group_table()
    order = groups.MIRROR_ORDER.tolist()
    for a, b in table["mirror_swaps"]:
        assert (order[a], order[b]) == (b, a)
    assert [i for i in range(68) if order[i] == i] == table["mirror_fixed"]


def test_groups_agree_with_the_table():
    for name, (start, stop) in group_table()["groups_half_open_ranges"].items():
        attribute = {"mouth": "MOUTH", "inner_mouth": "INNER_LIPS"}.get(name, name.upper())
        found = getattr(groups, attribute)
        assert (found.start, found.stop) == (start, stop), name


def test_98_points_keep_the_corners_of_eyes_and_mouth():
    points = np.random.default_rng(0).uniform(0, 500, (98, 2))
    reduced = landmarks_from_98(points)
    assert reduced.shape == (68, 2)
    for index, source in (
        (0, 0),
        (8, 16),
        (16, 32),
        (27, 51),
        (36, 60),
        (39, 64),
        (42, 68),
        (45, 72),
        (48, 76),
        (54, 82),
    ):
        np.testing.assert_allclose(reduced[index], points[source], rtol=1e-6)


def test_other_numbers_of_points_are_refused():
    with pytest.raises(ValueError, match="98 points"):
        landmarks_from_98(frontal_face())
