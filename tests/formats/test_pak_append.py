"""Adding faces to a pack: DeepFaceLab reads every state that counts, and a kill loses nothing."""

from __future__ import annotations

import io
import os
import pickle
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dflcolab.errors import FormatError, Interrupted, StorageError
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.formats.faceset_pak import PakItem, PakReader, write_pak
from dflcolab.formats.pak_append import append_to_pak
from dflcolab.formats.pak_redo import redo_path
from dflcolab.progress import Progress
from tests.formats.face_files import VECTORS, face_file


def faces(folder: Path, n: int, *, start: int = 0, person: str | None = None) -> list[PakItem]:
    folder.mkdir(exist_ok=True)
    paths = [
        face_file(folder, f"{i:05d}_0.jpg", seed=i % 7, mask=i % 3 == 1, polygons=i % 3 == 2)
        for i in range(start, start + n)
    ]
    return [PakItem(path.name, read_face(path), person) for path in paths]


class _Plain(pickle.Unpickler):
    """NumPy's own arrays and nothing else, read by Python's unpickler as DeepFaceLab does."""

    def find_class(self, module: str, name: str):
        assert not module.startswith("numpy._core"), "old NumPy cannot import this"
        allowed = {"numpy.core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype"}
        assert f"{module}.{name}" in allowed
        return np.zeros(1).__reduce__()[0] if name == "_reconstruct" else getattr(np, name)


def as_deepfacelab(data: bytes) -> list[tuple[dict, bytes]]:
    """A pack read in the way that the interoperability notes describe, last entry included."""
    version, config_size = struct.unpack_from("<QQ", data)
    assert version == 1
    stream = io.BytesIO(data[16 : 16 + config_size])
    configs = _Plain(stream).load()
    assert stream.tell() == config_size  # the pickle fills its place, to the last byte
    n = len(configs)
    table = struct.unpack_from(f"<{n + 1}Q", data, 16 + config_size)
    start = 16 + config_size + 8 * (n + 1)
    return [
        (configs[i], data[start + table[i] : start + table[i + 1]])
        for i in range(n)
    ]  # fmt: skip


def test_deepfacelab_reads_the_pack_after_every_addition(tmp_path: Path):
    pak = tmp_path / "faceset.pak"
    items = faces(tmp_path / "all", 30)
    write_pak(pak, items[:10])
    for first, last in ((10, 11), (11, 13), (13, 30)):
        done = append_to_pak(pak, items[first:last])
        assert done.in_place
        found = as_deepfacelab(pak.read_bytes())
        assert [config["filename"] for config, _ in found] == [i.name for i in items[:last]]
        assert [data for _, data in found] == [i.face.jpeg() for i in items[:last]]
        with PakReader(pak) as reader:
            for i, item in enumerate(items[:last]):
                face = reader.read(i)
                np.testing.assert_array_equal(face.record.landmarks, item.face.record.landmarks)
                assert face.record.xseg_mask == item.face.record.xseg_mask
                assert len(face.record.polygons) == len(item.face.record.polygons)


def test_old_pictures_are_not_written_again(tmp_path: Path):
    pak = tmp_path / "faceset.pak"
    items = faces(tmp_path / "all", 6)
    write_pak(pak, items[:5])
    before = pak.stat()
    with PakReader(pak) as reader:
        start, end = reader.layout.data_start, reader.layout.data_end
    done = append_to_pak(pak, items[5:])

    assert pak.stat().st_ino == before.st_ino
    with PakReader(pak) as reader:
        assert reader.layout.data_start == start
    # The new picture, and twice (in the redo file too) its metadata and the table.
    assert done.bytes_written < len(items[5].face.jpeg()) + 2 * 8000
    assert pak.stat().st_size == end + len(items[5].face.jpeg())


