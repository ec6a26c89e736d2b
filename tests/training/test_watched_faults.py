"""Kills at any moment change nothing under the watch, and a slow decline is rolled back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest

from dflcolab.engine.checkpoint import latest_checkpoint
from dflcolab.errors import ModelError
from dflcolab.training import recorded_watch, watching
from dflcolab.training.trainer import TrainingLoop
from dflcolab.training.watching import Watch, WatchSettings
from dflcolab.watch.looks import Look
from dflcolab.watch.schedule import Phase, ScheduleSettings
from dflcolab.watch.verdicts import Call, Verdict
from tests.training.night import LEARNED, Killed, Listener, session_in
from tests.training.watched_toy import WatchedToy, watched


def _lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{kind}.jsonl").read_text().splitlines()]


def _events(folder: Path) -> list[dict[str, Any]]:
    return [e for e in _lines(folder, "events") if e["kind"] not in ("start", "resume")]


@pytest.fixture
def plateau(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(looks: Sequence[Look], **_: object) -> tuple[Verdict, ...]:
        call = Call.PLATEAU if len(looks) >= 10 else Call.LEARNING
        return (Verdict(call, f"At {looks[-1].iteration}.", "Do this."),)

    monkeypatch.setattr(watching, "judge", judge)


@pytest.mark.usefixtures("plateau")
def test_killed_anywhere_and_resumed_looks_says_and_switches_as_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(WatchedToy, "bad", {0: {106}})  # a fault, in the second phase
    shortest = {Phase.WARP: 30, Phase.LR_DROPOUT: 70, Phase.NO_WARP: 20}
    settings = WatchSettings(
        look_every=4, schedule=ScheduleSettings(shortest=shortest), stop_on="plateau"
    )

    def run(folder: Path, kills: list[int], at_switches: list[int]) -> WatchedToy:
        ticks, left = 0, list(kills)
        monkeypatch.setattr(WatchedToy, "kills_at", list(at_switches))

        def kill(_: TrainingLoop) -> None:
            nonlocal ticks
            ticks += 1
            if left and ticks == left[0]:
                del left[0]
                raise Killed

        while True:
            try:
                session, watch = watched(folder, 170, settings, [kill], save_every=3)
            except Killed:
                continue
            assert (watch.phase, watch.stopped_because) == (Phase.NO_WARP, "plateau")
            assert not left
            return session

    whole = run(tmp_path / "whole", [], [])
    # Before the first save; between save and look; at the switch and just after it; at the fault, behind
    # it, and at the second switch.
    kills = [2, 10, 16, 52, 56, 59, 93, 118, 122, 129, 140]
    cut = run(tmp_path / "cut", kills, [40, 112])
    assert WatchedToy.kills_at == []

    assert _lines(cut.model_dir, "looks") == _lines(whole.model_dir, "looks")
    assert _events(cut.model_dir) == _events(whole.model_dir)
    kinds = [event["kind"] for event in _events(whole.model_dir)]
    assert kinds.count("switch") == 2
    assert kinds.count("rollback") == 1
    for name, variable in whole._state.variables.items():
        assert np.array_equal(variable.numpy(), cut._state.variables[name].numpy()), name
    losses = [(s.model_dir / "losses.bin").read_bytes() for s in (whole, cut)]
    assert losses[0] == losses[1]
    states = [latest_checkpoint(s.model_dir) for s in (whole, cut)]
    for name in ("watch", "roll_back", "options", "sampler", "held_out_loss", "scored_by"):
        first, second = (state.state()[name] for state in states if state is not None)
        if name == "watch":
            del first["events"], second["events"]  # each resume is one as well
        assert first == second, name


def _pulled_away(loop: TrainingLoop) -> None:
    """From iteration 150 on something else than the loss moves the weights, until it is gone back."""
    session = loop.session
    assert isinstance(session, WatchedToy)
    if session.iteration > 150 and session.seed_stream == 0:
        for side, goal in session._step.goals.items():
            weights = session._state.variables[LEARNED[side]]
            weights.assign_sub(2e-3 * np.sign(goal - weights.numpy()))


def test_a_slow_decline_goes_back_to_the_best_state(tmp_path: Path):
    session, _ = watched(tmp_path, 500, WatchSettings(look_every=5), [_pulled_away], save_every=50)
    (event,) = [e for e in _events(tmp_path) if e["kind"] == "rollback"]
    assert event["fault"] == "decline"
    assert "training is unstable (" in event["text"]
    assert (event["began"], event["back_to"]) == (151, 150)
    assert event["iteration"] > 200
    looks = _lines(tmp_path, "looks")
    assert [look["iteration"] for look in looks] == list(range(5, 501, 5))
    scores = session.saved_scores()
    assert scores[500] == min(scores.values())


def test_going_back_keeps_what_was_measured_and_who_has_the_schedule_in_hand(tmp_path: Path):
    """The first state on the disk is from before looks were spaced, in another phase, and not held."""
    watched(tmp_path, 20, WatchSettings(), save_every=20)
    first = latest_checkpoint(tmp_path)
    assert first is not None
    assert first.state()["watch"]["look_every"] == 0
    session = session_in(tmp_path)
    session.options = dataclasses.replace(session.options, random_warp=False)
    watch = Watch(session, WatchSettings(), Listener())
    watch.begin({}, first, by_hand=True)
    watch._every = 500
    watch.rolled_back(session)

    state = watch._to_plain()
    assert state["look_every"] == 500
    assert (watch.phase, state["schedule"]["held"]) == (Phase.NO_WARP, True)


def test_looks_are_spaced_anew_on_another_device(tmp_path: Path):
    watched(tmp_path, 20, WatchSettings(look_every=5), save_every=20)
    here = latest_checkpoint(tmp_path)
    session = session_in(tmp_path)
    for device, every in ((session.plan.device, 5), ("a GPU", 0)):
        session.plan = dataclasses.replace(session.plan, device=device)
        watch = Watch(session, WatchSettings(), Listener())
        watch.begin({}, here, by_hand=False)
        assert watch._to_plain()["look_every"] == every


@pytest.mark.bad_day("workers-fault")
def test_several_workers_end_with_a_sentence_where_one_would_go_back(tmp_path: Path):
    """The first worker looks; the others notice that it has gone."""
    heard = Listener()

    def several(loop: TrainingLoop) -> None:
        _pulled_away(loop)
        # Only where the watch asks: this process steps alone.
        loop.session.devices.workers = 2 if loop.session.iteration % 5 == 4 else 1

    with pytest.raises(ModelError, match=r"cannot go back together.*state is of iteration 150"):
        watched(tmp_path, 500, WatchSettings(look_every=5), [several], save_every=50,
                progress=heard)  # fmt: skip
    assert _events(tmp_path)[-1]["kind"] == "stop"


def test_saves_of_a_best_state_are_spaced_by_how_long_they_keep_the_steps_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Loop:
        stalled_seconds, save_seconds = 0.0, 1.0
        saved_at: ClassVar[list[float]] = []

        def save(self) -> None:
            self.saved_at.append(now)
            self.stalled_seconds += 0.25

    session = session_in(tmp_path)
    watch = Watch(session, WatchSettings(), Listener())
    loop, now = Loop(), 0.0
    monkeypatch.setattr(recorded_watch.time, "monotonic", lambda: now)
    while now < 300:
        watch._save_best(cast(TrainingLoop, loop))  # nothing is on disk: each state is the best
        now += 1
    assert loop.saved_at == [0, 50, 100, 150, 200, 250]  # half a percent
    loop.save_seconds = 10.0  # a twentieth of the time
    while now < 800:
        watch._save_best(cast(TrainingLoop, loop))
        now += 1
    assert loop.saved_at[6:] == [450, 650]
