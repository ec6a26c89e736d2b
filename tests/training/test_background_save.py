"""A save stalls training for a copy in memory only, and counts when it stands on the disk."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import numpy as np
import pytest

from dflcolab.engine import background_save
from dflcolab.engine.background_save import BackgroundSaver
from dflcolab.engine.checkpoint import list_checkpoints, write_checkpoint
from dflcolab.errors import StorageError
from dflcolab.models.saehd.options import saehd_options
from dflcolab.progress import Progress
from dflcolab.training import saved_session
from dflcolab.training.augment import PADDING
from dflcolab.training.callbacks import SaveOnSchedule, StopAtTarget
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.session import Session, SideFaces
from dflcolab.training.trainer import TrainingLoop
from tests.stopping import StopAfter

TINY = {"resolution": 64, "archi": "df-ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 1}  # fmt: skip


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Session:
    side = 64 + 2 * PADDING
    faces = np.random.default_rng(0).integers(0, 256, (4, side, side, 5), dtype=np.uint8)
    known = SideFaces(TrainingFaces(faces, tuple("abcd"), (0.0,) * 4), None)
    folder = tmp_path_factory.mktemp("model")
    session = Session(folder, saehd_options(TINY), known, known, seed=1, precision="float32")
    session.start_new()
    return session


@pytest.fixture
def session(compiled: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """The same one, compiled once, as if it had just begun in a folder of its own."""
    monkeypatch.setattr(compiled, "model_dir", tmp_path)
    monkeypatch.setattr(compiled, "checkpoint", None)
    compiled.iteration = 0
    compiled.history.start_at(0)
    return compiled


def _train(session: Session, target: int, progress: Progress, *callbacks) -> TrainingLoop:
    stops = [*callbacks, StopAtTarget(target)]
    loop = TrainingLoop(session, stops, keep=9, read_every=10)
    loop.run(progress, target=target)
    return loop


def test_steps_go_on_while_a_checkpoint_is_written_which_counts_when_it_stands(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    steps_done, copied, seen = threading.Event(), {}, []

    def slow(folder: Path, contents, **how):
        if contents.iteration == 1:
            copied.update({name: value.copy() for name, value in contents.weights.items()})
            assert steps_done.wait(60), "training waits for the disk"
        return write_checkpoint(folder, contents, **how)

    monkeypatch.setattr(saved_session, "write_checkpoint", slow)
    progress = StopAfter()

    def look(loop: TrainingLoop) -> None:
        if loop.session.iteration < 4:
            seen.append((loop.checkpoint, list_checkpoints(tmp_path), list(progress.messages)))
        if loop.session.iteration == 4:
            steps_done.set()

    once = SaveOnSchedule(every=0, minutes=1e-9)  # due at every iteration
    loop = _train(session, 5, progress, once, look)

    assert seen == [(None, [], [])] * 3
    first, *_, last = list_checkpoints(tmp_path)
    assert (first.iteration, last.iteration) == (1, 5)
    assert loop.checkpoint == last
    assert progress.messages[0] == "Iteration 1: saved on this machine."
    assert progress.messages[-1] == "Iteration 5: saved on this machine."
    # What was copied is what was written, though the weights moved on meanwhile.
    written = first.weights()
    assert all(np.array_equal(written[name], copied[name]) for name in copied)
    assert any(not np.array_equal(written[name], value) for name, value in last.weights().items())


def test_saves_by_iterations_are_never_left_out(session: Session, tmp_path: Path):
    _train(session, 6, Progress(), SaveOnSchedule(every=2, minutes=0))
    assert [checkpoint.iteration for checkpoint in list_checkpoints(tmp_path)] == [2, 4, 6]


def test_a_full_disk_ends_training_with_its_sentence_and_keeps_what_was_there(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _train(session, 1, Progress())

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dflcolab.engine.checkpoint.write_tensors", full)
    with pytest.raises(StorageError, match="The disk is full while writing"):
        _train(session, 100, Progress(), SaveOnSchedule(every=2, minutes=0))
    assert session.iteration < 100
    (kept,) = list_checkpoints(tmp_path)
    kept.verify()
    assert not list(tmp_path.glob(".ckpt-*"))


def test_without_room_in_memory_training_waits_and_says_so_once(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    told: list[str] = []
    monkeypatch.setattr(session, "_note", told.append)
    monkeypatch.setattr(saved_session, "fits_into_memory", lambda n_bytes: n_bytes < 1000)
    states: list[bool] = []
    _train(session, 3, Progress(), SaveOnSchedule(every=1, minutes=0),
           lambda loop: states.append(loop.session.is_saving))  # fmt: skip
    assert states == [False] * 3
    assert len(told) == 1
    assert "so training waits while it is saved" in told[0]
    assert len(list_checkpoints(tmp_path)) == 3


def test_a_checkpoint_that_is_being_copied_stays(tmp_path: Path, session: Session):
    session.iteration = 1
    session.save(keep=1, preview=b"")
    for session.iteration in (2, 3):
        session.begin_save(keep=1, preview=b"", in_use=lambda: {"ckpt-000000001"})
        session.settle()
    assert [checkpoint.iteration for checkpoint in list_checkpoints(tmp_path)] == [1, 3]
    session.iteration = 4
    session.save(keep=1, preview=b"")
    assert [checkpoint.iteration for checkpoint in list_checkpoints(tmp_path)] == [4]


def test_a_second_interrupt_waits_for_the_save(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    saver, goes_on = BackgroundSaver(), threading.Event()
    done: list[str] = []

    def write():
        goes_on.wait(60)
        done.append("written")

    original, presses = background_save.wait, iter([KeyboardInterrupt, None])

    def interrupted(running):
        press = next(presses)
        if press is not None:
            raise press
        goes_on.set()
        return original(running)

    monkeypatch.setattr(background_save, "wait", interrupted)
    saver.begin(write)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        saver.settle()
    assert done == ["written"]
    assert not saver.is_busy