@pytest.mark.parametrize("name", ["faceset.pak", "faceset_flat.pak"])
def test_a_pack_of_deepfacelabs_is_written_again_once_with_room(name: str, tmp_path: Path):
    pak = tmp_path / "faceset.pak"
    shutil.copy(VECTORS / "pak" / name, pak)
    pak.chmod(0o644)
    with PakReader(pak) as reader:
        configs = [entry.config for entry in reader.entries]
        pictures = [reader.jpeg(i) for i in range(len(reader))]
    items = faces(tmp_path / "new", 3, person="carol")

    first = append_to_pak(pak, items[:1])
    second = append_to_pak(pak, items[1:])

    assert (first.in_place, second.in_place) == (False, True)
    with PakReader(pak) as reader:
        assert [reader.jpeg(i) for i in range(len(pictures))] == pictures
        for entry, config in zip(reader.entries, configs, strict=False):
            assert list(entry.config) == list(config)
            assert repr(entry.config) == repr(config)
        assert reader.names[-3:] == [f"carol/{item.name}" for item in items]


def test_without_room_left_the_pack_is_written_again(tmp_path: Path):
    pak = tmp_path / "faceset.pak"
    items = faces(tmp_path / "all", 8)
    write_pak(pak, items[:4], room=6000)
    in_place = [append_to_pak(pak, [item]).in_place for item in items[4:]]
    assert in_place[0]
    assert not all(in_place)
    with PakReader(pak) as reader:
        assert [reader.jpeg(i) for i in range(8)] == [item.face.jpeg() for item in items]


@pytest.mark.bad_day("pak-damaged")
def test_room_that_is_only_pretended_is_not_used(tmp_path: Path):
    pak = tmp_path / "faceset.pak"
    items = faces(tmp_path / "all", 3)
    write_pak(pak, items[:2])
    data = pak.read_bytes()
    with PakReader(pak) as reader:
        size = reader.layout.config_size
    head = data[16 : 16 + size]
    place = head.rindex(b"\x8e", 0, head.index(b"dflcolab room"))
    forged = head[: place - 1] + b"0" + head[place:]  # an item of the list goes instead of its end
    pak.write_bytes(data[:16] + forged + data[16 + size :])
    before = pak.read_bytes()
    with pytest.raises(FormatError, match=r"faceset\.pak"):
        append_to_pak(pak, items[2:])
    assert pak.read_bytes() == before


def test_a_stop_request_leaves_the_pack_as_it_was(tmp_path: Path):
    pak = tmp_path / "faceset.pak"
    items = faces(tmp_path / "all", 4)
    write_pak(pak, items[:2])
    before = pak.read_bytes()
    progress = Progress()
    progress.request_stop()
    with pytest.raises(Interrupted):
        append_to_pak(pak, items[2:], progress=progress)
    assert pak.read_bytes() == before


class _Failing:
    """Makes the n-th write, flush or rename fail, as a full disk or a kill does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
        self.left = n
        for name in ("fsync", "replace"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))
        monkeypatch.setattr(Path, "open", self._opening(Path.open))
        monkeypatch.setattr(Path, "unlink", self._counted(Path.unlink))

    def _counted(self, function):
        def counted(*args, **kwargs):
            self.tick()
            return function(*args, **kwargs)

        return counted

    def _opening(self, function):
        def opening(path, mode="r", *args, **kwargs):
            if mode != "rb+":
                return function(path, mode, *args, **kwargs)
            return _Stream(function(path, mode, buffering=0), self)

        return opening

    def tick(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")


class _Stream(io.BufferedRandom):
    """A file whose every write counts; a failing one leaves half of its bytes."""

    def __init__(self, raw, failing: _Failing) -> None:
        super().__init__(raw)
        self._failing = failing

    def write(self, data) -> int:
        try:
            self._failing.tick()
        except OSError:
            super().write(bytes(data)[: len(data) // 2])
            super().flush()
            raise
        written = super().write(data)
        super().flush()
        return written

    def truncate(self, size=None):
        self._failing.tick()
        return super().truncate(size)


def states_of(pak: Path) -> list[bytes]:
    with PakReader(pak) as reader:
        return [reader.jpeg(i) for i in range(len(reader))]


def test_a_failure_of_any_write_leaves_the_old_faces_or_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    items = faces(tmp_path / "all", 6)
    old = [item.face.jpeg() for item in items[:3]]
    new = [item.face.jpeg() for item in items]
    original = tmp_path / "original.pak"
    write_pak(original, items[:3])
    outcomes: set[str] = set()
    for n in range(100):
        pak = tmp_path / f"{n}" / "faceset.pak"
        pak.parent.mkdir()
        shutil.copy(original, pak)
        with monkeypatch.context() as context:
            failing = _Failing(context, n)
            try:
                append_to_pak(pak, items[3:])
                outcomes.add("done")
            except StorageError:
                pass
            finished = failing.left >= 0
        found = states_of(pak)
        assert found in (old, new), n
        outcomes.add("old" if found == old else "new")
        assert not redo_path(pak).exists()
        if found == old:  # run again, it succeeds
            assert append_to_pak(pak, items[3:]).in_place
            assert states_of(pak) == new
        assert [data for _, data in as_deepfacelab(pak.read_bytes())] == new
        if finished:
            break
    assert outcomes == {"done", "old", "new"}
    assert n > 10


def test_a_reader_finishes_what_a_kill_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every byte of the head between its two forms, with the redo file beside it."""
    items = faces(tmp_path / "all", 5)
    pak = tmp_path / "faceset.pak"
    write_pak(pak, items[:3])
    before = pak.read_bytes()
    redo = redo_path(pak)
    kept: list[bytes] = []
    with monkeypatch.context() as context:
        context.setattr(
            "dflcolab.formats.pak_redo._apply", lambda *_: kept.append(redo.read_bytes())
        )
        append_to_pak(pak, items[3:])
    redo_bytes, untouched = kept[0], pak.read_bytes()
    assert untouched.startswith(before)
    assert states_of(pak) == [item.face.jpeg() for item in items]
    after = pak.read_bytes()
    changed = [i for i in range(len(after)) if after[i] != untouched[i]]
    for cut in random.Random(0).sample(changed, 20):
        pak.write_bytes(after[:cut] + untouched[cut:])
        redo.write_bytes(redo_bytes)
        assert states_of(pak) == [item.face.jpeg() for item in items]
        assert pak.read_bytes() == after
        assert not redo.exists()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other pack"])
