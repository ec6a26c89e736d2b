"""New names for a whole folder at once: in one step, or by the journal where a disk cannot."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dflcolab.errors import FacesetError, Interrupted
from dflcolab.faceset import exchange
from dflcolab.faceset.exchange import shadow_of
from dflcolab.faceset.folder_lock import alone_in, using
from dflcolab.faceset.renaming import JOURNAL_NAME, recover, rename_all
from dflcolab.files import list_files
from dflcolab.progress import Progress

NAMES = {f"{n}.jpg": f"{(n + 1) % 4}.jpg" for n in range(4)}
AFTER = {new: old for old, new in NAMES.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "side" / "aligned"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(name)
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.jpg")}


def beside(folder: Path) -> list[str]:
    return [path.name for path in folder.parent.iterdir()]


@pytest.fixture
def journal_written(monkeypatch) -> list[Path]:
    """Folders whose names changed by the journal."""
    from dflcolab.faceset import renaming

    seen: list[Path] = []
    write = renaming._write_journal

    def noted(where: Path, **words):
        seen.append(where)
        write(where, **words)

    monkeypatch.setattr(renaming, "_write_journal", noted)
    return seen


def test_all_names_change_in_one_step_and_nothing_is_left(folder: Path, journal_written):
    rename_all(folder, NAMES)

    assert texts(folder) == AFTER
    assert beside(folder) == ["aligned"]
    assert not journal_written


def test_every_other_entry_the_mode_and_the_time_of_the_folder_stay(folder: Path):
    (folder / "notes.txt").write_text("mine")
    (folder / ".hidden").write_text("hidden")
    (folder / "link.jpg").symlink_to("../elsewhere.jpg")
    folder.chmod(0o750)
    os.utime(folder, (1_600_000_000, 1_600_000_000))
    times = {path.read_text(): path.stat().st_mtime_ns for path in folder.glob("?.jpg")}

    rename_all(folder, NAMES)

    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / ".hidden").read_text() == "hidden"
    assert (folder / "link.jpg").readlink() == Path("../elsewhere.jpg")
    assert folder.stat().st_mode & 0o777 == 0o750
    assert folder.stat().st_mtime == 1_600_000_000
    assert {path.read_text(): path.stat().st_mtime_ns for path in folder.glob("?.jpg")} == times


def test_a_folder_reached_through_a_link_stays_behind_that_link(folder: Path, tmp_path: Path):
    link = tmp_path / "short"
    link.symlink_to(folder)

    rename_all(link, NAMES)

    assert link.is_symlink()
    assert texts(folder) == AFTER
    assert beside(folder) == ["aligned"]


@pytest.mark.parametrize("killed", [False, True])
def test_a_folder_in_the_folder_moves_over(folder: Path, journal_written, monkeypatch, killed):
    (folder / "person" / "inner").mkdir(parents=True)
    (folder / "person" / "inner" / "a.jpg").write_text("a")

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if killed:
            patch.setattr(exchange, "_take_folders", kill)
        with pytest.raises(KeyboardInterrupt) if killed else contextlib.nullcontext():
            rename_all(folder, NAMES)
    assert texts(folder) == AFTER
    recover(folder)

    assert texts(folder) == AFTER
    assert (folder / "person" / "inner" / "a.jpg").read_text() == "a"
    assert not journal_written
    assert beside(folder) == ["aligned"]


def test_a_folder_that_cannot_move_takes_the_way_by_the_journal(
    folder: Path, journal_written, monkeypatch
):
    (folder / "person").mkdir()
    monkeypatch.setattr(exchange, "_can_move", lambda _: False)
    rename_all(folder, NAMES)
    assert texts(folder) == AFTER
    assert journal_written
    assert beside(folder) == ["aligned"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS])
def test_a_disk_without_hard_links_takes_the_way_by_the_journal(
    folder: Path, monkeypatch, journal_written, number: int
):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)

    rename_all(folder, NAMES)

    assert texts(folder) == AFTER
    assert journal_written
    assert beside(folder) == ["aligned"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EPERM])
def test_a_disk_without_exchange_takes_the_way_by_the_journal(
    folder: Path, monkeypatch, journal_written, number: int
):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(exchange, "_exchange_function", lambda: refuse)

    rename_all(folder, NAMES)

    assert texts(folder) == AFTER
    assert journal_written
    assert beside(folder) == ["aligned"]


def test_a_folder_that_is_a_disk_of_its_own_takes_the_way_by_the_journal(folder: Path):
    """A real mount: links to beside it are refused by the system, not by a double."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this system does not let a user mount a disk of his own")
    code = (
        "import sys; from pathlib import Path; from dflcolab.faceset.renaming import rename_all\n"
        f"folder = Path({str(folder)!r})\n"
        f"names = {NAMES!r}\n"
        "[(folder / name).write_text(name) for name in names]\n"
        "rename_all(folder, names)\n"
        "print({path.name: path.read_text() for path in folder.iterdir()} == "
        "{new: old for old, new in names.items()}, [p.name for p in folder.parent.iterdir()])"
    )
    script = f'mount -t tmpfs tmpfs {folder} && {sys.executable} -c "$0"'

    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, code], capture_output=True, text=True
    )

    assert done.stdout.strip() == "True ['aligned']", done.stderr


