"""What the gallery does to real files: nothing that was not asked for, and nothing that cannot be undone."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import ipywidgets
import numpy as np
import pytest

from dflcolab.errors import FacesetError
from dflcolab.faceset.config import CleanConfig, PackConfig, SortConfig, SortKind
from dflcolab.faceset.folder_lock import alone_in
from dflcolab.files import sha256_of
from dflcolab.formats.dfl_jpeg import read_face, replace_record
from dflcolab.pipeline.clean import clean
from dflcolab.pipeline.pack import pack
from dflcolab.pipeline.sort import sort
from dflcolab.progress import Progress
from dflcolab.widgets import patience
from dflcolab.widgets.face_review import face_review
from dflcolab.widgets.gallery_answers import Answers
from dflcolab.widgets.gallery_desk import FACES, TRASH, GalleryDesk
from dflcolab.widgets.gallery_facts import MEASURES
from dflcolab.widgets.gallery_plain import PlainGallery
from dflcolab.workspace.workspace import Side, Workspace
from tests.material import WEBCAM_MAN, frame_of
from tests.widgets.framed_workspace import framed_workspace
from tests.xseg.label_files import sample_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return sample_workspace(tmp_path)


@pytest.fixture
def desk(workspace: Workspace) -> GalleryDesk:
    return GalleryDesk(workspace, Side.SRC)


def contents(desk: GalleryDesk) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in desk.faces.folder.glob("*.jpg")}


def names(desk: GalleryDesk, where: str = FACES) -> list[str]:
    return [picture.name for picture in desk.pictures(where).items]


def test_deleted_faces_lie_in_the_trash_by_hand_and_come_back_also_in_a_new_session(desk):
    before = contents(desk)
    first, second, third = names(desk)[:3]

    desk.delete([first, second])
    desk.delete([third])

    journal = (desk.trash.folder / "trash.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in journal] == ["by hand"] * 3
    assert not {first, second, third} & set(contents(desk))
    assert names(desk, TRASH) == [third, second, first]
    assert desk.undo() == [third]
    again = GalleryDesk(desk.workspace, Side.SRC)
    assert sorted(again.undo()) == sorted([first, second])
    assert contents(again) == before
    assert again.undo() == []


def test_also_a_side_without_any_face_left_can_be_opened_and_undone(desk):
    before = contents(desk)
    desk.delete(names(desk))
    again = GalleryDesk(desk.workspace, Side.SRC)
    assert names(again) == []
    assert len(again.undo()) == len(before)
    assert contents(again) == before


def test_single_pictures_come_back_from_the_trash_and_undo_goes_on_with_the_rest(desk):
    before = contents(desk)
    first, second = names(desk)[:2]
    desk.delete([first, second])

    desk.restore([first])

    assert names(desk, TRASH) == [second]
    assert (desk.undo_count(), desk.undo()) == (1, [second])
    assert contents(desk) == before


@pytest.mark.parametrize(
    "name", ["../workspace.toml", "/etc/passwd", "no.jpg", "", None, 7, ["00000_0.jpg"]]
)
def test_a_name_from_the_page_that_is_no_shown_face_moves_nothing(desk, name):
    before = contents(desk)
    answers: list[tuple[dict, list[bytes]]] = []
    page = Answers(desk, lambda *answer: answers.append(answer))

    for action in ("delete", "thumbnails", "restore"):
        page.answer({"do": action, "names": [names(desk)[0], name]})
    page.answer({"do": "look", "name": name})
    page.answer({"do": "erase"})
    page.answer("delete")

    failed = [content["text"] for content, _ in answers if content["do"] == "failed"]
    assert len(failed) == 6
    assert all("is no face in" in text for text in failed[:4])
    assert contents(desk) == before


def test_after_a_sort_elsewhere_an_old_name_deletes_nobody(desk):
    sort(desk.workspace, SortConfig(side=Side.SRC, by=SortKind.BRIGHTNESS))
    before = contents(desk)
    old = names(desk)[0]

    with pytest.raises(FacesetError, match="is not the face that was shown"):
        desk.delete([old])

    assert contents(desk) == before
    assert set(names(desk)) == set(before)  # the list was loaded anew


def test_a_sort_in_the_gallery_keeps_the_ids_of_the_files(desk):
    heard: list[dict] = []
    page = Answers(desk, lambda content, _buffers: heard.append(content))
    page.answer({"do": "list"})
    page.answer({"do": "sort", "by": "brightness"})
    page.answer({"do": "sort", "by": "beauty"})

    listed = [content for content in heard if content["do"] == "list"]
    assert listed[0]["ids"] != listed[1]["ids"]
    assert sorted(listed[0]["ids"]) == sorted(listed[1]["ids"])
    assert "beauty" in heard[-1]["text"]


def test_a_pack_can_be_looked_at_and_says_how_to_take_it_apart(workspace, desk):
    loose = desk.thumbnails(FACES, names(desk))
    pack(workspace, PackConfig(side=Side.SRC))
    packed = GalleryDesk(workspace, Side.SRC)

    assert sorted(packed.thumbnails(FACES, names(packed))) == sorted(loose)
    assert packed.look(FACES, names(packed)[0]).face
    with pytest.raises(FacesetError, match="unpack"):
        packed.delete(names(packed)[:1])


def test_thumbnails_are_made_once_and_a_damaged_cache_is_begun_anew(desk):
    wanted = desk.pictures(FACES).items
    first = desk.thumbnails(FACES, names(desk))
    assert all(cv2.imdecode(np.frombuffer(one, np.uint8), 1).shape == (96, 96, 3) for one in first)

    def forbidden(_pictures):
        raise AssertionError("a thumbnail was made twice")

    cache = desk._thumbnails
    assert cache.get(wanted, forbidden) == first
    cache._path.write_bytes(b"no cache" * 1000)
    assert cache.get(wanted, desk.faces.read) == first
    assert cache.get(wanted, forbidden) == first


def test_it_waits_for_another_program_for_a_while_only(desk, monkeypatch):
    monkeypatch.setattr(patience.Patience.__init__, "__kwdefaults__", {"seconds": 0.2})
    inside, done = threading.Event(), threading.Event()

    def sorting() -> None:  # locks count per open file, so another thread is like another program
        with alone_in(desk.faces.folder):
            inside.set()
            done.wait()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(sorting)
        inside.wait()
        with pytest.raises(FacesetError, match="Another program works on the faces"):
            desk.delete(names(desk)[:1])
        done.set()


@pytest.mark.parametrize(("side", "source"), [(Side.SRC, "video"), (Side.DST, "pictures")])
def test_a_face_is_compared_with_its_frame_also_where_extraction_drew_none(
    tmp_path: Path, side: Side, source: str
):
    workspace = framed_workspace(tmp_path / "workspace")
    name, n_th = "00002_0.jpg", 4  # the sample clip's fifth frame
    drawn = cv2.imread(str(workspace.debug_dir(Side.DST) / "00002.jpg"))
    shutil.rmtree(workspace.debug_dir(Side.DST))
    if side is Side.SRC:
        workspace.frames_dir(Side.DST).rename(workspace.frames_dir(side))
    pictures = list(workspace.frames_dir(side).glob("*.png"))
    if source == "video":
        for path in pictures:
            path.unlink()
        path = workspace.aligned_dir(side) / name
        record = read_face(path).record
        replace_record(path, record.replace(source_filename=f"{n_th + 1:05d}.png"))
    desk = GalleryDesk(workspace, side)
    if source == "video":
        look = desk.look(FACES, name)
        assert (look.debug, bool(look.face)) == (b"", True)
        assert "give it as src_video in the cell that opens the workspace" in look.text
        shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")

    look = desk.look(FACES, name)

    found = cv2.imdecode(np.frombuffer(look.debug, np.uint8), cv2.IMREAD_COLOR)
    wanted = cv2.resize(drawn, found.shape[1::-1], interpolation=cv2.INTER_AREA)
    # Two JPEGs of the same picture, one of them of quality 50.
    assert np.abs(found.astype(float) - wanted).mean() < 3
    plain = cv2.resize(frame_of(WEBCAM_MAN, n_th), found.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(float) - plain).max() > 100  # the drawn lines
    assert not workspace.debug_dir(side).exists()  # a picture there would count as one of extract's


def test_measures_tell_a_face_turned_left_from_one_turned_right(desk):
    rows = desk.measures(progress=Progress())
    assert set(rows) == set(names(desk))
    table = np.array([[row[kind] for kind in MEASURES] for row in rows.values()])
    assert np.isfinite(table).all()
    yaw, pitch = table[:, 0], table[:, 1]
    assert np.ptp(yaw) > 5  # degrees; the three people look to different sides
    assert np.abs(pitch).max() < 60


def buttons_of(widget: Any) -> dict[str, Any]:
    """The buttons below a widget, by what stands on them."""
    found = {widget.description: widget} if isinstance(widget, ipywidgets.Button) else {}
    for child in getattr(widget, "children", ()):
        found |= buttons_of(child)
    return found


def test_without_anywidget_a_page_of_faces_can_be_deleted_and_brought_back(desk):
    before = contents(desk)
    plain = PlainGallery(desk)
    assert plain.sheet.value[:2] == b"\xff\xd8"
    chosen = names(desk)[:2]
    buttons = buttons_of(plain)

    buttons["Delete"].click()
    assert "No face is selected" in plain.status.value
    plain.names.value = chosen
    buttons["Delete"].click()
    assert set(before) - set(contents(desk)) == set(chosen)
    plain.where.value = TRASH
    assert len(plain.names.options) == 2
    plain.only.value = "by hand"
    assert [label.partition(" · ")[2] for label, _ in plain.names.options] == ["by hand"] * 2
    buttons["Undo"].click()
    assert contents(desk) == before


def test_without_anywidget_people_and_reasons_can_be_chosen_and_stay_after_a_sort(desk):
    plain = PlainGallery(desk)
    buttons = buttons_of(plain)

    buttons["Find people"].click()
    buttons["Check faces"].click()
    groups = {name: text for text, name in plain.only.options}
    assert {"", "person 1", "person 2", "person 3"} <= set(groups)
    reason = next(name for name in groups if name.startswith("doubtful: "))
    keys = {one.name: one.key for one in desk.faces.items}
    plain.only.value = "person 1"
    first = {keys[name] for _, name in plain.names.options}
    assert groups["person 1"] == f"person 1 ({len(first)})"
    plain.kind.value = "brightness"
    buttons["Sort"].click()

    assert set(names(desk)) != set(keys)
    assert {one.key for one in desk.faces.chosen([n for _, n in plain.names.options])} == first
    plain.only.value = reason
    assert all(" · " in label for label, _ in plain.names.options)
    assert groups[reason] == f"{reason} ({len(plain.names.options)})"


def test_without_anywidget_the_review_compares_and_corrects_landmarks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    for kind in ("gallery", "landmark_editor"):
        monkeypatch.delitem(sys.modules, f"dflcolab.widgets.{kind}_anywidget", raising=False)
    workspace = framed_workspace(tmp_path / "workspace")
    (workspace.aligned_dir(Side.DST) / "00002_0.jpg").unlink()
    review = face_review(workspace, Side.DST)
    plain, place = review.children
    buttons = buttons_of(plain)

    plain.names.value = ["00001_0.jpg"]
    buttons["Compare with frame"].click()
    assert plain.frame.value[:2] == b"\xff\xd8"
    assert plain.caption.value == "00001_0.jpg from 00001.png"
    plain.names.value = ["00001_0.jpg", "00003_0.jpg"]
    buttons["Correct landmarks"].click()

    editor = place.children[0]
    assert editor.name.options == ("00001_0.jpg", "00003_0.jpg")
    assert editor.between.disabled
    for name in editor.name.options:
        editor.name.value = name
        buttons_of(editor)["Save"].click()
    assert not editor.between.disabled
    editor.between.click()
    assert "00002_0.jpg" in editor.name.options
    assert "00002_0.jpg" in [name for _, name in plain.names.options]
    editor.name.value = "00002_0.jpg"
    buttons_of(editor)["Undo save"].click()
    assert editor.name.value == "00001_0.jpg"
    assert "00002_0.jpg" not in [name for _, name in plain.names.options]


def test_people_and_doubtful_faces_are_those_of_clean_and_nothing_moves(desk):
    before = contents(desk)
    heard: list[dict] = []
    page = Answers(desk, lambda content, _buffers: heard.append(content))

    page.answer({"do": "people"})
    page.answer({"do": "doubtful"})

    people, doubtful = (content["groups"] for content in heard if content["do"] != "progress")
    grouped = [name for person in people for name in person["names"]]
    assert len(grouped) == len(set(grouped)) > 15
    assert set(grouped) <= set(names(desk))
    assert len(people) >= 3  # two men and a woman
    removed = clean(desk.workspace, CleanConfig(side=Side.SRC, dry_run=True)).removed
    assert {name for faces in doubtful.values() for name, _ in faces} == {
        face.name for face in removed
    }
    assert removed
    assert contents(desk) == before