def test_a_redo_file_that_is_not_whole_or_not_of_this_pack_changes_nothing(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    items = faces(tmp_path / "all", 5)
    pak = tmp_path / "faceset.pak"
    write_pak(pak, items[:3])
    redo = redo_path(pak)
    with monkeypatch.context() as context:
        context.setattr("dflcolab.formats.pak_redo._apply", lambda *_: None)
        append_to_pak(pak, items[3:])
    content = bytearray(redo.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "other pack":
        write_pak(pak, items[1:4])
    redo.write_bytes(content[:-1] if damage == "cut" else b"" if damage == "empty" else content)
    wanted = items[1:4] if damage == "other pack" else items[:3]

    assert states_of(pak) == [item.face.jpeg() for item in wanted]
    assert not redo.exists()


def test_bytes_behind_the_end_belong_to_no_face(tmp_path: Path):
    items = faces(tmp_path / "all", 3)
    pak = tmp_path / "faceset.pak"
    write_pak(pak, items[:2])
    with pak.open("ab") as stream:
        stream.write(b"half of a picture")
    assert states_of(pak) == [item.face.jpeg() for item in items[:2]]
    append_to_pak(pak, items[2:])
    assert states_of(pak) == [item.face.jpeg() for item in items]


_CHILD = """
import sys
from pathlib import Path
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.formats.faceset_pak import PakItem
from dflcolab.formats.pak_append import append_to_pak
folder = Path(sys.argv[1])
items = [PakItem(path.name, read_face(path)) for path in sorted((folder / "new").glob("*.jpg"))]
print("ready", flush=True)
for item in items:
    append_to_pak(folder / "faceset.pak", [item])
"""


@pytest.mark.slow
def test_a_killed_process_leaves_a_whole_pack(tmp_path: Path):
    old = faces(tmp_path / "old", 40)
    new = faces(tmp_path / "new", 60, start=100)
    pak = tmp_path / "faceset.pak"
    chance = random.Random(1)
    counts: list[int] = []
    for _ in range(15):
        write_pak(pak, old)
        with subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(tmp_path)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0, 0.6))
            child.send_signal(signal.SIGKILL)
        found = states_of(pak)
        n = len(found) - len(old)
        assert found == [item.face.jpeg() for item in [*old, *new[:n]]]
        append_to_pak(pak, new[n:])
        assert states_of(pak) == [item.face.jpeg() for item in [*old, *new]]
        counts.append(n)
    assert len(set(counts)) > 2  # the kills came at different moments
