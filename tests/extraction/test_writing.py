"""Faces with landmarks set by hand, and faces in place of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.errors import FacesetError
from dflcolab.extraction.redo import replace_faces
from dflcolab.extraction.report import Stopwatch
from dflcolab.extraction.sources import SourceFrame
from dflcolab.extraction.writing import FaceWriter, PlacedFace
from dflcolab.faces.alignment import rect_from_landmarks
from dflcolab.faces.face_type import FaceType
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.workspace.trash import Trash
from tests.faces.sample_faces import frontal_face
from tests.material import WEBCAM_MAN, frame_of


@pytest.fixture
def frame() -> SourceFrame:
    return SourceFrame(
        key="6",
        stem="00007",
        filename="00007.png",
        position=6,
        image=frame_of(WEBCAM_MAN, 6),
        provenance={"video": "data_dst.mp4", "frame_index": 6},
    )


@pytest.fixture
def writer(tmp_path) -> FaceWriter:
    for name in ("aligned", "aligned_debug"):
        (tmp_path / name).mkdir()
    return FaceWriter(
        aligned_dir=tmp_path / "aligned",
        debug_dir=tmp_path / "aligned_debug",
        face_type=FaceType.WHOLE,
        size=128,
        jpeg_quality=90,
        antialias=True,
        watch=Stopwatch(),
    )


def by_hand(writer: FaceWriter, frame: SourceFrame, *faces: np.ndarray) -> list[Path]:
    placed = [PlacedFace.by_hand(points) for points in faces]
    return writer.add(frame, [writer.encoded(frame, face) for face in placed])


def test_faces_are_written_from_landmarks_alone(frame, writer):
    points = frontal_face()

    first, second = by_hand(writer, frame, points, points + 20)

    assert [path.name for path in (first, second)] == ["00007_0.jpg", "00007_1.jpg"]
    record = read_face(first).record
    assert record.face_type is FaceType.WHOLE
    assert record.source_filename == "00007.png"
    assert record.source_landmarks is not None
    assert record.source_rect is not None
    np.testing.assert_array_equal(record.source_landmarks, points.astype(np.float32))
    np.testing.assert_array_equal(record.source_rect, np.trunc(rect_from_landmarks(points)))
    assert record.provenance["landmarks"] == "by hand"
    assert record.provenance["frame_index"] == 6
    assert read_face(second).decode().shape == (128, 128, 3)


def test_faces_by_hand_stand_beside_those_that_are_there(frame, writer):
    (path,) = by_hand(writer, frame, frontal_face())
    before = path.read_bytes()

    (other,) = by_hand(writer, frame, frontal_face() + 5)

    assert other.name == "00007_1.jpg"
    assert path.read_bytes() == before


def test_landmarks_on_one_point_are_refused_and_nothing_is_written(frame, writer, tmp_path):
    with pytest.raises(FacesetError, match="one point"):
        by_hand(writer, frame, frontal_face(), np.zeros((68, 2), np.float32))

    assert not list((tmp_path / "aligned").iterdir())


def test_faces_take_the_place_of_others_which_go_to_the_trash(frame, writer, tmp_path):
    old = by_hand(writer, frame, frontal_face(), frontal_face() + 40)
    kept = old[1].read_bytes()
    trash = Trash(tmp_path / "aligned", tmp_path / "aligned_trash")
    faces = [PlacedFace.by_hand(frontal_face() + shift) for shift in (3, 40)]

    assert replace_faces(frame, faces, old, writer, trash, reason="landmarks by hand") == 1
    # The same once more changes nothing: so a killed run can be repeated.
    now = sorted((tmp_path / "aligned").iterdir())
    assert replace_faces(frame, faces, now, writer, trash) == 0

    assert [path.name for path in now] == ["00007_0.jpg", "00007_1.jpg"]
    assert old[1].read_bytes() == kept
    (entry,) = trash.entries()
    assert (entry.name, entry.reason) == ("00007_0.jpg", "landmarks by hand")
