"""Packs: what is written comes back, and packs of strangers do no harm."""

from __future__ import annotations

import gc
import struct
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import DFLColabError, FormatError, Interrupted, UnsafeFileError
from dflcolab.formats import pickle_writer
from dflcolab.formats.dfl_jpeg import face_from_bytes, read_face
from dflcolab.formats.faceset_pak import PakItem, PakReader, verify_pak, write_pak
from dflcolab.progress import Progress
from tests.formats.face_files import VECTORS, face_file, jpeg, record


def items_in(folder: Path, n: int = 3, person: str | None = None) -> list[PakItem]:
    paths = [
        face_file(folder, f"{i:05d}_0.jpg", seed=i, mask=i == 1, polygons=i == 2) for i in range(n)
    ]
    return [PakItem(path.name, read_face(path), person) for path in paths]


def write_raw(path: Path, configs: object, files: list[bytes]) -> Path:
    """A pack with any configuration, laid out as DeepFaceLab does."""
    config = pickle_writer.dumps(configs)
    offsets = list(np.cumsum([0, *map(len, files)]))
    head = struct.pack("<QQ", 1, len(config)) + config
    table = struct.pack(f"<{len(offsets)}Q", *map(int, offsets))
    path.write_bytes(head + table + b"".join(files))
    return path


def test_faces_come_back_with_all_their_metadata(tmp_path: Path):
    items = items_in(tmp_path)
    write_pak(tmp_path / "faceset.pak", items)
    with PakReader(tmp_path / "faceset.pak") as reader:
        assert reader.names == [item.name for item in items]
        assert reader.persons == []
        for i, item in enumerate(items):
            face = reader.read(i)
            assert face.jpeg() == item.face.jpeg()
            np.testing.assert_array_equal(face.record.landmarks, item.face.record.landmarks)
            np.testing.assert_array_equal(
                face.record.source_landmarks, item.face.record.source_landmarks
            )
            assert face.record.xseg_mask == item.face.record.xseg_mask
            assert len(face.record.polygons) == len(item.face.record.polygons)


def test_a_pack_stays_open_for_its_faces_and_closes_with_the_last(tmp_path: Path):
    write_pak(tmp_path / "faceset.pak", items_in(tmp_path))
    face = PakReader(tmp_path / "faceset.pak").read(0)
    gc.collect()
    assert face.jpeg()
    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always")
        del face
        gc.collect()
    assert not left_open


def test_people_keep_their_folders(tmp_path: Path):
    items = [*items_in(tmp_path, 2, "anna"), *items_in(tmp_path, 1, "bert")]
    write_pak(tmp_path / "faceset.pak", items)
    with PakReader(tmp_path / "faceset.pak") as reader:
        assert reader.persons == ["anna", "bert"]
        assert reader.names[-1] == "bert/00000_0.jpg"


def test_an_empty_pack_is_a_pack(tmp_path: Path):
    write_pak(tmp_path / "faceset.pak", [])
    with PakReader(tmp_path / "faceset.pak") as reader:
        assert len(reader) == 0


def test_a_stop_request_leaves_no_half_pack(tmp_path: Path):
    progress = Progress()
    progress.request_stop()
    with pytest.raises(Interrupted):
        write_pak(tmp_path / "faceset.pak", items_in(tmp_path), progress=progress)
    assert not list(tmp_path.glob("*.pak*"))


@pytest.mark.bad_day("pak-not-verified")
def test_a_pack_that_differs_from_its_originals_does_not_verify(tmp_path: Path):
    items = items_in(tmp_path)
    write_pak(tmp_path / "faceset.pak", items)
    verify_pak(tmp_path / "faceset.pak", items, lambda item: item.face.jpeg())
    with pytest.raises(FormatError, match="did not verify"):
        verify_pak(tmp_path / "faceset.pak", items, lambda item: item.face.jpeg() + b"x")
    with pytest.raises(FormatError, match="did not verify"):
        verify_pak(tmp_path / "faceset.pak", items[:2], lambda item: item.face.jpeg())


