"""The mask editor without a browser: what a page may ask for, and what gets into the face files."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.engine.checkpoint import Contents, latest_checkpoint, write_checkpoint
from dflcolab.errors import ConfigError, DFLColabError, FacesetError, FormatError
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.guesses import guess_kind
from dflcolab.faceset.config import PackConfig
from dflcolab.formats.dfl_jpeg import Face, read_face, read_record, replace_record, write_face
from dflcolab.formats.xseg_masks import encode_xseg_mask
from dflcolab.pipeline.mask_next import NextFace, NextReport
from dflcolab.pipeline.pack import pack
from dflcolab.widgets import mask_editor_order
from dflcolab.widgets.mask_editor import mask_editor, open_desk
from dflcolab.widgets.mask_editor_answers import Answers
from dflcolab.widgets.mask_editor_overlays import Predictor, overlay_of
from dflcolab.widgets.mask_editor_page import MOST_POINTS, from_page, to_page
from dflcolab.widgets.mask_editor_plain import drawn_face, outlines_from_text, outlines_to_text
from dflcolab.workspace.workspace import Side, Workspace
from tests.xseg.conftest import eager  # noqa: F401
from tests.xseg.label_files import drawn_face as oval_with_bar
from tests.xseg.label_files import face_paths, label, sample_workspace
from tests.xseg.test_apply import make_model


class Blind(Predictor):
    """A trained network that says of everything that it is no face."""

    exists = True  # pyright: ignore[reportAssignmentType]

    def get(self) -> Any:
        return SimpleNamespace(iteration=7)

    def mask(self, face: Face) -> np.ndarray:
        return np.zeros((256, 256, 1), np.float32)


TRIANGLE = Polygon(True, np.array([[10, 10], [90, 20], [40, 80]], np.float32))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return sample_workspace(tmp_path / "workspace")


def same(a, b) -> bool:
    return len(a) == len(b) and all(
        p.include == q.include and np.array_equal(p.points, q.points)
        for p, q in zip(a, b, strict=True)
    )


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0], [1, 1]],
        [[0, 0], [1, float("nan")], [2, 2]],
        [[0, 0], [1, float("inf")], [2, 2]],
        [[0, 0], [1, 1e6], [2, 2]],
        [[0, 0], [1, 10**400], [2, 2]],
        [[0, 0], [1, "1"], [2, 2]],
        [[0, 0], [1, True], [2, 2]],
        [[0, 0], [1, 1, 1], [2, 2]],
        [[0, 0]] * (MOST_POINTS + 1),
        "abc",
        None,
    ],
)
def test_what_is_no_outline_is_refused(points):
    with pytest.raises(FormatError, match="Not taken"):
        from_page([{"include": True, "points": points}])


@pytest.mark.parametrize(
    "sent", [None, {}, [3], [{"points": [[0, 0]] * 3}], [{"include": 1}] * 501]
)
def test_what_is_no_list_of_outlines_is_refused(sent):
    with pytest.raises(FormatError, match="Not taken"):
        from_page(sent)


_POINT = st.tuples(*2 * [st.floats(-9e4, 9e4, width=32, allow_nan=False)])
_OUTLINE = st.tuples(st.booleans(), st.lists(_POINT, min_size=3, max_size=9))


@settings(max_examples=50, deadline=None)
@given(drawn=st.lists(_OUTLINE, max_size=4))
def test_outlines_come_back_from_the_page_and_from_text_to_the_last_bit(drawn):
    polygons = tuple(Polygon(include, np.array(points, np.float32)) for include, points in drawn)

    assert same(from_page(to_page(polygons)), polygons)
    assert same(outlines_from_text(outlines_to_text(polygons)), polygons)


def test_dots_that_the_file_has_already_may_stay():
    dot = Polygon(True, np.array([[5, 5]], np.float32))

    assert same(from_page(to_page([dot, TRIANGLE]), [dot]), [dot, TRIANGLE])
    with pytest.raises(FormatError):
        from_page(to_page([dot, TRIANGLE]))


@pytest.mark.parametrize(
    "message",
    [
        None,
        {"do": "remove"},
        {"do": "save", "face": "../../etc/passwd", "outlines": to_page([TRIANGLE])},
        {"do": "save", "face": "00000_1.jpg", "outlines": to_page([TRIANGLE])},
        {"do": "save", "face": "00000_0.jpg", "outlines": [{"include": True, "points": [[0, 0]]}]},
        {"do": "step", "face": "00000_0.jpg", "by": 1000},
        {"do": "go", "face": "00000_0.jpg", "position": 0},
        {"do": "go", "face": "00000_0.jpg", "position": "2"},
        {"do": "filter", "face": "00000_0.jpg", "filter": "mine"},
        {"do": "overlay", "face": "00000_0.jpg", "what": ["hull"]},
    ],
)
def test_a_page_can_ask_for_nothing_but_its_faces(workspace: Workspace, message):
    before = [path.read_bytes() for path in face_paths(workspace)]

    answer, buffers = Answers(open_desk(workspace, Side.SRC)).answer(message)

    assert answer["failed"]
    assert answer["note"].endswith(".")
    assert answer["state"]["face"]["name"] == "00000_0.jpg"
    assert buffers == []
    assert [path.read_bytes() for path in face_paths(workspace)] == before


def test_a_face_that_was_sorted_away_is_not_written_to(workspace: Workspace):
    desk = open_desk(workspace, Side.SRC)
    first, second = face_paths(workspace)[:2]
    moved = second.read_bytes()
    first.write_bytes(moved)

    with pytest.raises(FacesetError, match="another face than before"):
        desk.draw((TRIANGLE,))
    assert first.read_bytes() == moved


def test_a_damaged_face_is_passed_over(workspace: Workspace):
    desk = open_desk(workspace, Side.SRC)
    paths = face_paths(workspace)
    paths[1].write_bytes(b"\xff\xd8damaged")

    note = desk.step(1)

    assert desk.known.name == paths[2].name
    assert paths[1].name in note


def test_packed_faces_are_refused_with_the_remedy(workspace: Workspace):
    pack(workspace, PackConfig(side=Side.SRC))

    with pytest.raises(FacesetError, match="dflcolab unpack"):
        mask_editor(workspace, Side.SRC)


def test_a_face_that_is_gone_is_told_to_a_new_page(workspace: Workspace):
    answers = Answers(open_desk(workspace, Side.SRC))
    face_paths(workspace)[0].unlink()

    answer, buffers = answers.answer({"do": "hello", "id": "1"})

    assert (answer["id"], answer["failed"], buffers) == ("1", True, [])
    assert "00000_0.jpg cannot be read" in answer["note"]


def moved_face(path: Path, by: tuple[int, int], frame: str) -> Path:
    """The face as the frame after it would show it: everything a few pixels further."""
    face = read_face(path)
    matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
    size = (face.width, face.height)
    picture = cv2.warpAffine(face.decode(), matrix, size, borderMode=cv2.BORDER_REPLICATE)
    record = face.record.replace(landmarks=face.record.landmarks + np.float32(by),
                                 source_filename=frame)  # fmt: skip
    target = path.with_name(f"moved_{path.name}")
    write_face(target, cv2.imencode(".jpg", picture)[1].tobytes(), record)
    return target


@pytest.mark.parametrize("changed", [False, True])
def test_outlines_are_copied_from_the_frame_before(workspace: Workspace, changed: bool):
    first = face_paths(workspace)[0]
    label(first)
    record = read_face(first).record
    replace_record(first, record.replace(source_filename="clip-00010.png"))
    target = moved_face(first, (6, 4), "clip-00012.png")
    if changed:  # the picture is another one, so that only the landmarks can tell
        other = read_face(face_paths(workspace)[5]).jpeg()
        moved = read_record(target)
        assert moved is not None
        write_face(target, other, moved)
    desk = open_desk(workspace, Side.SRC)
    desk.open(len(desk.files.faces) - 1)
    assert desk.known.name == target.name

    note = desk.copy(-1)

    assert f"Copied from {first.name}, 2 frame(s) away" in note
    assert ("landmarks only" in note) is changed
    assert guess_kind(read_face(target).record) == "neighbours"
    for old, new in zip(record.polygons, desk.polygons, strict=True):
        # Flow at 256 pixels is good to about a pixel; the landmarks are exact.
        assert np.abs(new.points - old.points - (6, 4)).max() < (0.01 if changed else 1.5)
    assert "No frame after" in desk.copy(1)


def test_guess_refine_undo_and_what_counts_as_drawn(workspace: Workspace):
    path = face_paths(workspace)[0]
    record = read_face(path).record
    mask = np.zeros((256, 256), np.float32)
    mask[60:200, 80:180] = 1
    replace_record(path, record.replace(xseg_mask=encode_xseg_mask(mask)))
    desk = open_desk(workspace, Side.SRC)

    assert "stored mask" in desk.first_guess()
    assert guess_kind(read_face(path).record) == "masks"
    assert "edges" in desk.refine()
    refined = desk.polygons
    assert not same(refined, ())
    desk.draw((*refined, TRIANGLE))
    assert guess_kind(read_face(path).record) is None
    desk.undo()
    assert same(read_face(path).record.polygons, refined)
    assert guess_kind(read_face(path).record) == "masks"
    desk.undo()
    desk.undo()
    assert read_face(path).record.polygons == ()
    assert not desk.can_undo
    assert read_face(path).record.xseg_mask == encode_xseg_mask(mask)


def test_what_another_editor_wrote_before_an_undo_is_one_step_on(workspace: Workspace):
    one, two = (open_desk(workspace, Side.SRC) for _ in range(2))
    one.draw((TRIANGLE,))
    two.draw(theirs := oval_with_bar(face_paths(workspace)[0]))

    assert one.undo().endswith("one step on (Redo).")
    assert one.polygons == ()
    one.redo()
    assert same(one.polygons, theirs)


def test_the_twenty_to_label_next_are_chosen_anew_when_they_are_done(workspace: Workspace):
    desk = open_desk(workspace, Side.SRC)
    with pytest.raises(DFLColabError, match="no trained XSeg model"):
        desk.choose("uncertain")
    desk.choose("next")
    offered = set()
    for _ in range(len(desk.files.faces)):
        offered.add(desk.known.name)
        desk.draw((TRIANGLE,))
        note = desk.step(1)

    assert offered == {face.name for face in desk.files.faces}
    assert note == "All faces are labelled."


def test_the_least_certain_faces_come_first(workspace: Workspace, monkeypatch):
    names = [path.name for path in face_paths(workspace)]
    doubts = {names[4]: 0.1, names[0]: 0.4, names[2]: 0.9, names[1]: None}
    report = NextReport("src", "xseg", 16, 4, 4,
                        tuple(NextFace(name, 1, doubt) for name, doubt in doubts.items()), ())  # fmt: skip
    monkeypatch.setattr(mask_editor_order, "next_labels", lambda *_: report)
    desk = open_desk(workspace, Side.SRC)

    desk.choose("uncertain")
    seen = [desk.known.name]
    for _ in range(3):
        desk.step(1)
        seen.append(desk.known.name)

    assert seen == [names[2], names[0], names[4], names[1]]
    assert "no further face" in desk.step(1)


def learn_that_all_is_face(model_dir: Path) -> None:
    last = latest_checkpoint(model_dir)
    assert last is not None
    weights = dict(last.weights())
    weights["XSeg/out_conv/bias:0"] = np.array([1000], np.float32)
    write_checkpoint(model_dir, Contents(8, weights, last.optimizer(), last.state()))


def test_the_networks_mask_lies_over_the_face_and_is_the_first_guess(
    workspace: Workspace,
    eager,  # noqa: F811
):
    desk = open_desk(workspace, Side.SRC)
    assert "no XSeg model yet" in desk.lay_over("prediction")
    make_model(workspace)
    assert "iteration 7" in desk.lay_over("prediction")
    learn_that_all_is_face(workspace.model_dir("xseg"))
    assert "iteration 8" in desk.lay_over("prediction")
    shown = desk.overlay.polygons
    desk.first_guess()
    desk.choose("uncertain")

    assert np.ptp(shown[0].points, axis=0).min() > 180  # the whole picture of 192 pixels
    assert guess_kind(read_face(face_paths(workspace)[0]).record) == "model"
    assert len(desk._ordered) == len(desk.files.faces)


def test_the_plain_editor_saves_what_is_typed(workspace: Workspace, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "dflcolab.widgets.mask_editor_anywidget", raising=False)
    box = mask_editor(workspace, Side.SRC)
    *bars, told, picture, text = box.children
    buttons = {w.description: w for bar in bars for w in bar.children}
    first, second = face_paths(workspace)[:2]

    text.value = "include: 10,10 90,20 40,80\nexclude: 20,20 30,20 25,30.5"
    buttons["Save the points"].click()
    assert [p.include for p in read_face(first).record.polygons] == [True, False]
    text.value = "include: 1,2,3"
    buttons["Save the points"].click()
    assert "write points as x,y" in told.value
    buttons["Next"].click()
    assert text.value == "include: 1,2,3"  # what is typed is not lost
    buttons["Undo"].click()
    assert text.value == ""
    assert read_face(first).record.polygons == ()
    buttons["Faces"].value = "uncertain"
    assert "no trained XSeg model" in told.value
    assert buttons["Faces"].value == "all"
    text.value = "include: 10,10 90,20 40,80"
    buttons["Next"].click()
    assert same(read_face(first).record.polygons, (TRIANGLE,))
    buttons["First guess"].click()

    assert re.search(f"{second.name}, 2 of 20", told.value)
    assert guess_kind(read_face(second).record) == "hull"
    shown = cv2.imdecode(np.frombuffer(picture.value, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert min(shown.shape[:2]) >= 700


def test_the_plain_picture_shows_outlines_where_they_are(workspace: Workspace):
    path = face_paths(workspace)[0]
    plain = drawn_face(open_desk(workspace, Side.SRC)).astype(int)
    label(path, *oval_with_bar(path))
    drawn = drawn_face(open_desk(workspace, Side.SRC)).astype(int)

    rows, columns = np.nonzero(np.abs(drawn - plain).max(axis=2) > 40)
    zoom = 768 // read_face(path).width
    points = np.concatenate([p.points for p in read_face(path).record.polygons])
    inside = (points >= 0).all(axis=1) & (points < read_face(path).width).all(axis=1)
    low, high = points[inside].min(axis=0), points[inside].max(axis=0)
    # The margin is 34 pixels; points are discs of radius 3, and lines two pixels wide.
    assert abs(columns.min() - 34 - low[0] * zoom) < 10
    assert abs(rows.max() - 34 - high[1] * zoom) < 10


def test_a_name_for_a_model_that_leads_out_of_the_folder_is_refused(workspace: Workspace):
    with pytest.raises(DFLColabError, match="cannot be a model's name"):
        mask_editor(workspace, Side.SRC, model="../x")
    with pytest.raises(ConfigError, match="is no overlay"):
        open_desk(workspace, Side.SRC).lay_over("mine")  # pyright: ignore[reportArgumentType]


def test_a_network_that_sees_no_face_says_so(workspace: Workspace, tmp_path: Path):
    overlay = overlay_of(read_face(face_paths(workspace)[0]), "prediction", Blind(tmp_path))

    assert overlay.polygons == ()
    assert overlay.note == "Prediction of iteration 7: it sees no face here."
