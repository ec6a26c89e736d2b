"""Landmarks set by hand: what is written, what is kept, and what is refused."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from dflcolab.errors import FacesetError
from dflcolab.extraction.alignment import align_face
from dflcolab.faces.alignment import alignment_matrix, rect_from_landmarks, transform_points
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.config import CleanConfig
from dflcolab.files import sha256_of
from dflcolab.formats.dfl_jpeg import read_face, replace_record
from dflcolab.formats.xseg_masks import encode_xseg_mask
from dflcolab.pipeline.clean import clean
from dflcolab.progress import Progress
from dflcolab.widgets.landmark_editor_answers import Answers
from dflcolab.widgets.landmark_editor_desk import LandmarkDesk
from dflcolab.widgets.landmark_editor_plain import PlainLandmarkEditor
from dflcolab.workspace.trash import Removal, Trash
from dflcolab.workspace.workspace import Side, Workspace
from tests.material import WEBCAM_MAN, frame_of
from tests.widgets.framed_workspace import framed_workspace

SIDE = Side.DST
NAMES = [f"{number:05d}_0.jpg" for number in range(1, 7)]


@pytest.fixture(scope="module")
def _framed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return framed_workspace(tmp_path_factory.mktemp("framed") / "workspace").root


@pytest.fixture
def desk(_framed: Path, tmp_path: Path) -> LandmarkDesk:
    shutil.copytree(_framed, tmp_path / "workspace")
    return LandmarkDesk(Workspace.open(tmp_path / "workspace"), SIDE)


def path_of(desk: LandmarkDesk, name: str) -> Path:
    return desk.workspace.aligned_dir(SIDE) / name


def contents(desk: LandmarkDesk) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in path_of(desk, "").glob("*.jpg")}


def shifted(desk: LandmarkDesk, name: str, x: float, y: float) -> list[list[float]]:
    return (desk.face(name).points + np.float32([x, y])).tolist()


def test_a_saved_face_is_cut_out_of_its_frame_by_the_new_points_and_undo_brings_back_the_old(desk):
    before, name = contents(desk), NAMES[1]
    debug = desk.workspace.debug_dir(SIDE) / "00002.jpg"
    debug_before = debug.read_bytes()
    points = shifted(desk, name, 12, -5)

    desk.save(name, points)

    face = read_face(path_of(desk, name))
    wanted = np.float32(points)
    np.testing.assert_array_equal(face.record.source_landmarks, wanted)
    assert face.record.provenance["landmarks"] == "by hand"
    fresh = align_face(
        frame_of(WEBCAM_MAN, 4), wanted, np.float32(rect_from_landmarks(wanted)),
        face_type=FaceType.WHOLE, size=256, source_filename="00002.png",
    )  # fmt: skip
    # The file is a JPEG of quality 90: one or two gray levels off on average.
    assert np.abs(face.decode().astype(float) - fresh.image).mean() < 3
    assert {n: h for n, h in contents(desk).items() if n != name} == {
        n: h for n, h in before.items() if n != name
    }
    assert [entry.reason for entry in Trash.of(desk.workspace, SIDE).entries()] == [
        "landmarks by hand"
    ]
    assert debug.read_bytes() != debug_before
    assert desk.undo() == 1
    assert contents(desk) == before
    assert desk.undo() == 0


def test_undoing_a_clean_leaves_a_replaced_face_in_the_trash(desk):
    name, cleaned = NAMES[1], NAMES[2]
    trash = Trash.of(desk.workspace, SIDE)
    desk.save(name, shifted(desk, name, 12, -5))
    after = contents(desk)
    trash.move([Removal(path_of(desk, cleaned), "landmarks: they do not fit the picture")])

    for only in ((), ("landmarks",)):
        if only:
            trash.move([Removal(path_of(desk, cleaned), "landmarks: they do not fit the picture")])
        report = clean(desk.workspace, CleanConfig(side=SIDE, undo=True, only=only))
        assert report.restored == (cleaned,)
        assert report.stays == {"landmarks by hand": 1}
        assert contents(desk) == after

    named = clean(desk.workspace, CleanConfig(side=SIDE, undo=True, only=("landmarks by hand",)))
    assert named.renamed == (name.replace(".jpg", "~2.jpg"),)


def test_outlines_and_masks_stay_where_they_were_in_the_frame(desk):
    path = path_of(desk, NAMES[0])
    record = read_face(path).record
    square = Polygon(True, np.float32([[90, 90], [160, 90], [160, 170], [90, 170]]))
    mask = np.zeros((256, 256, 1), np.float32)
    mask[90:170, 90:160] = 1
    replace_record(path, record.replace(polygons=(square,), xseg_mask=encode_xseg_mask(mask)))
    desk = LandmarkDesk(desk.workspace, SIDE)
    old = alignment_matrix(record.source_landmarks, 256, FaceType.WHOLE)

    desk.save(NAMES[0], shifted(desk, NAMES[0], 20, 10))

    face = read_face(path)
    new = face.record.image_to_face_mat
    in_frame = transform_points(face.record.polygons[0].points, new, invert=True)
    expected = transform_points(square.points, old, invert=True)
    np.testing.assert_allclose(in_frame, expected, atol=0.01)  # float32 through two matrices
    drawn = face.decode_mask()
    low, high = (
        face.record.polygons[0].points.min(axis=0),
        face.record.polygons[0].points.max(axis=0),
    )
    rows, columns = np.nonzero(drawn[..., 0] > 0.5)
    # The mask's edges are those of the outline, to a pixel or two of the resampling.
    np.testing.assert_allclose([columns.min(), rows.min()], low, atol=2)
    np.testing.assert_allclose([columns.max(), rows.max()], high, atol=2)


def test_frames_between_two_faces_set_by_hand_follow_on_straight_lines(desk):
    path_of(desk, NAMES[2]).unlink()  # a frame without a face gets one
    desk = LandmarkDesk(desk.workspace, SIDE)
    before = contents(desk)
    desk.save(NAMES[0], shifted(desk, NAMES[0], 30, 0))
    assert desk.show(NAMES[4]).before is None
    desk.save(NAMES[4], shifted(desk, NAMES[4], 30, 8))
    assert desk.show(NAMES[4]).before is desk.face(NAMES[0])

    assert desk.fill_between(NAMES[4], progress=Progress()) == 3

    first, last = desk.face(NAMES[0]).points, desk.face(NAMES[4]).points
    for step, name in enumerate(NAMES[1:4], 1):
        face = read_face(path_of(desk, name))
        np.testing.assert_allclose(
            face.record.source_landmarks, first + (last - first) * step / 4, atol=1e-3
        )
        assert face.width == 256
        assert not desk.face(name).by_hand
    for _ in range(3):
        desk.undo()
    assert contents(desk) == before


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([[1.0, 2.0]] * 67, "not 68 points"),
        ([[1.0, math.nan]] * 68, "not 68 points"),
        ("points", "not 68 points"),
        ([[300.0, 300.0]] * 68, "lie on one spot"),
        ([[-900.0 + 9 * i, -900.0 + (7 * i) % 60] for i in range(68)], "outside of the frame"),
    ],
)
def test_points_that_are_no_face_change_nothing(desk, points, said):
    before = contents(desk)
    with pytest.raises(FacesetError, match=said):
        desk.save(NAMES[0], points)
    assert contents(desk) == before


def test_names_from_the_page_that_are_no_faces_change_nothing(desk):
    before, heard = contents(desk), []
    page = Answers(desk, lambda content, _buffers: heard.append(content))
    points = shifted(desk, NAMES[0], 1, 1)
    for name in ("../../workspace.toml", "/etc/passwd", 3, ["00001_0.jpg"]):
        page.answer({"do": "save", "name": name, "points": points})
        page.answer({"do": "between", "name": name})
    page.answer({"do": "burn", "name": NAMES[0]})
    assert [content["do"] for content in heard] == ["failed"] * 9
    path_of(desk, NAMES[0]).write_bytes(path_of(desk, NAMES[3]).read_bytes())  # like a sort
    with pytest.raises(FacesetError, match="another face than before"):
        desk.save(NAMES[0], points)
    assert {n: h for n, h in contents(desk).items() if n != NAMES[0]} == {
        n: h for n, h in before.items() if n != NAMES[0]
    }


def test_without_anywidget_points_are_lines_of_text(desk):
    before = contents(desk)
    plain = PlainLandmarkEditor(desk)
    buttons = {button.description: button for button in plain.children[0].children[1:]}
    plain.points.value = "\n".join(f"{x} {y}" for x, y in shifted(desk, NAMES[0], 9, 0))
    buttons["Save"].click()
    assert desk.face(NAMES[0]).by_hand
    plain.points.value = "a b"
    buttons["Save"].click()
    assert "two numbers" in plain.status.value
    buttons["Undo save"].click()
    assert contents(desk) == before
