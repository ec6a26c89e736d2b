"""Facesets larger than memory come from a file: same faces, never stale, never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dflcolab.errors import Interrupted, StorageError
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import load_faceset
from dflcolab.files import write_bytes
from dflcolab.progress import Progress
from dflcolab.training import face_cache
from dflcolab.training.dataset import prepare_faces
from dflcolab.training.face_cache import build_cached, open_cached
from dflcolab.workspace.workspace import Side, Workspace


@pytest.fixture
def folder(face_workspace: Path) -> Path:
    return Workspace.open(face_workspace).aligned_dir(Side.DST)


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_cache, "_MEMORY_SHARE", 0.0)


def _prepare(folder: Path, cache_dir: Path, problems: list[str] | None = None, **changes):
    faceset = load_faceset(folder)
    options = {"face_type": FaceType.WHOLE, "resolution": 32, "colors": True, **changes}
    return prepare_faces(
        faceset, range(len(faceset)), title="Loading", progress=changes.pop("progress", Progress()),
        cache_dir=cache_dir, problems=[] if problems is None else problems,
        **{name: value for name, value in options.items() if name != "progress"},
    )  # fmt: skip


def _assert_equal(first, second) -> None:
    np.testing.assert_array_equal(first.faces, second.faces)
    assert first.names == second.names
    assert first.yaws == second.yaws
    for part in ("own", "look", "points"):
        np.testing.assert_array_equal(getattr(first.colors, part), getattr(second.colors, part))


def test_batches_from_the_file_are_those_from_memory(folder: Path, tmp_path: Path, monkeypatch):
    cache = tmp_path / "cache"
    in_memory = _prepare(folder, cache)
    assert not cache.exists()
    monkeypatch.setattr(face_cache, "_MEMORY_SHARE", 0.0)

    built = _prepare(folder, cache)

    assert isinstance(built.faces, np.memmap)
    _assert_equal(built, in_memory)
    indices = np.array([5, 0, 5, 71])
    batch = built.batch(indices)
    assert not isinstance(batch, np.memmap)
    np.testing.assert_array_equal(batch, in_memory.batch(indices))
    (faces,) = cache.glob("faces-*.bin")
    assert faces.stat().st_size == 72 * 38 * 38 * 5
    before = faces.stat()

    again = _prepare(folder, cache)

    _assert_equal(again, in_memory)
    after = next(cache.glob("faces-*.bin")).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.usefixtures("no_memory")
def test_another_crop_and_changed_faces_are_prepared_anew(folder: Path, tmp_path: Path):
    first = _prepare(folder, tmp_path)
    smaller = _prepare(folder, tmp_path, face_type=FaceType.FULL)
    assert not np.array_equal(first.faces, smaller.faces)
    a, b = sorted(folder.glob("*.jpg"))[:2]
    # The same size and time as before, so only the content tells.
    times = a.stat().st_atime_ns, a.stat().st_mtime_ns
    write_bytes(a, b.read_bytes())
    os.utime(a, ns=times)

    changed = _prepare(folder, tmp_path)

    np.testing.assert_array_equal(changed.faces[0], first.faces[1])
    np.testing.assert_array_equal(changed.faces[1:], first.faces[1:])
    assert len(list(tmp_path.glob("faces-*.bin"))) == 3


@pytest.mark.usefixtures("no_memory")
def test_unreadable_faces_are_named_from_the_cache_too(folder: Path, tmp_path: Path):
    broken = sorted(folder.glob("*.jpg"))[3]
    data = broken.read_bytes()
    start = data.index(b"\xff\xdb")  # without its tables the picture cannot be decoded
    write_bytes(broken, data[:start] + data[data.rindex(b"\xff\xda") :])
    first, second = [], []
    built = _prepare(folder, tmp_path, first)
    again = _prepare(folder, tmp_path, second)
    assert first == second
    _assert_equal(built, again)
    if first:
        assert broken.name in first[0]
        assert len(built) == 71


_KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from dflcolab.training.face_cache import build_cached

def faces():
    for i in range(5):
        if sys.argv[2] == str(i):
            os.kill(os.getpid(), signal.SIGKILL)
        yield np.full((4, 4, 5), i, np.uint8)

def notes():
    if sys.argv[2] == "notes":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"kept": np.arange(5)}

build_cached(Path(sys.argv[1]), "key", 400, faces(), notes)
"""


@pytest.mark.parametrize("moment", ["0", "3", "notes"])
def test_a_killed_build_is_never_used(tmp_path: Path, moment: str):
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path), moment], check=False, timeout=120
    )
    assert killed.returncode == -signal.SIGKILL
    assert open_cached(tmp_path, "key", (4, 4, 5)) is None

    faces = [np.full((4, 4, 5), 9, np.uint8)] * 2
    build_cached(tmp_path, "key", 160, faces, lambda: {"kept": np.arange(2)})

    found = open_cached(tmp_path, "key", (4, 4, 5))
    assert found is not None
    np.testing.assert_array_equal(found[0], np.stack(faces))


def test_a_shortened_file_is_not_used(tmp_path: Path):
    build_cached(tmp_path, "key", 80, [np.zeros((4, 4, 5), np.uint8)], dict)
    (path,) = tmp_path.glob("*.bin")
    os.truncate(path, 70)
    assert open_cached(tmp_path, "key", (4, 4, 5)) is None
    (notes,) = tmp_path.glob("*.npz")
    os.truncate(notes, 70)
    assert open_cached(tmp_path, "key", (4, 4, 5)) is None


@pytest.mark.bad_day("face-cache-disk-full")
def test_too_little_room_is_one_sentence_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(StorageError, match=r"take \d+\.\d GB .* free some space") as caught:
        build_cached(tmp_path, "key", 1 << 60, [], dict)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_memory")
def test_an_interrupted_build_leaves_nothing(folder: Path, tmp_path: Path):
    progress = Progress()
    progress.request_stop()
    with pytest.raises(Interrupted):
        _prepare(folder, tmp_path / "cache", progress=progress)
    assert list((tmp_path / "cache").iterdir()) == []


def test_only_the_parts_used_last_stay(tmp_path: Path):
    face = [np.zeros((2, 2, 5), np.uint8)]
    now = time.time()
    for number in range(4):
        build_cached(tmp_path, f"k{number}", 20, face, dict)
        os.utime(tmp_path / f"faces-k{number}.npz", (now - 100 + number,) * 2)
    (tmp_path / ".faces-old.12345678.tmp.bin").write_bytes(b"left by a killed build")
    os.utime(tmp_path / ".faces-old.12345678.tmp.bin", (now - 7200,) * 2)
    (tmp_path / ".faces-new.12345678.tmp.bin").write_bytes(b"of a build that runs")
    (tmp_path / "mine.txt").write_text("not ours")
    assert open_cached(tmp_path, "k0", (2, 2, 5)) is not None  # used again: the youngest now

    build_cached(tmp_path, "k4", 20, face, dict)

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        ".faces-new.12345678.tmp.bin",
        *(f"faces-k{i}.{end}" for i in (0, 2, 3, 4) for end in ("bin", "npz")),
        "mine.txt",
    ]
