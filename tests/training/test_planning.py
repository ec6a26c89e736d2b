"""How a step runs is measured once and remembered with the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.models.saehd.options import saehd_options
from dflcolab.progress import Progress
from dflcolab.training import compiler, planning, step_plan
from dflcolab.training.augment import PADDING
from dflcolab.training.callbacks import StopAtTarget
from dflcolab.training.config import TrainConfig
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.devices import open_devices
from dflcolab.training.planning import plan_step
from dflcolab.training.session import Session, SideFaces
from dflcolab.training.step import TrainingStep
from dflcolab.training.step_plan import StepPlan, Verdict
from dflcolab.training.trainer import TrainingLoop
from dflcolab.training.trial import Cost
from dflcolab.training.trial_process import TrialFailed, TrialProcess

TINY = saehd_options(
    {"resolution": 64, "archi": "df-ud", "ae_dims": 8, "e_dims": 4, "d_dims": 4,
     "d_mask_dims": 4, "batch_size": 2}
)  # fmt: skip


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine with a GPU whose steps take 1 s, or 0.5 s with XLA; what was measured there."""
    measured: list[tuple[int, bool]] = []

    def measure(self: TrialProcess, batch: int, jit: bool = False, *, within=None) -> Cost:
        measured.append((batch, jit))
        return Cost(0.5 if jit else 1.0, 10**9)

    monkeypatch.setattr(TrialProcess, "measure", measure)
    _card(monkeypatch, "Tesla T4")
    return measured


def _card(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for module in (compiler, planning, step_plan):
        monkeypatch.setattr(module, "device_name", lambda: name)


def _plan(state=None, precision="float32", **values) -> StepPlan:
    config = TrainConfig(model="m", **values)
    return plan_step(config, TINY, state, precision, open_devices(1), lambda _: None)[1]


def _saved(plan: StepPlan) -> dict:
    return json.loads(json.dumps({"step_plan": plan.to_plain()}))


def test_xla_is_tried_once_for_a_model_and_a_machine(machine, monkeypatch):
    first = _plan()
    assert machine == [(2, False), (2, True)]
    assert first.jit
    machine.clear()
    again = _plan(_saved(first))
    assert again == first
    assert machine == []
    # Another type of numbers is another step, another card another machine.
    half = _plan(_saved(again), "mixed_float16")
    assert len(machine) == 2
    _card(monkeypatch, "NVIDIA L4")
    other = _plan(_saved(half), "mixed_float16")
    assert len(machine) == 4
    _card(monkeypatch, "Tesla T4")
    back = _plan(_saved(other), "mixed_float16")
    assert back.jit
    assert len(machine) == 4


def test_a_plan_written_before_trials_were_remembered_is_read(machine):
    old = {"device": "Tesla T4", "batch": 2, "micro_batch": 1, "jit": False, "jit_note": ""}
    assert _plan({"step_plan": old}, xla="off").parts == 2


def test_without_xla_nothing_is_measured_and_what_was_measured_is_kept(machine):
    plan = _plan(_saved(_plan()), xla="off")
    assert not plan.jit
    assert len(plan.trials) == 1


def test_a_batch_that_cannot_be_measured_stays(machine, monkeypatch):
    def measure(self, batch, jit=False, *, within=None):
        raise TrialFailed("the trial's process ended with code -6")

    monkeypatch.setattr(TrialProcess, "measure", measure)
    plan = _plan(batch="auto")
    assert plan.batch == 2
    assert not plan.jit
    assert "ended with code -6" in plan.trials[plan.compiler].note


def test_xla_that_fails_in_training_is_left_out_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    original = TrainingStep.__init__

    def failing(self, options, state, *, jit=False, **how):
        original(self, options, state, jit=False, **how)
        work = self.step

        def step(src, dst, iteration, change=None):
            work(src, dst, iteration, change)  # weights have moved when it fails
            raise tf.errors.InternalError(None, None, "ptxas exited with an error\nmore")

        self.step = step if jit else work

    monkeypatch.setattr(TrainingStep, "__init__", failing)
    side = 64 + 2 * PADDING
    faces = np.random.default_rng(0).integers(0, 256, (4, side, side, 5), dtype=np.uint8)
    known = SideFaces(TrainingFaces(faces, ("a", "b", "c", "d"), (0.0,) * 4), None)
    plan = StepPlan("CPU", 2, 2, compiler="key", trials={"key": Verdict(jit=True, note="fast")})
    notes: list[str] = []
    session = Session(
        tmp_path, TINY, known, known, seed=1, precision="float32", plan=plan, note=notes.append
    )
    session.start_new()
    loop = TrainingLoop(session, [StopAtTarget(2)], keep=3, read_every=10)
    loop.run(Progress(), target=2)
    (sentence,) = notes
    assert sentence == (
        "XLA failed at iteration 1 (ptxas exited with an error); training goes on from the last "
        "save, without it."
    )
    assert loop.checkpoint is not None
    trials = loop.checkpoint.state()["step_plan"]["trials"]
    assert trials == {"key": {"jit": False, "note": sentence}}
