"""A training that goes wrong returns to its last good checkpoint, goes on, and ends better."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dflcolab.engine.checkpoint import latest_checkpoint, list_checkpoints
from dflcolab.engine.loss_history import read_losses
from dflcolab.engine.precision import LossScale
from dflcolab.errors import DivergedError, ModelError
from dflcolab.models.quick96 import Quick96Options
from dflcolab.models.saehd.options import saehd_options
from dflcolab.training.devices import Devices
from dflcolab.training.faults import Fault, FaultKind
from dflcolab.training.rollback import RollBack, gentler_options, settings_after_roll_backs
from dflcolab.training.session import Session
from dflcolab.training.trainer import TrainingLoop
from tests.training.night import (
    LEARNED,
    TINY,
    Killed,
    Listener,
    ToySession,
    blow_up,
    collapse,
    poison,
    session_in,
    spend_night,
    train,
)
from tests.troubleshooting.said import said

Break = Callable[[Session], None]


class Once:
    """Does something to the session, the first time that an iteration ends."""

    def __init__(self, at: int, action: Callable[[TrainingLoop], None]) -> None:
        self._at: int | None = at
        self._action = action

    def __call__(self, loop: TrainingLoop) -> None:
        if loop.session.iteration == self._at:
            self._at = None
            self._action(loop)


class Events(list[dict[str, Any]]):
    """What the roll-back told, as facts with `kind` and `text`."""

    def __call__(self, kind: str, text: str, **facts: Any) -> None:
        self.append({"kind": kind, "text": text, **facts})


def score(session: Session) -> float:
    found = session.evaluate()
    return float("inf") if found is None else found["src"] + found["dst"]


def broken_at(iteration: int, break_it: Break, seen: list[float]) -> Once:
    def act(loop: TrainingLoop) -> None:
        break_it(loop.session)
        seen.append(score(loop.session))

    return Once(iteration, act)


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch) -> dict[int, set[int]]:
    """By stream of random numbers: iterations whose gradients are no numbers."""
    found: dict[int, set[int]] = {}
    monkeypatch.setattr(ToySession, "bad", found)
    return found


# ---- it goes back, and ends better -------------------------------------------------------------


@pytest.mark.bad_day("rolled-back")
@pytest.mark.parametrize(
    ("break_it", "kind", "changed"),
    [
        (poison, "not a number", {"clipgrad": True, "learning_rate": 5e-4}),
        (blow_up, "explosion", {"learning_rate": 5e-4}),
        (collapse, "explosion", {"learning_rate": 5e-4}),
    ],
)
def test_a_fault_is_rolled_back_and_the_run_ends_better(
    tmp_path: Path, break_it: Break, kind: str, changed: dict[str, object]
):
    events, listener, at_fault = Events(), Listener(), []
    session = session_in(tmp_path)
    train(session, 300, RollBack(events), [broken_at(183, break_it, at_fault)], progress=listener)

    (event,) = events
    assert event["kind"] == "rollback"
    assert event["fault"] == kind
    assert event["options"] == changed
    assert 183 < event["iteration"] <= 195
    assert event["back_to"] == 150
    assert event["text"] in listener.messages
    said(event["text"])
    assert "training goes back to iteration 150" in event["text"]

    assert session.iteration == 300
    before = next(c for c in list_checkpoints(tmp_path) if c.iteration == 200).state()
    assert score(session) < min(at_fault[0], before["held_out_loss"])
    losses = read_losses(tmp_path / "losses.bin")
    assert losses.shape == (300, 2)
    assert np.isfinite(losses).all()
    last = latest_checkpoint(tmp_path)
    assert last is not None
    assert {name: last.state()["options"][name] for name in changed} == changed
    assert last.state()["seed_stream"] == 1


def test_the_state_after_a_roll_back_is_saved_at_once(tmp_path: Path):
    def saved(_session: Session) -> None:
        events.append(latest_checkpoint(tmp_path))

    events: list[Any] = []
    roll_back = RollBack(rolled_back=saved)

    def look(loop: TrainingLoop) -> None:
        if events and len(events) == 1:
            loop.session.settle()
            events.append(latest_checkpoint(tmp_path))

    session = session_in(tmp_path)
    train(session, 80, roll_back, [broken_at(63, poison, []), look])
    older, newer = events
    assert (older.iteration, newer.iteration) == (50, 50)
    assert newer.serial == older.serial + 1
    assert newer.state()["options"]["clipgrad"] is True
    assert all(
        np.array_equal(value, newer.weights()[name])
        for name, value in session_weights_at(tmp_path, 50).items()
    )


def session_weights_at(folder: Path, iteration: int) -> dict[str, np.ndarray]:
    found = next(c for c in list_checkpoints(folder) if c.iteration == iteration)
    return dict(found.weights())


def test_other_random_numbers_pass_a_batch_that_breaks_the_model(
    tmp_path: Path, bad: dict[int, set[int]]
):
    bad[0] = {72}
    events = Events()
    train(session_in(tmp_path), 100, RollBack(events))
    assert [event["back_to"] for event in events] == [50]


def test_a_fault_in_the_last_iterations_does_not_end_the_run_short_of_its_target(
    tmp_path: Path, bad: dict[int, set[int]]
):
    bad[0] = {100}  # its loss is fine still; the weights that it leaves are not
    events = Events()
    session = session_in(tmp_path)
    loop = train(session, 100, RollBack(events))
    assert [event["back_to"] for event in events] == [50]
    assert "a weight is no number" in events[0]["text"]
    assert (session.iteration, loop.stopped_because) == (100, "target_iter")
    assert loop.checkpoint is not None
    assert loop.checkpoint.iteration == 100


def test_a_wish_to_stop_with_a_fault_leaves_a_good_state(tmp_path: Path):
    def stop(loop: TrainingLoop) -> None:
        poison(loop.session)
        loop.stopped_because = "interrupted"

    session = session_in(tmp_path)
    loop = train(session, 100, RollBack(), [Once(72, stop)])
    assert (session.iteration, loop.stopped_because) == (50, "interrupted")
    assert np.isfinite(score(session))
    last = latest_checkpoint(tmp_path)
    assert last is not None
    assert last.state()["seed_stream"] == 1


def test_without_any_checkpoint_training_starts_over(tmp_path: Path, bad: dict[int, set[int]]):
    bad[0] = {30}
    events = Events()
    session = session_in(tmp_path)
    train(session, 60, RollBack(events), save_every=55)
    assert [event["back_to"] for event in events] == [0]
    assert "goes back to its start" in events[0]["text"]
    assert session.iteration == 60


def test_a_model_that_never_painted_more_than_one_face_starts_over(tmp_path: Path):
    events = Events()
    stuck = Fault(FaultKind.COLLAPSE, 120, 0, "the model paints one and the same src face for all")
    session = session_in(tmp_path)
    train(session, 130, RollBack(events), [Once(120, lambda loop: loop.suspect(stuck))])
    assert [event["back_to"] for event in events] == [0]
    assert session.iteration == 130


# ---- which checkpoint --------------------------------------------------------------------------


def test_nothing_begins_anew_where_a_calm_state_is_left(tmp_path: Path):
    """A machine that fetched the latest state only may see there what began before that was saved."""
    train(session_in(tmp_path), 100, RollBack(), save_every=100)
    events = Events()
    fault = Fault(FaultKind.COLLAPSE, 110, 91, "the painted faces differ by 3 %")
    suspect = Once(110, lambda loop: loop.suspect(fault))
    train(session_in(tmp_path), 120, RollBack(events), [suspect], save_every=120)
    assert [event["back_to"] for event in events] == [100]


def test_losses_of_other_faces_are_no_yardstick_for_a_state(tmp_path: Path):
    """New faces are harder; what was saved with them is good all the same."""
    train(session_in(tmp_path), 100, RollBack())
    session: Any = session_in(tmp_path)
    counts = {side: {"training": 90, "held_out": 6} for side in LEARNED}
    session.face_counts = lambda: counts
    session._step.aim({side: 4 + goal for side, goal in session._step.goals.items()})
    events = Events()
    train(session, 240, RollBack(events), [broken_at(230, poison, [])])
    assert [event["back_to"] for event in events] == [200]


def test_what_was_saved_while_the_losses_rose_is_left_alone(tmp_path: Path):
    """The weights grow by a tenth in every iteration from 193 on; that is saved at 200."""

    def grow(loop: TrainingLoop) -> None:
        if 192 < loop.session.iteration < 220 and not events:
            for name in LEARNED.values():
                loop.session._state.variables[name].assign(
                    1.1 * loop.session._state.variables[name]
                )

    events = Events()
    session = session_in(tmp_path)
    train(session, 250, RollBack(events), [grow])
    assert [event["back_to"] for event in events] == [150]
    assert 185 < events[0]["began"] <= 200 < events[0]["iteration"]


@pytest.mark.bad_day("rolled-back-often")
def test_attempts_that_do_not_help_go_further_back_and_the_run_gives_up_at_last(
    tmp_path: Path, bad: dict[int, set[int]]
):
    bad |= {stream: set(range(183, 10_000)) for stream in range(20)}
    events = Events()
    session = session_in(tmp_path)
    with pytest.raises(ModelError, match="after 5 roll-backs without a new good checkpoint"):
        train(session, 300, RollBack(events))
    backs = [event["back_to"] for event in events if event["kind"] == "rollback"]
    # Only three checkpoints stay, and the best one.
    assert backs[:3] == [150, 150, 100]
    assert len(backs) == 5
    assert backs == sorted(backs, reverse=True)
    rates = [event["options"]["learning_rate"] for event in events if "options" in event]
    np.testing.assert_allclose(rates, [1e-3 / 2**n for n in range(1, 6)])
    assert [event["kind"] for event in events][-1] == "stop"
    # What stands is good, and the run can be tried again from there.
    last = latest_checkpoint(tmp_path)
    assert last is not None
    assert all(np.isfinite(value).all() for value in last.weights().values())


def test_attempts_are_counted_anew_after_a_new_good_checkpoint(
    tmp_path: Path, bad: dict[int, set[int]]
):
    # A fault every 60 iterations, for ever; a save every 50.
    bad |= {stream: {80 + 60 * stream} for stream in range(5)}
    events = Events()
    session = session_in(tmp_path)
    train(session, 400, RollBack(events, most=2))
    assert len(events) == 5
    assert session.iteration == 400
    # Single faults of a long run never bring the rate below an eighth.
    assert session.options.learning_rate == pytest.approx(1e-3 / 8)


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path):
    def damage(loop: TrainingLoop) -> None:
        loop.session.settle()
        newest = list_checkpoints(tmp_path)[-1]
        path = newest.folder / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
        poison(loop.session)

    events = Events()
    train(session_in(tmp_path), 150, RollBack(events), [Once(122, damage)])
    assert [event["back_to"] for event in events] == [50]


# ---- kept over kills ---------------------------------------------------------------------------


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, bad: dict[int, set[int]]):
    bad |= {0: {86}, 1: {91}, 2: {183}}

    def run(folder: Path, kills: list[int]) -> tuple[Session, Events]:
        events, left = Events(), list(kills)

        def kill(loop: TrainingLoop) -> None:
            nonlocal ticks
            ticks += 1
            if left and ticks == left[0]:
                del left[0]
                raise Killed

        ticks = 0
        while True:
            session = session_in(folder)
            try:
                train(session, 250, RollBack(events), [kill])
            except Killed:
                continue
            return session, events

    whole, told = run(tmp_path / "whole", [])
    # Before the first fault, between fault and look, after each roll-back, and later.
    cut, told_cut = run(tmp_path / "cut", [70, 87, 120, 150, 230, 290])
    for name, variable in whole._state.variables.items():
        assert np.array_equal(variable.numpy(), cut._state.variables[name].numpy()), name
    losses, losses_cut = (read_losses(s.model_dir / "losses.bin") for s in (whole, cut))
    assert np.array_equal(losses, losses_cut)
    one, other = (latest_checkpoint(s.model_dir) for s in (whole, cut))
    assert one is not None
    assert other is not None
    for name in ("roll_back", "options", "sampler", "seed_stream", "held_out_loss"):
        assert one.state()[name] == other.state()[name], name
    # A fault that was met again after a kill is told again; nothing else differs.
    assert list(dict.fromkeys(e["text"] for e in told_cut)) == [e["text"] for e in told]
    assert len(told) == 3


@pytest.mark.bad_day("roll-back-stays")
def test_the_same_command_does_not_undo_a_roll_back_and_another_value_counts(tmp_path: Path):
    train(session_in(tmp_path), 80, RollBack(), [broken_at(62, poison, [])])
    checkpoint = latest_checkpoint(tmp_path)
    assert checkpoint is not None
    state = checkpoint.state()
    kept, notes = settings_after_roll_backs(
        {"learning_rate": "0.001", "clipgrad": "no", "random_warp": "no"}, state
    )
    assert kept == {"random_warp": "no"}
    assert len(notes) == 2
    said(notes[0])
    assert any("learning_rate stays at 0.0005, where a roll-back put it" in n for n in notes)
    assert settings_after_roll_backs({"learning_rate": "2e-4"}, state) == (
        {"learning_rate": "2e-4"},
        [],
    )
    assert settings_after_roll_backs({"clipgrad": "no"}, None) == ({"clipgrad": "no"}, [])


def test_attempts_begin_anew_where_options_are_changed_by_hand(
    tmp_path: Path, bad: dict[int, set[int]]
):
    bad |= {stream: set(range(80, 10_000)) for stream in range(20)}
    with pytest.raises(ModelError):
        train(session_in(tmp_path), 150, RollBack(most=2))
    again = session_in(tmp_path)
    roll_back = RollBack(most=2)
    roll_back.start(again)
    assert roll_back.record.attempts == 2
    again.options = dataclasses.replace(again.options, random_warp=False)
    roll_back.start(again)
    assert roll_back.record.attempts == 0
    assert roll_back.record.since == again.iteration  # losses of the warp are no measure any more


# ---- what else ---------------------------------------------------------------------------------


def test_losses_of_another_phase_are_no_measure(tmp_path: Path):
    """A loss that changes its meaning with the options is no explosion, however much it rises."""

    def other_loss(loop: TrainingLoop) -> None:
        session: Any = loop.session
        session.options = dataclasses.replace(session.options, masked_training=False)
        session._step.aim({side: 5 + goal for side, goal in session._step.goals.items()})

    events = Events()
    train(session_in(tmp_path), 300, RollBack(events), [Once(200, other_loss)])
    assert events == []


def test_half_precision_that_leaves_out_every_step_is_a_fault(tmp_path: Path):
    session = session_in(tmp_path)
    roll_back = RollBack()
    roll_back.start(session)
    scale = LossScale("mixed_float16")
    session._step.loss_scales = {"": scale}
    steady = np.full((20, 2), 0.3, np.float32)
    found = []
    for floor in (2.0, 1.0, 1.0, 1.0):
        scale.scale.assign(floor)
        session.iteration += 20
        found.append(roll_back.read(session, steady))
    assert found[:3] == [None] * 3
    assert found[3] is not None
    assert (found[3].kind, found[3].began) == (FaultKind.OVERFLOW, 20)


def test_several_workers_end_with_an_error_as_they_cannot_go_back_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    session = session_in(tmp_path)
    roll_back = RollBack()
    roll_back.start(session)
    monkeypatch.setattr(session, "devices", Devices(hosts=("a:1", "b:1")))
    assert roll_back.read(session, np.full((10, 2), 0.3, np.float32)) is None
    with pytest.raises(DivergedError):
        roll_back.read(session, np.full((10, 2), np.nan, np.float32))


def test_the_judge_is_the_first_suspect():
    start = saehd_options({**TINY, "gan_power": 0.1})

    def after(
        options: Any, kind: FaultKind, attempt: int, usual: float = 1e-3
    ) -> dict[str, object]:
        new = gentler_options(options, kind, attempt=attempt, usual_rate=usual)
        return {
            name: getattr(new, name)
            for name in ("gan_power", "clipgrad", "learning_rate")
            if getattr(new, name, None) != getattr(options, name, None)
        }

    explosion, no_number = FaultKind.EXPLOSION, FaultKind.NOT_A_NUMBER
    assert after(start, explosion, 1) == {"gan_power": 0.05}
    assert after(start, explosion, 2) == {
        "gan_power": 0.0, "clipgrad": True, "learning_rate": 5e-4,
    }  # fmt: skip
    assert after(start, no_number, 1) == {
        "gan_power": 0.05, "clipgrad": True, "learning_rate": 5e-4,
    }  # fmt: skip
    pretraining = dataclasses.replace(start, pretrain=True)
    assert after(pretraining, explosion, 1) == {"learning_rate": 5e-4}
    assert after(Quick96Options(), no_number, 1, 2e-4) == {"learning_rate": 1e-4}
    slow = dataclasses.replace(start, gan_power=0.0, learning_rate=1e-3 / 8)
    assert after(slow, explosion, 1) == {}
    assert after(slow, explosion, 2) == {"clipgrad": True, "learning_rate": 1e-3 / 16}


# ---- a night -----------------------------------------------------------------------------------


def test_a_night_of_random_faults_and_kills_ends_at_its_target_and_loses_only_unsaved_work(
    tmp_path: Path,
):
    """`DFLCOLAB_NIGHT=20000` makes it longer; `python -m tests.training.night --real` is real."""
    iterations = int(os.environ.get("DFLCOLAB_NIGHT", "2000"))
    night = spend_night(tmp_path, iterations=iterations, seed=1)
    last = latest_checkpoint(tmp_path)
    assert last is not None
    assert last.iteration == iterations
    assert len(night.events) >= iterations / 500
    assert night.kills >= 1
    # Back at the last save, but for one that was made within the few iterations before the losses
    # of its weights were seen.
    assert max(night.lost) <= 0
    assert night.score < min(after for _, _, after in night.faults)
    assert read_losses(tmp_path / "losses.bin").shape == (iterations, 2)


def go_black(session: Session) -> None:
    """The decoders paint a black face, whatever comes in, and their last layers learn no more."""
    for side in LEARNED:
        layer = f"decoder_{side}/out_conv"
        for part, value in (("weight", 0.0), ("bias", -20.0)):
            variable = session._state.variables[f"{layer}/{part}:0"]
            variable.assign(np.full_like(variable.numpy(), value))


@pytest.mark.slow
def test_a_real_model_survives_all_three_faults_and_ends_better(tmp_path: Path):
    events, before, at_fault = Events(), [], []
    session = session_in(tmp_path, real=True)
    breaks = [
        broken_at(n, action, scores)
        for n, action, scores in (
            (129, lambda _: None, before),
            (130, poison, at_fault),
            (170, blow_up, at_fault),
            (210, go_black, at_fault),
        )
    ]
    train(session, 260, RollBack(events), breaks, save_every=40)
    assert [event["fault"] for event in events] == ["not a number", "explosion", "explosion"]
    assert [event["back_to"] for event in events] == [120, 160, 200]
    assert session.iteration == 260
    assert score(session) < min(*before, *at_fault)
    losses = read_losses(tmp_path / "losses.bin")
    assert losses.shape == (260, 2)
    assert np.isfinite(losses).all()
