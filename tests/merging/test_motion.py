"""Motion of a face around each frame."""

from __future__ import annotations

import pytest

from dflcolab.merging.motion import STILL, motions
from tests.merging.scenes import LANDMARKS, moved


def _walk(*xs: float) -> dict[str, list]:
    return {str(i): [moved(LANDMARKS, (x, 0))] for i, x in enumerate(xs)}


def test_a_face_that_goes_right_moves_to_the_right():
    found = motions(["0", "1", "2"], _walk(0, 10, 20))

    assert found["1"].power == pytest.approx(20)
    assert found["1"].deg == pytest.approx(0)


def test_the_ends_count_themselves_as_neighbor():
    found = motions(["0", "1", "2"], _walk(0, 10, 20))

    assert found["0"].power == found["2"].power == pytest.approx(10)


def test_a_gap_stands_still():
    faces = _walk(0, 10, 20, 30)
    del faces["2"]

    found = motions(["0", "1", "2", "3"], faces)

    assert found["1"] == found["3"] == STILL
    assert "2" not in found


def test_two_faces_in_any_frame_mean_no_motion_at_all():
    faces = _walk(0, 10, 20)
    faces["2"].append(LANDMARKS)

    assert motions(["0", "1", "2"], faces) == {}
