"""Training and checkpoints on a bad day."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tensorflow as tf

from dflcolab.engine.checkpoint import latest_checkpoint, write_checkpoint
from dflcolab.engine.model_lock import training_alone
from dflcolab.engine.predictor import load_predictor
from dflcolab.errors import DFLColabError
from dflcolab.faceset.faceset import load_faceset
from dflcolab.progress import Progress
from dflcolab.training import dataset, planning
from dflcolab.training.callbacks import StopAtTarget
from dflcolab.training.compiler import try_compiler
from dflcolab.training.dataset import prepare_faces
from dflcolab.training.devices import Devices
from dflcolab.training.session import Session
from dflcolab.training.step_plan import Verdict
from dflcolab.training.trainer import TrainingLoop
from dflcolab.training.trial import Cost
from dflcolab.training.trial_process import TrialFailed
from tests.engine.test_checkpoint import _contents
from tests.formats.face_files import face_file
from tests.training.test_out_of_memory import _session
from tests.troubleshooting.said import said

bad_day = pytest.mark.bad_day


def refused(step: Callable[[], object]) -> None:
    with pytest.raises(DFLColabError):
        step()


# ---- the step ----------------------------------------------------------------------------------


class Step:
    """A step that does what its list says: fail, or give losses."""

    def __init__(self, *outcomes: Exception | list[float]) -> None:
        self._outcomes = list(outcomes)
        self.begun = tf.constant(0)

    def step(self, *_: object) -> tf.Tensor:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return tf.constant(outcome)


def session_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *outcomes: Exception | list[float]
) -> Session:
    """A session of four faces a step whose next steps go as said."""
    session, _ = _session(folder)
    session.start_new()
    monkeypatch.setattr(session, "_step", Step(*outcomes))
    monkeypatch.setattr(session, "_rebuild_step", lambda: None)
    monkeypatch.setattr(session, "_note", said)
    return session


def full() -> Exception:
    return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


@bad_day("out-of-memory-smaller", "out-of-memory")
def test_a_card_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    refused(session_with(tmp_path, monkeypatch, full(), full(), full()).train_one)


@bad_day("out-of-memory-devices")
def test_one_card_of_several_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    session = session_with(tmp_path, monkeypatch, full())
    monkeypatch.setattr(session.devices, "count", 2)
    refused(session.train_one)


@bad_day("xla-failed")
def test_a_compiler_that_fails_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    failure = tf.errors.InternalError(None, None, "ptxas exited with non-zero error code 65280")
    session = session_with(tmp_path, monkeypatch, failure, [0.1, 0.1])
    trials = {"this card": Verdict(jit=True)}
    session.plan = dataclasses.replace(session.plan, compiler="this card", trials=trials)
    assert session.train_one() is not None


@bad_day("diverged")
def test_losses_that_are_no_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    session = session_with(tmp_path, monkeypatch, [float("nan"), 0.1])
    loop = TrainingLoop(session, [StopAtTarget(1)], keep=3, read_every=1)
    refused(lambda: loop.run(Progress(), target=1))


@bad_day("model-too-large")
def test_a_model_that_fits_nowhere(tmp_path: Path):
    def measure(batch: int) -> None:
        raise full()

    session, _ = _session(tmp_path)
    process: Any = SimpleNamespace(measure=measure)
    refused(lambda: planning._measured_batch(process, session.options, Devices(), said))


# ---- several machines --------------------------------------------------------------------------


@bad_day("workers-differ")
def test_workers_with_different_options(monkeypatch: pytest.MonkeyPatch):
    devices = Devices(hosts=("a:1", "b:1"))
    monkeypatch.setattr(devices, "_sum_of_workers", lambda own: own)  # the other one has zeros
    refused(lambda: devices.refuse_differences({"options": 1}))


@bad_day("worker-gone")
def test_a_worker_that_has_gone():
    def train() -> None:
        with Devices(hosts=("a:1", "b:1")).watching_workers(lambda: "ckpt-000000010"):
            raise tf.errors.UnavailableError(None, None, "Connection reset by peer")

    refused(train)


# ---- faces -------------------------------------------------------------------------------------


@bad_day("faces-unreadable")
def test_faces_whose_pictures_are_damaged(tmp_path: Path):
    path = face_file(tmp_path, "00001_0.jpg")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\xff\xdb")] + data[data.index(b"\xff\xc0") :])
    faceset = load_faceset(tmp_path)
    refused(lambda: prepared(tmp_path))
    assert len(faceset) == 1


@bad_day("disk-loses")
def test_a_disk_that_forgets_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    face_file(tmp_path, "00001_0.jpg")
    monkeypatch.setattr(dataset, "fits_memory", lambda n_bytes: False)
    monkeypatch.setattr(dataset, "open_cached", lambda *_: None)
    refused(lambda: prepared(tmp_path))


def prepared(folder: Path) -> object:
    faceset = load_faceset(folder)
    return prepare_faces(
        faceset,
        range(len(faceset)),
        face_type=faceset.records[0].assumed_face_type,
        resolution=64,
        title="src",
        progress=Progress(),
        cache_dir=folder / "cache",
        problems=[],
    )


# ---- checkpoints -------------------------------------------------------------------------------


@bad_day("checkpoint-before")
def test_the_newest_checkpoint_is_damaged(tmp_path: Path):
    write_checkpoint(tmp_path, _contents(10))
    (write_checkpoint(tmp_path, _contents(20)).folder / "state.json").write_text("{")
    assert latest_checkpoint(tmp_path, on_problem=said)


@bad_day("checkpoint-file-damaged", "checkpoint-file-missing")
def test_a_part_of_a_checkpoint_is_damaged_or_gone(tmp_path: Path):
    checkpoint = write_checkpoint(tmp_path, _contents(10))
    (checkpoint.folder / "weights.safetensors").write_bytes(b"cut")
    refused(checkpoint.verify)
    (checkpoint.folder / "weights.safetensors").unlink()
    refused(checkpoint.verify)


@bad_day("checkpoint-state", "checkpoint-newer", "checkpoint-tensors")
def test_parts_of_a_checkpoint_that_cannot_be_read(tmp_path: Path):
    checkpoint = write_checkpoint(tmp_path, _contents(10))
    (checkpoint.folder / "weights.safetensors").write_bytes(b"cut")
    refused(checkpoint.weights)
    state = checkpoint.folder / "state.json"
    state.write_text(json.dumps(checkpoint.state() | {"format_version": 99}))
    refused(checkpoint.state)
    state.write_text("{")
    refused(checkpoint.state)


@bad_day("model-missing")
def test_a_model_that_is_not_there(tmp_path: Path):
    refused(lambda: load_predictor(tmp_path / "model" / "me"))


@bad_day("batch-not-measured")
def test_a_trial_that_ends_without_an_answer(tmp_path: Path):
    def measure(batch: int) -> None:
        raise TrialFailed("the trial's process ended with code -9")

    session, _ = _session(tmp_path)
    process: Any = SimpleNamespace(measure=measure)
    planning._measured_batch(process, session.options, Devices(), said)


@bad_day("xla-cannot-compile")
def test_a_compiler_that_does_not_fit():
    def trial(batch: int, jit: bool, seconds: float) -> Cost:
        if jit:
            raise TrialFailed("ptxas exited with non-zero error code 65280")
        return Cost(0.1, 1)

    said(try_compiler(trial, 4).note)


@bad_day("training-twice")
def test_two_trainings_of_one_model(tmp_path: Path):
    def train() -> None:
        with training_alone(tmp_path / "me"):
            pass

    with training_alone(tmp_path / "me"):
        refused(train)
