"""Where memory runs out, training goes on with fewer faces at once and loses nothing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.errors import ModelError
from dflcolab.models.saehd.options import saehd_options
from dflcolab.progress import Progress
from dflcolab.training.augment import PADDING
from dflcolab.training.callbacks import StopAtTarget
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.session import Session, SideFaces
from dflcolab.training.step import TrainingStep
from dflcolab.training.trainer import TrainingLoop

TINY = {"resolution": 64, "archi": "df-ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 4}  # fmt: skip


def _session(folder: Path) -> tuple[Session, list[str]]:
    side = 64 + 2 * PADDING
    faces = np.random.default_rng(0).integers(0, 256, (6, side, side, 5), dtype=np.uint8)
    names = tuple(f"{i}.jpg" for i in range(6))
    known = SideFaces(TrainingFaces(faces, names, (0.0,) * 6), None)
    notes: list[str] = []
    options = saehd_options(TINY)
    session = Session(folder, options, known, known, seed=1, precision="float32", note=notes.append)
    return session, notes


def _limit(monkeypatch: pytest.MonkeyPatch, faces: int, *, at: int, begun: bool = False) -> None:
    """From iteration `at` on, steps with more than so many faces at once run out of memory."""
    original = TrainingStep.__init__

    def limited(self, options, state, *, micro_batches=1, **how):
        original(self, options, state, micro_batches=micro_batches, **how)
        work = self.step

        def step(src, dst, iteration, change=None):
            if options.batch_size // micro_batches > faces and int(iteration) >= at:
                if begun:
                    work(src, dst, iteration, change)  # the weights moved before it failed
                raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
            return work(src, dst, iteration, change)

        self.step = step

    monkeypatch.setattr(TrainingStep, "__init__", limited)


def _train(session: Session, target: int) -> TrainingLoop:
    loop = TrainingLoop(session, [StopAtTarget(target)], keep=3, read_every=10)
    loop.run(Progress(), target=target)
    return loop


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Weights after four iterations with all the memory that is wanted."""
    session, _ = _session(tmp_path_factory.mktemp("plain"))
    session.start_new()
    loop = _train(session, 4)
    assert loop.checkpoint is not None
    return dict(loop.checkpoint.optimizer())


@pytest.mark.parametrize("begun", [False, True])
def test_training_goes_on_with_half_as_many_faces_at_once(
    tmp_path: Path, monkeypatch, undisturbed: dict[str, np.ndarray], begun: bool
):
    _limit(monkeypatch, 2, at=3, begun=begun)
    session, notes = _session(tmp_path)
    session.start_new()
    checkpoint = _train(session, 4).checkpoint
    assert checkpoint is not None
    assert len(notes) == 1
    assert "Memory ran out at iteration 3 with 4 faces at once" in notes[0]
    assert checkpoint.state()["step_plan"]["micro_batch"] == 2
    assert checkpoint.state()["sampler"]["src"]["position"] == 16
    slots = checkpoint.optimizer()
    assert int(slots["iters:0"]) == 4
    # Sums in another order move small gradients a little, and AdaBelief's equal steps pass that on
    # to the next iterations; a lost or doubled iteration changes the means by more than half.
    for name, value in undisturbed.items():
        if name.startswith("ms_"):
            distance = np.linalg.norm(slots[name] - value)
            assert distance <= 0.05 * np.linalg.norm(value) + 1e-9, name


@pytest.mark.bad_day("out-of-memory")
def test_a_single_face_that_does_not_fit_ends_the_run_in_one_sentence(tmp_path, monkeypatch):
    _limit(monkeypatch, 0, at=1)
    session, notes = _session(tmp_path)
    session.start_new()
    with pytest.raises(ModelError, match="single face at a time"):
        session.train_one()
    assert len(notes) == 2


def test_losses_are_read_every_few_iterations_only(tmp_path: Path, monkeypatch):
    session, _ = _session(tmp_path)
    session.start_new()
    unread = []
    monkeypatch.setattr("dflcolab.training.trainer._READ_SECONDS", 1e9)
    loop = TrainingLoop(session, [StopAtTarget(11)], keep=3, read_every=5)
    monkeypatch.setattr(
        loop, "read_losses", lambda: unread.append(len(loop._unread)) or loop._unread.clear()
    )
    loop._last_read = time.monotonic()
    loop.run(Progress(), target=11)
    # The first iteration alone, since it holds the compilation; then every fifth, and the rest.
    assert [count for count in unread if count] == [1, 5, 5]