def test_the_packs_own_copy_of_the_metadata_counts(tmp_path: Path):
    item = items_in(tmp_path, 1)[0]
    moved = item.face.record.replace(
        landmarks=item.face.record.landmarks + 1, eyebrows_expand_mod=2.0
    )
    other = face_from_bytes(item.face.jpeg(), "it")
    write_pak(
        tmp_path / "faceset.pak",
        [PakItem(item.name, type(other)("it", moved, 64, 64, item.face.jpeg))],
    )
    with PakReader(tmp_path / "faceset.pak") as reader:
        found = reader.read(0).record
    np.testing.assert_array_equal(found.landmarks, moved.landmarks)
    assert found.eyebrows_expand_mod == 2.0
    assert found.source_rect is not None  # from the picture file


@pytest.mark.bad_day("face-plain-picture")
def test_pictures_without_own_metadata_use_the_packs(tmp_path: Path):
    config = {"filename": "a.jpg", "landmarks": record().landmarks.tolist(), "face_type": 4}
    path = write_raw(tmp_path / "faceset.pak", [config], [jpeg()])
    with PakReader(path) as reader:
        face = reader.read(0)
    assert face.record.face_type is not None
    assert face.record.face_type.code == 4


@pytest.mark.parametrize(
    "name",
    ["../evil.jpg", "/etc/evil.jpg", "a/b.jpg", "a\\b.jpg", "..", ".hidden.jpg", "", "a\0.jpg", 7,
     "\n.jpg", "a\x1b[2J.jpg", "\ud800.jpg"],
)  # fmt: skip
@pytest.mark.parametrize("key", ["filename", "person_name"])
def test_names_that_leave_the_folder_are_refused(name: object, key: str, tmp_path: Path):
    config = {"filename": "a.jpg", "landmarks": [[0, 0]] * 68} | {key: name}
    path = write_raw(tmp_path / "faceset.pak", [config], [jpeg()])
    with pytest.raises(UnsafeFileError, match="leave its folder"):
        PakReader(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 8,
        struct.pack("<QQ", 2, 0),
        struct.pack("<QQ", 1, 1 << 60),
        struct.pack("<QQ", 1, 4) + b"\x80\x04N.",
        struct.pack("<QQ", 1, 4) + b"\x80\x04].",
        struct.pack("<QQ", 1, 5) + b"\x80\x04]Na",
    ],
)
def test_files_that_are_no_packs_are_refused(data: bytes, tmp_path: Path):
    path = tmp_path / "faceset.pak"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"faceset\.pak"):
        PakReader(path)


@pytest.mark.bad_day("face-cut")
def test_a_table_that_points_outside_is_refused(tmp_path: Path):
    write_pak(tmp_path / "faceset.pak", items_in(tmp_path))
    data = bytearray((tmp_path / "faceset.pak").read_bytes())
    table = 16 + struct.unpack_from("<Q", data, 8)[0]
    struct.pack_into("<Q", data, table + 8, 1 << 50)
    (tmp_path / "faceset.pak").write_bytes(data)
    with pytest.raises(FormatError, match="damaged or truncated"):
        PakReader(tmp_path / "faceset.pak")


SMALL_PAK = (VECTORS / "pak" / "faceset_flat.pak").read_bytes()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0.1, 1.0),
)
def test_mutated_packs_end_in_faces_or_in_one_sentence(tmp_path_factory, changes, keep):
    path = tmp_path_factory.getbasetemp() / "mutated.pak"
    mutated = bytearray(SMALL_PAK)
    for place, value in changes:
        mutated[place % len(mutated)] = value
    for candidate in (mutated, mutated[: int(keep * len(mutated))]):
        path.write_bytes(candidate)
        try:
            with PakReader(path) as reader:
                for i in range(len(reader)):
                    reader.read(i).decode()
        except DFLColabError:
            continue  # the one kind of failure that is allowed


def test_a_pack_of_very_many_long_names_opens_in_a_moment(tmp_path: Path):
    # Found by fuzzing: 50,000 names of 300 characters took 2 s when each character was looked at.
    config = {"filename": "x" * 300 + ".jpg", "landmarks": None}
    path = write_raw(tmp_path / "faceset.pak", [config] * 50_000, [b""] * 50_000)
    begin = time.process_time()

    with PakReader(path) as reader:
        assert len(reader) == 50_000

    assert time.process_time() - begin < 1.5  # 0.3 s on a quiet core
