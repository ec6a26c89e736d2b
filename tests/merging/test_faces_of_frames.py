"""Which faces belong to which frame."""

from __future__ import annotations

import numpy as np

from dflcolab.faces.face_record import FaceRecord
from dflcolab.merging.faces_of_frames import faces_of_frames
from tests.merging.scenes import LANDMARKS


def _record(source: str | None, points: np.ndarray | None = LANDMARKS) -> FaceRecord:
    return FaceRecord(landmarks=LANDMARKS, source_filename=source, source_landmarks=points)


def test_faces_follow_the_frame_in_their_record_and_not_their_own_name():
    names = ["00009_0.jpg", "renamed.jpg", "z.jpg"]
    records = [_record("00001.png"), _record("00002.jpg"), _record("00001.png", LANDMARKS + 1)]

    found = faces_of_frames(names, records)

    assert list(found.by_stem) == ["00001", "00002"]
    assert np.array_equal(found.of("00001")[0], LANDMARKS)
    assert np.array_equal(found.of("00001")[1], LANDMARKS + 1)
    assert found.n_faces == 3
    assert found.of("00003") == []


def test_frames_named_with_a_windows_folder_are_found():
    found = faces_of_frames(["a.jpg"], [_record("C:\\clip\\00012.png")])

    assert list(found.by_stem) == ["00012"]


def test_unusable_faces_are_named_and_left_out():
    names = ["no_source.jpg", "no_points.jpg", "nan.jpg", "one_spot.jpg"]
    bad = np.full_like(LANDMARKS, np.nan)
    records = [
        _record(None),
        _record("1.png", None),
        _record("1.png", bad),
        _record("1.png", np.zeros_like(LANDMARKS)),
    ]

    found = faces_of_frames(names, records)

    assert not found.by_stem
    assert [problem.split()[0] for problem in found.problems] == names
