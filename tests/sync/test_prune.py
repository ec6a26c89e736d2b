"""Old copies go, and nothing that a remaining one needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dflcolab.errors import SyncError
from dflcolab.sync import prune as prune_module
from dflcolab.sync import waiting, writing
from dflcolab.sync.confirmed import Confirmed
from dflcolab.sync.damage import Damage
from dflcolab.sync.generations import list_generations, stored_path
from dflcolab.sync.manifest import GenerationName
from dflcolab.sync.memory import Memory
from dflcolab.sync.prune import SETTLED_S, PruneReport, prune
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.sync.retention import Retention
from dflcolab.sync.verify import verify
from dflcolab.workspace.workspace import Workspace
from tests.sync.conftest import FaultyFileSystem, files_of

LAST = Retention(last=1, best=False, days=0)


def numbers(remote: Remote) -> list[int]:
    return [name.number for name in list_generations(remote)]


def fill(workspace: Workspace, remote: Remote, n: int) -> None:
    for number in range(n):
        (workspace.root / "result.mp4").write_bytes(b"%d" % number * 1000)
        (workspace.root / "data_src" / "aligned" / "00001_0.jpg").write_bytes(b"%d" % number)
        push(workspace, remote)


def test_what_is_left_comes_back_whole(workspace: Workspace, remote: Remote, tmp_path: Path):
    fill(workspace, remote, 4)
    dry = prune(remote, "someone0", LAST, dry_run=True)
    assert numbers(remote) == [4, 3, 2, 1]

    report = prune(remote, "someone0", LAST)

    assert [row.name for row in report.removed] == [row.name for row in dry.removed]
    assert (report.objects_removed, report.bytes_removed) == (
        dry.objects_removed,
        dry.bytes_removed,
    )
    assert numbers(remote) == [4]
    assert report.objects_removed == 5  # results and faces of 1 to 3; the first pack has the rest
    assert not verify(remote).damaged
    pull(remote, tmp_path / "back")
    assert (tmp_path / "back" / "result.mp4").read_bytes() == b"3" * 1000
    assert prune(remote, "someone0", LAST).removed == ()


def test_a_push_after_a_prune_goes_on(workspace: Workspace, remote: Remote, tmp_path: Path):
    fill(workspace, remote, 3)
    prune(remote, "someone0", LAST)
    (workspace.root / "result.mp4").write_bytes(b"after")

    report = push(workspace, remote)

    assert (report.generation, report.notes) == (4, ())
    pull(remote, tmp_path / "back")
    assert (tmp_path / "back" / "result.mp4").read_bytes() == b"after"


def test_objects_of_a_push_in_the_making_stay(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    remote = Remote.open(shelf)
    fill(workspace, remote, 2)
    young, old = (shelf / "objects" / name for name in ("young.bin", "old.bin"))
    young.parent.mkdir(exist_ok=True)
    for path in (young, old):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 2 * 86400,) * 2)

    prune(remote, "someone0", LAST)

    assert young.exists()
    assert not old.exists()


def test_a_list_that_cannot_be_read_keeps_all_objects_while_it_is_young(
    workspace: Workspace, tmp_path: Path
):
    shelf = tmp_path / "shelf"
    remote = Remote.open(shelf)
    fill(workspace, remote, 2)
    broken = shelf / stored_path(GenerationName(9, 9, "abcd0123"))
    broken.write_bytes(b"{")
    before = {path for path in files_of(shelf) if path.startswith(("packs", "objects", "files"))}

    report = prune(remote, "someone0", LAST)

    assert "cannot be read yet" in report.notes[0]
    assert before <= files_of(shelf).keys()
    os.utime(broken, (time.time() - 2 * 86400,) * 2)
    assert "damaged" in prune(remote, "someone0", LAST).removed[0].reason
    assert not broken.exists()


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Remote]:
    """A remote whose files have the mark that it is called with, as on a mounted Drive."""

    def marked(mark: bytes) -> Remote:
        monkeypatch.setattr(os, "getxattr", lambda _, name: mark, raising=False)
        monkeypatch.setattr(writing, "SETTLE_S", 0.0)
        return Remote.open(tmp_path / "shelf")

    return marked


UPLOADED, WAITING = b"1abc", b"local-1"


def go(remote: Remote, workspace: Workspace) -> PruneReport:
    memory = Memory(workspace.root)
    confirmed, damage = Confirmed(memory, remote), Damage(memory, remote)
    return prune(remote, memory.client, LAST, damage=damage, confirmed=confirmed)


def confirm(remote: Remote, workspace: Workspace, **which: Any) -> None:
    verify(remote, fresh=True, **which).note(Memory(workspace.root), remote)


def test_on_a_drive_what_waits_for_its_upload_proves_nothing(
    workspace: Workspace, drive: Callable[[bytes], Remote]
):
    remote = drive(WAITING)
    fill(workspace, remote, 3)

    report = go(remote, workspace)

    assert numbers(remote) == [3, 2, 1]
    assert "until a newer one has been confirmed" in report.notes[0]
    go(drive(UPLOADED), workspace)
    assert numbers(remote) == [3]


def test_on_a_drive_the_last_confirmed_copy_stays_whatever_the_marks_say(
    workspace: Workspace, drive: Callable[[bytes], Remote]
):
    remote = drive(UPLOADED)
    fill(workspace, remote, 2)
    confirm(remote, workspace)
    fill(workspace, remote, 3)

    reasons = {row.name[:6]: row.reason for row in go(remote, workspace).kept}

    assert numbers(remote) == [5, 2]
    assert "confirmed" in reasons["000002"]
    confirm(remote, workspace)
    go(remote, workspace)
    assert numbers(remote) == [5]


def test_a_copy_that_was_found_damaged_stands_for_no_older_one(
    workspace: Workspace, drive: Callable[[bytes], Remote], tmp_path: Path
):
    remote = drive(UPLOADED)
    fill(workspace, remote, 2)
    confirm(remote, workspace, every=True)
    newest = tmp_path / "shelf" / "files" / "result.000002.mp4"
    newest.write_bytes(b"x" * newest.stat().st_size)
    confirm(remote, workspace)

    report = go(remote, workspace)

    assert numbers(remote) == [2, 1]
    assert any("result.000002.mp4 is altered" in row.reason for row in report.kept)


def test_copies_of_another_machine_go_once_a_later_one_is_confirmed(
    workspace: Workspace, drive: Callable[[bytes], Remote], tmp_path: Path
):
    remote = drive(UPLOADED)
    fill(workspace, remote, 3)
    pull(remote, tmp_path / "other")
    other = Workspace.open(tmp_path / "other")
    confirm(remote, other)

    assert go(remote, other).removed == ()
    settled = time.time() - SETTLED_S
    os.utime(tmp_path / "shelf" / stored_path(list_generations(remote)[0]), (settled, settled))
    go(remote, other)

    assert numbers(remote) == [3]


def test_a_prune_may_fail_anywhere_and_the_next_one_ends_it(
    workspace: Workspace, faulty: tuple[Remote, FaultyFileSystem], tmp_path: Path
):
    remote, filesystem = faulty
    fill(workspace, remote, 3)
    n_failures = 0
    for step in range(100):
        filesystem.left = 3 * step
        try:
            prune(remote, "someone0", LAST, grace_s=0.0)
        except SyncError:
            n_failures += 1
        else:
            break
        filesystem.left = None
        assert not verify(remote).damaged

    filesystem.left = None
    assert n_failures > 5
    prune(remote, "someone0", LAST, grace_s=0.0)
    assert numbers(remote) == [3]
    pull(remote, tmp_path / "back")
    assert (tmp_path / "back" / "result.mp4").read_bytes() == b"2" * 1000


def test_on_a_drive_room_is_free_an_hour_after_copies_went(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Not after a day: a session that pushes a model every ten minutes would fill the Drive."""
    shelf = tmp_path / "shelf"
    remote = Remote.open(shelf)
    fill(workspace, remote, 3)
    monkeypatch.setattr(prune_module, "shows_late", lambda _: True)
    memory = Memory(workspace.root)
    unused_since = memory.unused_since
    now = time.time()

    def go(minutes: float) -> int:
        monkeypatch.setattr(waiting.time, "time", lambda: now + 60 * minutes)
        return prune(remote, memory.client, LAST, unused_since=unused_since).objects_removed

    assert go(0) == 0
    assert numbers(remote) == [3]
    assert go(30) == 0
    assert go(61) == 3  # two results and a face
    assert not verify(remote).damaged