def leave_links(folder: Path, names: dict[str, str]) -> Path:
    """Leave the hidden folder of a run that was killed."""
    shadow = shadow_of(folder)
    shadow.mkdir()
    for old, new in names.items():
        os.link(folder / old, shadow / new)
    return shadow


def test_links_that_a_killed_run_left_are_removed(folder: Path, caplog):
    leave_links(folder, dict(list(NAMES.items())[:3]))

    assert recover(folder)

    assert texts(folder) == {name: name for name in NAMES}
    assert beside(folder) == ["aligned"]
    assert not caplog.records
    assert not recover(folder)


def test_links_that_a_killed_run_left_are_removed_from_a_copied_workspace(
    folder: Path, tmp_path: Path
):
    leave_links(folder, NAMES)
    copy = tmp_path / "copy"
    shutil.copytree(folder.parent, copy)  # links became files of their own

    assert recover(copy / "aligned")

    assert beside(copy / "aligned") == ["aligned"]
    assert texts(copy / "aligned") == {name: name for name in NAMES}


def test_what_only_the_hidden_folder_holds_is_kept_where_people_see_it(folder: Path, caplog):
    leave_links(folder, NAMES)
    (folder / "1.jpg").unlink()  # somebody deleted a face after the kill

    with caplog.at_level(logging.WARNING):
        recover(folder)

    assert sorted(beside(folder)) == ["aligned", "aligned_found"]
    assert texts(folder.parent / "aligned_found") == {NAMES["1.jpg"]: "1.jpg"}
    assert "aligned_found" in caplog.text
    assert sorted(texts(folder)) == ["0.jpg", "2.jpg", "3.jpg"]


def test_the_next_sort_removes_the_links_first(folder: Path):
    leave_links(folder, NAMES)

    rename_all(folder, NAMES)

    assert texts(folder) == AFTER
    assert beside(folder) == ["aligned"]


def test_a_file_that_comes_at_the_last_moment_is_taken_along(folder: Path, monkeypatch):
    swap = exchange._exchange_function()
    assert swap is not None

    def late(one: Path, other: Path):
        (folder / "late.jpg").write_text("late")
        (folder / "0.jpg").unlink()
        (folder / "0.jpg").write_text("edited")
        swap(one, other)

    monkeypatch.setattr(exchange, "_exchange_function", lambda: late)

    rename_all(folder, NAMES)

    assert texts(folder) == {**AFTER, "late.jpg": "late", "0~2.jpg": "edited"}
    assert beside(folder) == ["aligned"]


def test_a_file_that_comes_while_links_are_made_is_linked_too(folder: Path, monkeypatch):
    link, came = os.link, []

    def slow(*words, **options):
        if not came:
            came.append(True)
            (folder / "late.jpg").write_text("late")
        link(*words, **options)

    monkeypatch.setattr(os, "link", slow)

    rename_all(folder, NAMES)

    assert texts(folder) == {**AFTER, "late.jpg": "late"}


