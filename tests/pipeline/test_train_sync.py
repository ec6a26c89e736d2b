"""Copies beside the training, and where training begins: here or with a copy."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dflcolab.engine.checkpoint import Contents, latest_checkpoint, write_checkpoint
from dflcolab.errors import ConfigError, SyncError, WorkspaceError
from dflcolab.pipeline import background_push
from dflcolab.pipeline import train as train_module
from dflcolab.pipeline.background_push import BackgroundPush
from dflcolab.pipeline.newest_state import start_at_newest
from dflcolab.pipeline.sync import pull_workspace, push_workspace, sync
from dflcolab.pipeline.train import train
from dflcolab.progress import Progress
from dflcolab.sync.config import SyncConfig
from dflcolab.sync.generations import list_generations, read_manifest
from dflcolab.sync.lease import Lease
from dflcolab.sync.proof import Proof
from dflcolab.sync.remote import Remote
from dflcolab.training.callbacks import StopAtDeadline
from dflcolab.training.config import TrainConfig
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Workspace
from tests.troubleshooting.said import said


class _Messages(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)
        said(text)


def _save(workspace: Workspace, iteration: int, **state: Any) -> None:
    values = np.full(1000, iteration, np.float32)
    contents = Contents(
        iteration, {"w": values}, {"iters:0": values}, {"pretraining": False, **state}
    )
    write_checkpoint(workspace.model_dir("m"), contents)


def _iteration(root: Path) -> int:
    found = latest_checkpoint(Workspace.open(root).model_dir("m"))
    assert found is not None
    return found.iteration


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    root = tmp_path / "here"
    root.mkdir()
    write_settings(root, WorkspaceSettings(name="test"))
    _save(Workspace.open(root), 10)
    return Workspace.open(root)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote.open(tmp_path / "shelf")


def _until(done: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


_FIRST_PAUSE_S = 0.05


def _copies(workspace: Workspace, remote: Remote, progress: Progress, **how: Any):
    how = {"minutes": 0.03 / 60, "first_pause_s": _FIRST_PAUSE_S, **how}
    return BackgroundPush(workspace, "m", remote, progress=progress, **how)


_LOOP: Any = SimpleNamespace(checkpoint=None)


# ---- beside the training ----------------------------------------------------------------------------


def test_each_new_state_is_copied_under_one_lease_and_told_with_its_proof(
    workspace: Workspace, remote: Remote
):
    progress = _Messages()
    with _copies(workspace, remote, progress) as copies:
        _until(lambda: copies.state.iteration == 10)
        busy = pytest.raises(Exception, match="is being written by another program")
        with busy:
            Lease.acquire(remote, "somebody")
        _save(workspace, 20)
        _until(lambda: copies.state.iteration == 20)
        copies(_LOOP)
        assert "Iteration 20 on" in progress.texts[-1]
        assert "written and read back. Every byte was read back" in progress.texts[-1]
        _save(workspace, 30)  # the last copy is made on leaving
    assert copies.state.iteration == 30
    assert copies.state.proof is Proof.READ_BACK
    fences = {name.fence for name in list_generations(remote)}
    assert len(fences) == 1
    Lease.acquire(remote, "somebody").release()  # the lease was given back


def test_only_the_latest_and_the_best_checkpoint_travel(workspace: Workspace, remote: Remote):
    for iteration, loss in ((20, 0.1), (30, 0.3), (40, 0.2)):
        _save(workspace, iteration, held_out_loss=loss)
    push_workspace(workspace, remote, Progress())
    manifest = read_manifest(remote, list_generations(remote)[0])
    folders = {file.path.split("/")[2] for file in manifest.files if "/ckpt-" in file.path}
    assert folders == {"ckpt-000000020", "ckpt-000000040"}
    assert [facts.iteration for facts in manifest.models] == [40]


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOTCONN, "Transport endpoint is not connected"),
        pytest.param(ValueError("not foreseen"), marks=pytest.mark.bad_day("training-copy-bug")),
    ],
)
@pytest.mark.bad_day("training-offline")
def test_offline_is_one_sentence_training_goes_on_and_the_copy_catches_up(
    workspace: Workspace, remote: Remote, monkeypatch: pytest.MonkeyPatch, failure: Exception
):
    attempts: list[float] = []
    online = threading.Event()

    def push(*words: Any, **how: Any):
        if not online.is_set():
            attempts.append(time.monotonic())
            raise failure
        return push_workspace(*words, **how)

    monkeypatch.setattr(background_push, "push_workspace", push)
    progress = _Messages()
    with _copies(workspace, remote, progress) as copies:
        _until(lambda: len(attempts) == 4)
        copies(_LOOP)
        (sentence,) = progress.texts
        assert str(failure) in sentence
        assert "Training goes on" in sentence
        # A busy machine makes pauses longer, never shorter; clocks differ by less than a tenth.
        assert (np.diff(attempts) >= 0.9 * _FIRST_PAUSE_S * np.array([1, 2, 4])).all()
        online.set()
        _until(lambda: not copies.state.problem)
        copies(_LOOP)
    assert progress.texts[1].startswith("It answers again. Iteration 10 on")
    assert copies.state.iteration == 10


def test_without_the_remote_until_the_end_the_report_says_what_is_missing(
    workspace: Workspace, tmp_path: Path
):
    remote = Remote.open(tmp_path / "file")
    (tmp_path / "file").write_text("no folder")
    with _copies(workspace, remote, _Messages()) as copies:
        pass
    assert "Nothing of it is on" in copies.state.sentence()
    assert "saved on this machine only. The last copy failed:" in copies.state.sentence()


@pytest.mark.bad_day("training-copy-given-up")
def test_a_second_interrupt_gives_the_copy_up(
    workspace: Workspace, remote: Remote, monkeypatch: pytest.MonkeyPatch
):
    hangs = threading.Event()

    def push(_workspace: Workspace, _remote: Remote, progress: Progress, **_how: Any):
        hangs.set()
        while True:
            progress.raise_if_stopped()
            time.sleep(0.01)

    monkeypatch.setattr(background_push, "push_workspace", push)
    begin = time.monotonic()
    copies = _copies(workspace, remote, _Messages())

    def train() -> None:
        with copies:
            assert hangs.wait(20)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert time.monotonic() - begin < 20
    assert "given up, since you pressed Ctrl-C again" in copies.state.problem
    said(copies.state.problem)
    assert _iteration(workspace.root) == 10


def test_checkpoints_that_are_being_copied_are_named_and_the_time_is_estimated(
    workspace: Workspace, remote: Remote
):
    inside, goes_on = threading.Event(), threading.Event()

    @contextmanager
    def copying():
        yield
        inside.set()
        goes_on.wait(20)

    with _copies(workspace, remote, _Messages(), copying=copying) as copies:
        assert inside.wait(20)
        assert set(copies.in_use()) == {"ckpt-000000010"}
        goes_on.set()
        _until(lambda: copies.state.iteration == 10)
        assert 0 < copies.seconds_needed() < 60


def test_the_deadline_leaves_time_for_the_last_save_and_the_last_copy():
    for save_seconds, copy_seconds, stops in ((0.0, 0.0, False), (20.0, 30.0, False),
                                              (20.0, 50.0, True), (70.0, 0.0, True)):  # fmt: skip
        loop: Any = SimpleNamespace(save_seconds=save_seconds, stopped_because="")
        StopAtDeadline(60, since=time.monotonic(), copy_seconds=lambda s=copy_seconds: s)(loop)
        assert (loop.stopped_because == "deadline") is stops


# ---- where training begins --------------------------------------------------------------------------


def _elsewhere(remote: Remote, root: Path, iteration: int, **state: Any) -> None:
    """Another machine goes on from the copy, and pushes."""
    pull_workspace(root, remote, Progress())
    _save(Workspace.open(root), iteration, **state)
    push_workspace(Workspace.open(root), remote, Progress())


def _start(root: Path, remote: Remote | None) -> tuple[str, ...]:
    return start_at_newest(root, "m", remote.name if remote else "", _Messages()).notes


def test_an_empty_machine_fetches_everything_and_remembers_where_from(
    workspace: Workspace, remote: Remote, tmp_path: Path
):
    push_workspace(workspace, remote, Progress())
    start = start_at_newest(tmp_path / "empty", "m", remote.name, Progress())
    assert _iteration(tmp_path / "empty") == 10
    assert start.workspace.settings.remote == remote.name
    assert "every byte was compared" in start.notes[0]
    with pytest.raises(WorkspaceError, match="init"):
        start_at_newest(tmp_path / "none", "m", "", Progress())


def test_what_grew_out_of_the_state_here_is_fetched_and_the_other_way_round_it_stays(
    workspace: Workspace, remote: Remote, tmp_path: Path
):
    push_workspace(workspace, remote, Progress())
    assert _start(workspace.root, remote) == ()
    _elsewhere(remote, tmp_path / "other", 50)

    (note,) = _start(workspace.root, remote)

    assert _iteration(workspace.root) == 50
    assert "history/replaced/" in note
    _save(workspace, 60)
    assert _start(workspace.root, remote) == ()
    assert _iteration(workspace.root) == 60


@pytest.mark.parametrize(
    ("there", "wins"),
    [
        (90, "there"),
        pytest.param(15, "here", marks=pytest.mark.bad_day("training-another-line")),
    ],
)
def test_of_two_lines_the_one_whose_model_is_further_wins_and_both_are_kept(
    workspace: Workspace, remote: Remote, tmp_path: Path, there: int, wins: str
):
    push_workspace(workspace, remote, Progress())
    other = tmp_path / "other"
    _elsewhere(remote, other, there)
    _save(workspace, 20)  # this machine went on as well

    notes = " ".join(_start(workspace.root, remote))

    if wins == "there":
        assert _iteration(workspace.root) == there
        kept = list((workspace.root / "history" / "replaced").rglob("complete.json"))
        assert "ckpt-000000020" in {path.parent.name for path in kept}
        assert "Set aside in history/replaced/" in notes
    else:
        assert _iteration(workspace.root) == 20
        assert "comes from another line (iteration 15) and stays there" in notes


def test_training_is_further_than_pretraining(workspace: Workspace, remote: Remote, tmp_path: Path):
    push_workspace(workspace, remote, Progress())
    _elsewhere(remote, tmp_path / "other", 99_000, pretraining=True)
    _start(workspace.root, remote)
    assert _iteration(workspace.root) == 10


def test_a_damaged_state_here_is_replaced_by_the_copy_and_a_damaged_copy_is_passed_over(
    workspace: Workspace, remote: Remote, tmp_path: Path
):
    push_workspace(workspace, remote, Progress())
    place = workspace.model_dir("m") / "ckpt-000000010" / "weights.safetensors"
    place.write_bytes(b"damaged")
    _start(workspace.root, remote)
    assert _iteration(workspace.root) == 10
    assert place.stat().st_size > 1000

    _elsewhere(remote, tmp_path / "other", 50)
    for pack in (Path(remote.root) / "packs").iterdir():
        data = bytearray(pack.read_bytes())
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        pack.write_bytes(data)
    notes = _start(workspace.root, remote)
    assert _iteration(workspace.root) == 10
    assert "holds no whole copy" in notes[0]


def test_an_older_copy_that_was_brought_back_is_left_alone(workspace: Workspace, remote: Remote):
    push_workspace(workspace, remote, Progress())
    _save(workspace, 20)
    push_workspace(workspace, remote, Progress())
    config = SyncConfig(action="restore", remote=remote.name, generation="1")
    sync(workspace.root, config)
    assert _start(workspace.root, remote) == ()
    assert _iteration(workspace.root) == 10


@pytest.mark.bad_day("remote-folder-gone")
def test_an_offline_remote_is_one_sentence_and_a_folder_that_is_gone_another(
    workspace: Workspace, remote: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    push_workspace(workspace, remote, Progress())
    _start(workspace.root, remote)

    def dead(*_words: Any):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    with monkeypatch.context() as patched:
        patched.setattr(Remote, "_info", dead)
        (note,) = _start(workspace.root, remote)
    assert "is offline" in note
    assert note.endswith("Training goes on with what is here.")

    shutil.rmtree(tmp_path / "shelf")
    (note,) = _start(workspace.root, None)
    assert "is not on this machine" in note


@pytest.mark.bad_day("nothing-to-begin-with")
def test_a_misspelt_remote_on_an_empty_machine_is_named(tmp_path: Path):
    with pytest.raises(WorkspaceError, match="shelff holds no copy of one; correct --remote"):
        _start(tmp_path / "empty", Remote.open(tmp_path / "shelff"))
    assert not (tmp_path / "empty").exists()
    assert not (tmp_path / "shelff").exists()


@pytest.mark.bad_day("remote-is-file")
def test_a_file_as_remote_stops_the_training_before_it_begins(workspace: Workspace, tmp_path: Path):
    (tmp_path / "film.mp4").write_bytes(b"a film")

    with pytest.raises(SyncError, match="is a file"):
        start_at_newest(workspace, "m", str(tmp_path / "film.mp4"), Progress())


@pytest.mark.parametrize(
    ("model", "sets"),
    [
        ("m", ("archi=df", "learning_rte=1")),  # its kind is known here
        ("m", ("batch_size=nought",)),
        ("other", ("learning_rte=1",)),
        ("other", ("learning_rate=fast",)),
    ],
)
def test_options_are_checked_before_anything_is_fetched(
    workspace: Workspace, remote: Remote, monkeypatch: pytest.MonkeyPatch, model: str, sets: tuple
):
    _save(workspace, 20, architecture="saehd", options={"resolution": 64})
    monkeypatch.setattr(train_module, "start_at_newest", lambda *_: pytest.fail("it asked"))

    with pytest.raises(ConfigError, match=f"{sets[-1].partition('=')[0]}"):
        train(workspace, TrainConfig(model=model, remote=remote.name, set=sets))


@pytest.mark.parametrize(
    ("here", "sets"),
    [
        (None, ("morph_factor=0.4",)),  # an AMP model may lie on the remote
        (None, ("resolution=144",)),  # that fits some kinds
        (None, ("holdout_share=0.2",)),  # an option of the command
        ({"architecture": "amp", "options": {"resolution": 64}}, ("morph_factor=0.4",)),
        ({"architecture": "none we know", "options": {}}, ("new_option=1",)),
    ],
)
def test_options_that_may_fit_what_is_fetched_are_not_refused(
    workspace: Workspace,
    remote: Remote,
    monkeypatch: pytest.MonkeyPatch,
    here: dict | None,
    sets: tuple,
):
    if here is not None:
        _save(workspace, 20, **here)
    asked = pytest.raises(SyncError, match="asked")

    def ask(*_: object) -> None:
        raise SyncError("The remote was asked.")

    monkeypatch.setattr(train_module, "start_at_newest", ask)
    with asked:
        train(workspace, TrainConfig(model="m" if here else "other", remote=remote.name, set=sets))
