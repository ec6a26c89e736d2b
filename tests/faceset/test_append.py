"""Recognising pictures, and names for what is appended."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import FormatError
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.append import (
    FaceLook,
    IncomingFace,
    appended_record,
    is_faceset,
    label_for,
    look_at,
    new_name,
    open_incoming,
    picture_hash,
    plain_stem,
)
from dflcolab.formats.dfl_jpeg import embed, face_from_bytes
from dflcolab.sync.manifest import safe_path
from tests.formats.face_files import REAL_FACE, face_file, jpeg, record


@settings(max_examples=30)
@given(st.text(max_size=300), st.booleans(), st.booleans())
def test_metadata_do_not_change_what_a_picture_is(name: str, mask: bool, polygons: bool):
    bare = jpeg()
    told = embed(bare, record(mask=mask, polygons=polygons, source_filename=name or None))

    assert picture_hash(told, "a") == picture_hash(bare, "b")
    assert picture_hash(embed(told, record()), "a") == picture_hash(bare, "b")


def test_other_pixels_or_another_compression_are_another_picture():
    import cv2

    pictures = [jpeg(), jpeg(seed=1), jpeg(64, 0, cv2.IMWRITE_JPEG_QUALITY, 70)]

    assert len({picture_hash(data, "x") for data in pictures}) == 3


@pytest.mark.parametrize("cut", [1, 100])
def test_a_truncated_picture_is_refused(cut: int):
    with pytest.raises(FormatError, match="x"):
        picture_hash(jpeg()[:-cut], "x")


def look(name: str, person: str | None = None) -> FaceLook:
    face = IncomingFace(name, person, lambda: face_from_bytes(REAL_FACE.read_bytes(), name))
    return FaceLook(face, "", FaceType.WHOLE, 256)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=300), st.sampled_from([None, "p", "../q"]))))
def test_new_names_differ_and_every_system_holds_them(faces: list[tuple[str, str | None]]):
    used: set[str] = set()
    for name, person in faces:
        made = new_name(look(name.replace("/", "") or "a", person), "set", used)
        assert made.lower() not in used
        assert safe_path(made, name="x") == made
        assert "/" not in made
        assert len(made.encode()) <= 255
        used.add(made.lower())


@given(st.text(max_size=60), st.sets(st.text(max_size=20)))
def test_labels_are_free_and_no_mere_numbers(origin: str, others: set[str]):
    label = label_for(origin, "faces", others.__contains__)

    assert label
    assert label not in others
    assert not label.isdecimal()
    assert safe_path(label, name="x") == label


_ANY_TEXT = st.text(st.characters(codec=None), max_size=300)  # halves of characters included


@given(_ANY_TEXT)
def test_plain_stems_are_file_names(text: str):
    assert safe_path(plain_stem(text) + ".jpg", name="x")


def test_a_copied_face_keeps_foreign_keys_and_drops_what_cannot_be_stored():
    before = record(
        extra={"theirs": 5, "dflcolab": {"video": "a.mp4", "odd": [1, 2], "time_s": 0.5}}
    )
    after = appended_record(before, look("x.jpg", "anna").face, label="set", origin="folder")

    stored = face_from_bytes(embed(jpeg(), after), "x").record

    assert stored.extra["theirs"] == 5
    assert dict(stored.provenance) == {
        "original_video": "a.mp4", "time_s": 0.5, "faceset": "set", "origin": "folder",
        "original_name": "anna/x.jpg", "original_source": "00042.png",
    }  # fmt: skip
    assert stored.source_filename == "set-anna-00042.png"


def test_a_face_of_deepfacelab_is_recognised_in_a_folder(tmp_path):
    folder = tmp_path / "theirs" / "aligned"
    folder.mkdir(parents=True)
    assert not is_faceset(folder)
    (folder / "00001_0.jpg").write_bytes(REAL_FACE.read_bytes())
    face_file(folder, "00002_0.jpg")

    assert is_faceset(folder)
    assert is_faceset(folder.parent)
    with open_incoming(folder) as found:
        assert found.origin == "theirs"
        assert [look_at(face).size for face in found.faces] == [256, 64]


def test_faces_that_were_set_aside_stay_aside(tmp_path):
    """As everywhere: beside faces of its own, a folder's sub-folders are no people."""
    (tmp_path / "blurred").mkdir()
    face_file(tmp_path / "blurred", "00002_0.jpg")
    (tmp_path / "cover.jpg").write_bytes(jpeg())
    with open_incoming(tmp_path) as found:
        assert "blurred/00002_0.jpg" in map(str, found.faces)
    face_file(tmp_path, "00001_0.jpg")
    with open_incoming(tmp_path) as found:
        assert [face.person for face in found.faces] == [None, None]
        assert "blurred were left out" in found.problems[0]