@pytest.mark.parametrize(
    "name", ["", "..", "a/b.jpg", "a\\b.jpg", "x" * 252 + ".jpg", "\ud800.jpg"]
)
def test_a_name_that_no_file_can_have_is_refused_before_anything_moves(folder: Path, name: str):
    with pytest.raises(FacesetError, match="cannot be a file name"):
        rename_all(folder, {**NAMES, "0.jpg": name})

    assert texts(folder) == {name: name for name in NAMES}
    assert not (folder / JOURNAL_NAME).exists()


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_file_whose_name_is_no_text_is_renamed_as_well(folder: Path, in_one_step: bool):
    odd = os.fsdecode(b"odd\xff.jpg")
    (folder / odd).write_text("odd")

    rename_all(folder, {odd: "plain.jpg"}, in_one_step=in_one_step)

    assert texts(folder)["plain.jpg"] == "odd"


_ROTATE = """
import sys
from pathlib import Path
from dflcolab.faceset.folder_lock import alone_in
from dflcolab.faceset.renaming import rename_all
folder, rounds, in_one_step = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
for _ in range(rounds):
    with alone_in(folder):
        names = sorted(p.name for p in folder.glob("*.jpg"))
        rename_all(folder, dict(zip(names, names[1:] + names[:1])), in_one_step=in_one_step)
"""


@pytest.mark.parametrize("in_one_step", [True, False])
def test_processes_that_rename_at_once_take_turns(folder: Path, in_one_step: bool):
    """Each turn is one rotation; the folder's lock must outlive its exchange, or turns get lost."""
    words = [sys.executable, "-c", _ROTATE, str(folder), "31", str(in_one_step)]
    running = [subprocess.Popen(words, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        assert process.communicate(timeout=120)[1] == b""
        assert process.returncode == 0

    # 93 rotations of four files are one more than a number of whole turns.
    assert texts(folder) == AFTER
    assert beside(folder) == ["aligned"]


def test_a_reader_sees_the_old_names_or_the_new_ones_while_another_process_sorts(folder: Path):
    for n in range(4, 200):
        (folder / f"{n}.jpg").write_text(str(n))
    sizes = set()
    process = subprocess.Popen([sys.executable, "-c", _ROTATE, str(folder), "40", "True"])
    while process.poll() is None:
        sizes.add(len(list_files(folder, (".jpg",))))

    assert sizes == {200}


_HOLD = """
import sys, time
from pathlib import Path
from dflcolab.faceset.folder_lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


def test_waiting_says_so_and_can_be_stopped(folder: Path):
    words = [sys.executable, "-c", _HOLD, str(folder)]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        messages: list[str] = []

        class Listener(Progress):
            def message(self, text: str) -> None:
                messages.append(text)
                self.request_stop()

        with pytest.raises(Interrupted), alone_in(folder, progress=Listener()):
            pass
        assert "waiting" in messages[0]
    finally:
        holder.kill()
        holder.communicate()
    with alone_in(folder):  # the lock ended with its process
        pass


def test_readers_share_and_writers_wait_for_them(folder: Path):
    progress = Progress()
    progress.request_stop()  # whoever would have to wait is told to stop
    words = [sys.executable, "-c", _HOLD.replace("alone_in", "using"), str(folder)]
    reader = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert reader.stdout is not None
        reader.stdout.readline()
        with using(folder, progress=progress):
            pass
        with pytest.raises(Interrupted), alone_in(folder, progress=progress):
            pass
    finally:
        reader.kill()
        reader.communicate()


def test_ten_thousand_files_change_names_in_a_moment(tmp_path: Path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    names = [f"{n:05d}.jpg" for n in range(10_000)]
    for name in names:
        (folder / name).touch()
    begin = time.perf_counter()

    rename_all(folder, dict(zip(names, reversed(names), strict=True)))

    assert time.perf_counter() - begin < 5  # 0.4 s on a quiet core; the rest is for busy machines
