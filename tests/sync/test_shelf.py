"""The list of workspaces on a shelf: one line each, the newest first, whatever else lies there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dflcolab.errors import SyncError
from dflcolab.progress import Progress
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.sync.shelf import stored_workspaces
from dflcolab.workspace.workspace import Workspace
from tests.sync.conftest import FaultyFileSystem


def test_workspaces_are_listed_with_what_they_hold(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, Remote.open(shelf / "older"), Progress())
    time.sleep(1.1)  # times of copies are whole seconds
    push(workspace, Remote.open(shelf / "newer"), Progress())
    (shelf / "holiday photos").mkdir()
    (shelf / "note.txt").write_text("not a workspace")

    newer, older = stored_workspaces(Remote.open(shelf))

    assert (newer.name, older.name) == ("newer", "older")
    assert newer.line().startswith("newer: 20")
    assert "MB, 1 copy, " in newer.line()
    assert older.size_bytes > 600_000


def test_a_damaged_list_is_passed_over_and_told_if_there_is_no_other(
    workspace: Workspace, tmp_path: Path
):
    remote = Remote.open(tmp_path / "shelf" / "mine")
    push(workspace, remote, Progress())
    first = next((tmp_path / "shelf/mine/generations").iterdir())
    (workspace.root / "history" / "note.txt").write_text("new")
    push(workspace, remote, Progress())
    second = max((tmp_path / "shelf/mine/generations").iterdir())
    second.write_bytes(second.read_bytes()[:100])

    (stored,) = stored_workspaces(Remote.open(tmp_path / "shelf"))
    assert stored.copies == 2
    assert not stored.problem

    first.write_bytes(b"")
    (stored,) = stored_workspaces(Remote.open(tmp_path / "shelf"))
    assert stored.line() == "mine: no list of a copy can be read."


def test_no_shelf_yet_holds_nothing(tmp_path: Path):
    assert stored_workspaces(Remote.open(tmp_path / "none")) == ()


def test_a_dead_mount_is_one_sentence(workspace: Workspace, tmp_path: Path):
    push(workspace, Remote.open(tmp_path / "shelf" / "mine"), Progress())
    system = FaultyFileSystem()
    system.left = 0

    with pytest.raises(SyncError, match="offline"):
        stored_workspaces(Remote(system, str(tmp_path / "shelf"), "Drive"))
