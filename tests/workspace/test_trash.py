"""The trash: reasons kept, everything undone, nothing lost at any kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dflcolab.errors import WorkspaceError
from dflcolab.workspace.trash import JOURNAL_NAME, Removal, Trash


@pytest.fixture
def trash(tmp_path: Path) -> Trash:
    home = tmp_path / "aligned"
    home.mkdir()
    for number in range(4):
        (home / f"{number:05d}.jpg").write_bytes(b"face %d" % number)
    return Trash(home, tmp_path / "aligned_trash")


def contents(*folders: Path) -> list[bytes]:
    return sorted(
        path.read_bytes() for folder in folders for path in folder.glob("*.jpg") if path.is_file()
    )


def test_a_removed_face_keeps_its_reason_and_score(trash: Trash):
    trash.move([Removal(trash.home / "00001.jpg", "blur", 0.25)])

    (entry,) = trash.entries()
    assert (entry.name, entry.reason, entry.score) == ("00001.jpg", "blur", 0.25)
    assert not (trash.home / "00001.jpg").exists()
    assert (trash.folder / "00001.jpg").read_bytes() == b"face 1"


def test_undo_brings_everything_back(trash: Trash):
    before = {path.name: path.read_bytes() for path in trash.home.iterdir()}
    trash.move([Removal(path, "test") for path in sorted(trash.home.iterdir())])

    trash.restore()

    assert {path.name: path.read_bytes() for path in trash.home.iterdir()} == before
    assert trash.entries() == []


def test_undo_of_some_leaves_the_rest(trash: Trash):
    entries = trash.move([Removal(trash.home / f"0000{n}.jpg", "test") for n in range(3)])

    trash.restore(entries[1:2])

    assert sorted(path.name for path in trash.home.iterdir()) == ["00001.jpg", "00003.jpg"]
    assert [entry.name for entry in trash.entries()] == ["00000.jpg", "00002.jpg"]


def test_a_face_comes_back_beside_a_new_one_of_its_name(trash: Trash):
    trash.move([Removal(trash.home / "00001.jpg", "test")])
    (trash.home / "00001.jpg").write_bytes(b"sorted since")

    (back,) = trash.restore()

    assert back.name == "00001~2.jpg"
    assert back.read_bytes() == b"face 1"
    assert (trash.home / "00001.jpg").read_bytes() == b"sorted since"


def test_a_name_is_never_used_twice_in_the_trash(trash: Trash):
    for text in (b"one", b"two", b"three"):
        (trash.home / "00001.jpg").write_bytes(text)
        trash.move([Removal(trash.home / "00001.jpg", "again")])

    assert contents(trash.folder) == [b"one", b"three", b"two"]
    assert len({entry.trash_name for entry in trash.entries()}) == 3


def test_files_that_another_program_put_there_come_back_too(trash: Trash):
    trash.folder.mkdir()
    (trash.folder / "old.jpg").write_bytes(b"old")

    assert trash.entries()[0].reason == "put here by another program"
    trash.restore()
    assert (trash.home / "old.jpg").read_bytes() == b"old"


def test_a_torn_last_line_hurts_nothing(trash: Trash):
    trash.move([Removal(trash.home / "00000.jpg", "first")])
    with (trash.folder / JOURNAL_NAME).open("ab") as stream:
        stream.write(b'{"name": "00001.jpg", "trash_na')

    trash.move([Removal(trash.home / "00002.jpg", "second")])

    assert [entry.reason for entry in trash.entries()] == ["first", "second"]


def test_a_line_that_names_another_folder_is_ignored(trash: Trash, tmp_path: Path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    trash.folder.mkdir()
    line = {"name": "x.jpg", "trash_name": "../secret.jpg", "reason": "", "score": None, "time": ""}
    (trash.folder / JOURNAL_NAME).write_text(json.dumps(line) + "\n")

    trash.restore()

    assert (tmp_path / "secret.jpg").exists()


_MOVER = """
import sys
from pathlib import Path
from dflcolab.workspace.trash import Removal, Trash
trash = Trash(Path(sys.argv[1]), Path(sys.argv[2]))
print("ready", flush=True)
while True:
    trash.move([Removal(path, "test") for path in sorted(trash.home.glob("*.jpg"))])
    trash.restore()
"""


@pytest.mark.parametrize("attempt", range(5))
def test_a_kill_at_any_moment_loses_no_file(trash: Trash, attempt: int):
    for number in range(60):
        (trash.home / f"{number:05d}.jpg").write_bytes(b"face %d" % number)
    before = contents(trash.home)
    process = subprocess.Popen(
        [sys.executable, "-c", _MOVER, str(trash.home), str(trash.folder)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.01 + 0.017 * attempt)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert contents(trash.home, trash.folder) == before
    trash.restore()
    assert contents(trash.home) == before


def test_a_name_that_is_no_text_comes_back_as_it_was(trash: Trash):
    odd = trash.home / os.fsdecode(b"odd\xff\xc3\xa4.jpg")
    odd.write_bytes(b"odd")

    trash.move([Removal(odd, "blur", 0.5)])
    (entry,) = trash.entries()
    assert entry.reason == "blur"
    trash.restore()

    assert odd.read_bytes() == b"odd"


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["blur"], ["00000.jpg", "00001.jpg"]),
        (["sort"], ["00002.jpg"]),
        (["sort by oneface"], ["00002.jpg"]),
        (["00001.jpg", "00003.jpg"], ["00001.jpg", "00003.jpg"]),
        (["*3.jpg", "blur"], ["00000.jpg", "00001.jpg", "00003.jpg"]),
    ],
)
def test_removed_faces_are_selected_by_check_name_or_pattern(trash: Trash, patterns, expected):
    reasons = ["blur: soft", "blur: very soft", "sort by oneface: two faces", "identity: other"]
    trash.move([Removal(trash.home / f"{n:05d}.jpg", reason) for n, reason in enumerate(reasons)])

    assert [entry.name for entry in trash.select(patterns)] == expected


@pytest.mark.bad_day("trash-nothing")
def test_a_pattern_that_names_nothing_says_what_there_is(trash: Trash):
    trash.move([Removal(trash.home / "00001.jpg", "blur: soft")])

    with pytest.raises(WorkspaceError, match="'identity'; it holds 1 by blur"):
        trash.select(["identity"])


def test_both_names_of_a_face_select_it(trash: Trash):
    for text in (b"one", b"two"):
        (trash.home / "00001.jpg").write_bytes(text)
        trash.move([Removal(trash.home / "00001.jpg", "again")])

    (entry,) = trash.select(["00001~2.jpg"])

    assert (trash.folder / entry.trash_name).read_bytes() == b"two"
    assert len(trash.select(["00001.jpg"])) == 2


def test_names_without_room_for_a_number_and_with_brackets(trash: Trash):
    """As long as a disk takes them: removed, brought back, removed again under a shorter name."""
    names = ["é" * 125 + "a.jpg", "00001 [1].jpg"]
    for name in names:
        (trash.home / name).write_bytes(name.encode())
    for _ in range(2):
        trash.move([Removal(trash.home / name, "blur") for name in names])
        trash.restore(trash.select(names))

    assert {name: (trash.home / name).read_bytes() for name in names} == {
        name: name.encode() for name in names
    }
    assert trash.entries() == []
