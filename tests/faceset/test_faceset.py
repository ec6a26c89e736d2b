"""Loading facesets: every usable face, every unusable file named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import FacesetError, Interrupted, UnsafeFileError
from dflcolab.faceset.faceset import load_faceset, load_many
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.formats.faceset_pak import PakItem, write_pak
from tests.formats.face_files import VECTORS, face_file, jpeg
from tests.stopping import StopAfter


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path) -> Path:
    folder = tmp_path / "aligned"
    folder.mkdir()
    for i in (2, 0, 1):
        face_file(folder, f"{i:05d}_0.jpg", seed=i, source_filename=f"{i:05d}.png", mask=i == 1)
    return folder


def test_faces_are_loaded_in_the_order_of_their_names(folder: Path):
    faceset = load_faceset(folder)
    assert len(faceset) == 3
    assert faceset.names == ("00000_0.jpg", "00001_0.jpg", "00002_0.jpg")
    assert [r.source_filename for r in faceset.records] == ["00000.png", "00001.png", "00002.png"]
    assert faceset.problems == []
    for i in range(3):
        expected = cv2.imread(str(folder / faceset.names[i]))
        assert np.array_equal(faceset.decode(i), expected)
    assert faceset.mask(0) is None
    mask = faceset.mask(1)
    assert mask is not None
    assert mask.shape == (32, 32, 1)


def test_unusable_files_are_named_and_skipped(folder: Path):
    good = (folder / "00000_0.jpg").read_bytes()
    (folder / "a_plain.jpg").write_bytes(jpeg())
    (folder / "b_cut.jpg").write_bytes(good[:-200])
    (folder / "c_empty.jpg").write_bytes(b"")
    (folder / "d_text.jpg").write_text("not a picture")
    (folder / "e_hostile.jpg").write_bytes((VECTORS / "dfljpg" / "hostile_pickle.jpg").read_bytes())
    (folder / "notes.txt").write_text("left alone")
    (folder / ".00000_0.1234abcd.tmp.jpg").write_bytes(good[:100])

    faceset = load_faceset(folder)

    assert len(faceset) == 3
    for name in ("a_plain", "b_cut", "c_empty", "d_text", "e_hostile"):
        assert sum(name in problem for problem in faceset.problems) == 1, name
    assert len(faceset.problems) == 5


def test_a_folder_without_faces_is_answered_with_the_remedy(tmp_path: Path):
    with pytest.raises(FacesetError, match=r"There are no faces in .*; run `dflcolab extract`"):
        load_faceset(tmp_path)
    with pytest.raises(FacesetError, match="does not exist"):
        load_faceset(tmp_path / "aligned")
    (tmp_path / "x.jpg").write_bytes(jpeg())
    with pytest.raises(FacesetError, match="None of the 1 files"):
        load_faceset(tmp_path)


def pack(folder: Path, person: str | None = None) -> Path:
    paths = sorted(folder.glob("*.jpg"))
    write_pak(folder / "faceset.pak", [PakItem(p.name, read_face(p), person) for p in paths])
    return folder / "faceset.pak"


def test_a_pack_gives_the_same_faces_and_hides_loose_files(folder: Path):
    loose = load_faceset(folder)
    pictures = [loose.decode(i) for i in range(3)]
    pack(folder)
    for path in folder.glob("*.jpg"):
        path.unlink()
    face_file(folder, "99999_0.jpg")

    for packed in (load_faceset(folder), load_faceset(folder / "faceset.pak")):
        assert packed.names == loose.names
        assert packed.frame_keys == loose.frame_keys
        for i in range(3):
            assert np.array_equal(packed.decode(i), pictures[i])
            for name in ("landmarks", "source_landmarks", "source_rect", "image_to_face_mat"):
                np.testing.assert_array_equal(
                    getattr(packed.records[i], name), getattr(loose.records[i], name)
                )


def test_people_of_a_pack_keep_their_frames_apart():
    faceset = load_faceset(VECTORS / "pak" / "faceset.pak")
    assert faceset.names[0].startswith("alice/")
    assert faceset.names[-1].startswith("bob/")
    assert len(set(faceset.frame_keys)) == len(faceset)


def test_a_damaged_face_in_a_pack_is_named_and_skipped(folder: Path):
    pak = pack(folder)
    data = bytearray(pak.read_bytes())
    place = data.index((folder / "00001_0.jpg").read_bytes())
    data[place] = 0
    pak.write_bytes(data)
    faceset = load_faceset(folder)
    assert len(faceset) == 2
    assert len(faceset.problems) == 2
    assert "00001_0.jpg" in faceset.problems[0]
    assert "3 face files beside" in faceset.problems[1]


def test_people_in_sub_folders_are_read_as_from_a_pack(folder: Path):
    for name in ("anna", "bert"):
        (folder / name).mkdir()
    (folder / "00000_0.jpg").rename(folder / "anna" / "00000_0.jpg")
    beside = load_faceset(folder)
    assert beside.names == ("00001_0.jpg", "00002_0.jpg")
    assert "anna are not used" in beside.problems[0]

    for name in ("00001_0.jpg", "00002_0.jpg"):
        (folder / name).rename(folder / "bert" / name)
    people = load_faceset(folder)
    assert people.names == ("anna/00000_0.jpg", "bert/00001_0.jpg", "bert/00002_0.jpg")
    assert people.problems == []


def test_a_hostile_pack_is_refused_as_a_whole(tmp_path: Path):
    config = b"\x80\x04]cos\nsystem\nX\x02\0\0\0ls\x85Ra."
    (tmp_path / "faceset.pak").write_bytes(
        (1).to_bytes(8, "little") + len(config).to_bytes(8, "little") + config
    )
    with pytest.raises(UnsafeFileError, match=r"os\.system"):
        load_faceset(tmp_path)


def test_several_facesets_are_one_with_their_names_apart(folder: Path, tmp_path: Path):
    other = tmp_path / "other" / "aligned"
    other.mkdir(parents=True)
    face_file(other, "00000_0.jpg", seed=9)
    (tmp_path / "empty").mkdir()

    faceset = load_many([folder, other, tmp_path / "empty"])

    assert len(faceset) == 4
    assert len(set(faceset.names)) == 4
    assert faceset.names[3] == "other-aligned/00000_0.jpg"
    assert np.array_equal(faceset.decode(3), load_faceset(other).decode(0))
    assert len(set(faceset.frame_keys)) == 4
    assert any("empty" in problem for problem in faceset.problems)


def test_the_same_folder_twice_gets_two_labels(folder: Path):
    faceset = load_many([folder, folder])
    assert len(set(faceset.names)) == len(faceset) == 6


def test_no_faceset_at_all_is_an_error(tmp_path: Path):
    with pytest.raises(FacesetError, match="There are no faces"):
        load_many([tmp_path])
    with pytest.raises(FacesetError, match="There are no faces"):
        load_many([])


def test_pictures_come_in_order_and_damaged_ones_become_problems(folder: Path):
    faceset = load_faceset(folder)
    (folder / "00001_0.jpg").unlink()
    found = dict(faceset.decode_many([2, 1, 0]))
    assert list(found) == [2, 0]
    assert np.array_equal(found[2], faceset.decode(2))
    assert len(faceset.problems) == 1
    assert "00001_0.jpg" in faceset.problems[0]


def test_loading_reports_progress_and_can_be_stopped(folder: Path):
    progress = StopAfter()
    load_faceset(folder, progress=progress)
    assert [(task.total, task.done) for task in progress.tasks] == [(3, 3)]
    with pytest.raises(Interrupted):
        load_faceset(folder, progress=StopAfter(1))


def test_a_sort_that_was_killed_half_way_loses_no_face(folder: Path, monkeypatch):
    from dflcolab.faceset import renaming

    names = {"00000_0.jpg": "00002.jpg", "00001_0.jpg": "00001.jpg", "00002_0.jpg": "00000.jpg"}
    with monkeypatch.context() as patch:
        patch.setattr(renaming, "recover", lambda _: False)  # killed before the first move
        renaming.rename_all(folder, names, in_one_step=False)
    assert load_faceset(folder).names == ("00000.jpg", "00001.jpg", "00002.jpg")
