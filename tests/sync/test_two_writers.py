"""Two machines and one remote: nobody's work is lost, and both are told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dflcolab.errors import SyncError
from dflcolab.sync.generations import list_generations
from dflcolab.sync.lease import Lease
from dflcolab.sync.memory import Memory
from dflcolab.sync.overview import log, status
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.workspace.placing import HIDDEN
from dflcolab.workspace.workspace import Workspace


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


@pytest.fixture
def other(workspace: Workspace, shelf: Path, tmp_path: Path) -> Workspace:
    """The same workspace on another machine, pulled from the first copy."""
    push(workspace, shelf)
    pull(shelf, tmp_path / "other")
    return Workspace.open(tmp_path / "other")


def result(workspace: Workspace, text: str) -> None:
    (workspace.root / "result.mp4").write_text(text)


def base_of(workspace: Workspace, shelf: Path) -> str:
    return Memory(workspace.root).base(Remote.open(shelf).name).name


def test_work_that_goes_back_and_forth_is_one_line(
    workspace: Workspace, other: Workspace, shelf: Path
):
    result(other, "by the other")
    push(other, shelf)
    pull(shelf, workspace.root)
    result(workspace, "by the first again")

    report = push(workspace, shelf)

    assert (report.generation, report.notes) == (3, ())
    assert not any(info.apart for info in log(Remote.open(shelf)).generations)


def test_both_copies_stay_when_two_went_on_from_the_same_one(
    workspace: Workspace, other: Workspace, shelf: Path, tmp_path: Path
):
    result(workspace, "mine")
    push(workspace, shelf)
    result(other, "yours")

    report = push(other, shelf)

    assert "was not made from this workspace" in report.notes[0]
    found = log(Remote.open(shelf))
    assert [(info.generation, info.apart) for info in found.generations] == [
        (3, False), (2, True), (1, False),
    ]  # fmt: skip
    assert "did not grow out of these" in found.summary()
    assert "restore --generation" in status(Remote.open(shelf)).summary()
    pull(shelf, tmp_path / "newest")
    pull(shelf, tmp_path / "second", generation=2)
    assert (tmp_path / "newest" / "result.mp4").read_text() == "yours"
    assert (tmp_path / "second" / "result.mp4").read_text() == "mine"


def test_an_unchanged_workspace_does_not_bury_newer_work_of_another_machine(
    workspace: Workspace, other: Workspace, shelf: Path
):
    result(workspace, "newer")
    push(workspace, shelf)

    report = push(other, shelf)

    assert not report.new_copy
    assert "sync pull` brings it here" in report.notes[0]
    behind = status(Remote.open(shelf), Memory(other.root).base(Remote.open(shelf).name))
    assert "which is older" in behind.summary()


def test_a_copy_written_under_an_older_lease_is_not_the_newest(
    workspace: Workspace, other: Workspace, shelf: Path
):
    """A machine that was thought dead comes back after another one took its place."""
    remote = Remote.open(shelf)
    old = Lease.acquire(remote, Memory(workspace.root).client)
    result(other, "by the successor")
    push(other, shelf, take_over=True)
    result(workspace, "by the revenant")

    with pytest.raises(SyncError, match="taken over"):
        push(workspace, shelf, lease=old)

    assert list_generations(remote)[0].number == 2


def test_the_second_machine_is_told_who_writes(workspace: Workspace, other: Workspace, shelf: Path):
    result(other, "new")
    with (
        Lease.acquire(Remote.open(shelf), Memory(workspace.root).client),
        pytest.raises(SyncError, match="being written by"),
    ):
        push(other, shelf)
    assert push(other, shelf).new_copy


def test_a_restored_copy_is_gone_on_from(workspace: Workspace, other: Workspace, shelf: Path):
    result(workspace, "a mistake")
    push(workspace, shelf)

    pull(shelf, workspace.root, generation=1)
    (workspace.root / "data_dst.mp4").write_text("another video")
    push(workspace, shelf)

    infos = log(Remote.open(shelf)).generations
    assert [(info.generation, info.apart) for info in infos] == [
        (3, False), (2, True), (1, False),
    ]  # fmt: skip


def test_a_push_killed_before_it_noted_its_own_copy_is_no_conflict(
    workspace: Workspace, shelf: Path, monkeypatch: pytest.MonkeyPatch
):
    push(workspace, shelf)
    result(workspace, "second")
    with monkeypatch.context() as patch:
        patch.setattr(Memory, "set_base", lambda *_: pytest.exit("killed"))
        with pytest.raises(pytest.exit.Exception):
            push(workspace, shelf)
    assert base_of(workspace, shelf)[:6] == "000001"
    result(workspace, "third")

    assert push(workspace, shelf).notes == ()
    assert not any(info.apart for info in log(Remote.open(shelf)).generations)


def test_a_copied_workspace_folder_on_another_machine_is_another_writer(
    workspace: Workspace, shelf: Path, tmp_path: Path
):
    push(workspace, shelf)
    shutil.copytree(workspace.root, tmp_path / "copied")
    state = tmp_path / "copied" / HIDDEN / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "machine": "elsewhere"}))

    assert Memory(tmp_path / "copied").client != Memory(workspace.root).client
    assert base_of(Workspace.open(tmp_path / "copied"), shelf) == base_of(workspace, shelf)


def test_two_programs_on_one_workspace_do_not_copy_at_once(workspace: Workspace, shelf: Path):
    with (
        Memory(workspace.root).alone(),
        pytest.raises(SyncError, match="Another program copies"),
    ):
        push(workspace, shelf)
