from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dflcolab.errors import ModelError, StorageError
from dflcolab.files import (
    exclusive,
    list_files,
    natural_key,
    read_facts,
    remove_temporaries,
    replacing,
    sha256_of,
    write_bytes,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")

    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.ENOSPC, "full"), (errno.EROFS, "permission"), (errno.ENOTCONN, "reconnect")],
)
def test_complaints_of_the_disk_become_sentences(tmp_path: Path, number: int, word: str):
    with pytest.raises(StorageError, match=word), replacing(tmp_path / "a") as _:
        raise OSError(number, os.strerror(number))


def test_a_full_disk_is_named():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    from dflcolab.files import storage_errors

    with (
        pytest.raises(StorageError, match="disk is full"),
        storage_errors(full),
        full.open("wb") as out,
    ):
        out.write(b"x" * 10_000)
        out.flush()


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path):
    path = tmp_path / "a.bin"
    write_bytes(path, b"A" * 2_000_000)
    code = (
        "import sys; from pathlib import Path; from dflcolab.files import write_bytes\n"
        "path = Path(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for letter in (b'A', b'B'):\n"
        "        write_bytes(path, letter * 2_000_000)\n"
    )
    for delay in (0.0, 0.01, 0.03, 0.05, 0.08):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        content = path.read_bytes()
        assert len(content) == 2_000_000
        assert len(set(content)) == 1


def test_only_one_process_gets_in(tmp_path: Path):
    lock = tmp_path / ".a.lock"
    code = (
        "import sys; from pathlib import Path; from dflcolab.errors import ModelError\n"
        "from dflcolab.files import exclusive\n"
        "with exclusive(Path(sys.argv[1]), ModelError('busy')):\n"
        "    print('inside', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"inside\n"

    with pytest.raises(ModelError, match="busy"), exclusive(lock, ModelError("busy")):
        pass
    other.kill()
    other.communicate()
    with exclusive(lock, ModelError("busy")):
        pass


def test_listings_leave_half_written_files_out(tmp_path: Path):
    for name in ("b.jpg", "a.JPG", ".a.1234.tmp.jpg", "c.txt"):
        (tmp_path / name).touch()

    assert [path.name for path in list_files(tmp_path, (".jpg",))] == ["a.JPG", "b.jpg"]
    assert list_files(tmp_path / "missing", (".jpg",)) == []


def test_natural_order_counts():
    names = [Path(name) for name in ("f10", "f9", "F1")]

    assert [path.name for path in sorted(names, key=natural_key)] == ["F1", "f9", "f10"]


def test_hash_of_a_file(tmp_path: Path):
    write_bytes(tmp_path / "a", b"abc")

    assert sha256_of(tmp_path / "a").startswith("ba7816bf")


def test_what_a_killed_write_left_is_removed_and_nothing_else(tmp_path: Path):
    kept = [".hidden.jpg", "a.1234abcd.tmp.jpg", ".a.tmp.jpg", ".renaming.json", "b.jpg"]
    gone = [".a.1234abcd.tmp.jpg", "..renaming.00000000.tmp.json", ".faceset.deadbeef.tmp.pak"]
    for name in kept + gone:
        (tmp_path / name).touch()

    remove_temporaries(tmp_path)
    remove_temporaries(tmp_path / "missing")

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_facts_that_cannot_be_read_are_none(tmp_path: Path):
    path = tmp_path / "facts.json"
    path.write_text('{"a": 1}')
    assert read_facts(path) == {"a": 1}
    for damaged in (b"\xff", b"[1]", b"{", b"[" * 200_000):
        path.write_bytes(damaged)
        assert read_facts(path) == {}
    assert read_facts(tmp_path) == read_facts(tmp_path / "nothing") == {}


def test_a_name_that_is_no_text_can_be_written_about(tmp_path: Path):
    name = os.fsdecode(b"odd\xff.jpg")

    write_text(tmp_path / "a.json", json.dumps([name], ensure_ascii=False))

    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [name]


@pytest.mark.parametrize("stem", ["x" * 251, "顔" * 83, "🙂" * 62])
def test_a_name_as_long_as_the_disk_allows_can_be_written(tmp_path: Path, stem: str):
    write_bytes(tmp_path / f"{stem}.jpg", b"long")

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"long"]
