"""Phases follow each other at plateaus, never into over-fitting, and can be undone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.config import to_plain
from dflcolab.errors import ConfigError
from dflcolab.models.kinds import options_of as model_options_of
from dflcolab.watch.looks import Look
from dflcolab.watch.schedule import (
    ORDER,
    Phase,
    ScheduleSettings,
    ScheduleState,
    first_state,
    has_run_out,
    next_switch,
    options_of,
    phase_of,
    switch_by_hand,
)
from dflcolab.watch.verdicts import Call, Verdict

SETTINGS = ScheduleSettings(
    shortest={Phase.WARP: 100, Phase.LR_DROPOUT: 50, Phase.NO_WARP: 50}, gan_power=0.2
)
PLATEAU = (Verdict(Call.PLATEAU, "It stays.", ""),)


def _looks(until: int, every: int = 5) -> list[Look]:
    return [Look(i, "warp", "x", {}) for i in range(every, until + 1, every)]


def test_plateaus_lead_through_all_phases_with_deepfacelabs_options():
    options: dict[str, Any] = {**to_plain(model_options_of("saehd", {})), "batch_size": 4}
    state = first_state(options, 0)
    seen: list[tuple[Phase, dict[str, object]]] = []
    for iteration in range(5, 2000, 5):
        switch = next_switch(state, _looks(iteration), PLATEAU, SETTINGS)
        if switch:
            assert switch.from_ is state.phase
            assert "It stays." in switch.reason
            state = state.switched(switch, iteration=iteration, options=options)
            options |= switch.options
            model_options_of("saehd", options)  # values that the options take
            assert phase_of(options) is state.phase
            seen.append((state.phase, dict(switch.options)))
    assert seen == [
        (Phase.LR_DROPOUT, {"lr_dropout": "y", "random_warp": True, "gan_power": 0.0}),
        (Phase.NO_WARP, {"lr_dropout": "y", "random_warp": False, "gan_power": 0.0}),
        (Phase.GAN, {"lr_dropout": "y", "random_warp": False, "gan_power": 0.2}),
    ]


def test_there_is_no_gan_phase_unless_asked_for():
    state = ScheduleState(Phase.NO_WARP, 0)
    assert next_switch(state, _looks(5000), PLATEAU, SETTINGS) is not None
    assert next_switch(state, _looks(5000), PLATEAU, ScheduleSettings()) is None


@pytest.mark.parametrize("call", [call for call in Call if call is not Call.PLATEAU])
def test_only_a_plateau_ends_a_phase(call: Call):
    state = ScheduleState(Phase.LR_DROPOUT, 0)
    verdicts = (Verdict(call, "", ""), *PLATEAU)
    assert next_switch(state, _looks(5000), verdicts, SETTINGS) is None


def test_a_phase_takes_its_shortest_length_in_iterations_and_in_looks():
    state = ScheduleState(Phase.WARP, 1000)
    assert next_switch(state, _looks(1095), PLATEAU, SETTINGS) is None
    assert next_switch(state, _looks(1100), PLATEAU, SETTINGS) is not None
    assert next_switch(state, _looks(1500, every=100), PLATEAU, SETTINGS) is None  # 5 looks


@pytest.mark.parametrize(
    ("state", "gan_power", "since"),
    [
        (ScheduleState(Phase.WARP, 1000), 0.0, None),  # learning-rate dropout comes next
        (ScheduleState(Phase.WARP, 1000, held=True), 0.0, 1100),
        (ScheduleState(Phase.NO_WARP, 1000), 0.2, None),
        (ScheduleState(Phase.NO_WARP, 1000), 0.0, 1050),
        (ScheduleState(Phase.GAN, 1000), 0.2, 1030),
        (ScheduleState(Phase.MANUAL, 1000), 0.0, 1000),
    ],
)
def test_a_schedule_runs_out_with_its_last_phase_after_that_ones_shortest_length(
    state: ScheduleState, gan_power: float, since: int | None
):
    shortest = {**SETTINGS.shortest, Phase.GAN: 30}
    settings = ScheduleSettings(shortest=shortest, gan_power=gan_power)
    out = [has_run_out(state, iteration, settings) for iteration in (since or 1050, 10**6)]
    assert out == [since is not None] * 2
    if since:
        assert since == 1000 or not has_run_out(state, since - 1, settings)


@pytest.mark.parametrize(
    ("kind", "options", "phase"),
    [
        ("saehd", {}, Phase.WARP),
        ("amp", {}, Phase.WARP),
        ("saehd", {"lr_dropout": "y"}, Phase.LR_DROPOUT),
        ("saehd", {"lr_dropout": "cpu"}, Phase.LR_DROPOUT),
        ("amp", {"random_warp": False}, Phase.NO_WARP),
        ("saehd", {"random_warp": False, "lr_dropout": "y"}, Phase.NO_WARP),
        ("saehd", {"gan_power": 0.1}, Phase.GAN),
        ("saehd", {"pretrain": True}, Phase.PRETRAINING),
        ("quick96", {}, Phase.MANUAL),
    ],
)
def test_a_model_begins_in_the_phase_that_its_options_amount_to(
    kind: str, options: dict[str, object], phase: Phase
):
    assert first_state(to_plain(model_options_of(kind, options)), 7) == ScheduleState(phase, 7)


@pytest.mark.parametrize("phase", [Phase.MANUAL, Phase.PRETRAINING, Phase.GAN])
def test_other_phases_and_the_last_one_end_by_hand_only(phase: Phase):
    assert next_switch(ScheduleState(phase, 0), _looks(5000), PLATEAU, SETTINGS) is None


@pytest.mark.parametrize("phase", ORDER)
def test_the_options_of_a_phase_amount_to_it(phase: Phase):
    assert phase_of(options_of(phase)) is phase


def test_undone_means_the_options_before_and_no_switch_by_itself():
    options = {"random_warp": True, "lr_dropout": "cpu", "gan_power": 0.0, "clipgrad": True}
    state = first_state(options, 10)
    switch = next_switch(state, _looks(5000), PLATEAU, SETTINGS)
    assert switch is not None
    later = state.switched(switch, iteration=5000, options=options)
    back, undo, iteration = later.undone()
    assert (back.phase, back.entered_at, iteration) == (Phase.LR_DROPOUT, 10, 5000)
    assert undo.options == {"random_warp": True, "lr_dropout": "cpu", "gan_power": 0.0}
    assert next_switch(back, _looks(9000), PLATEAU, SETTINGS) is None
    assert next_switch(back.released(), _looks(9000), PLATEAU, SETTINGS) is not None


def test_nothing_to_undo_is_said():
    with pytest.raises(ConfigError, match="no switch of the schedule to undo"):
        ScheduleState(Phase.WARP, 0).undone()


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ORDER), st.integers(1, 1000)), max_size=8))
def test_any_switches_by_hand_are_kept_and_undone_one_by_one(steps: list[tuple[Phase, int]]):
    options: dict[str, object] = options_of(Phase.WARP)
    state = first_state(options, 0)
    past = [(state, options)]
    iteration = 0
    for phase, length in steps:
        if phase is state.phase:
            with pytest.raises(ConfigError, match="already"):
                switch_by_hand(state, phase, SETTINGS)
            continue
        iteration += length
        switch = switch_by_hand(state, phase, SETTINGS)
        state = state.switched(switch, iteration=iteration, options=options)
        options = {**options, **switch.options}
        past.append((state, options))
        plain = json.loads(json.dumps(state.to_plain()))
        assert ScheduleState.from_plain(plain) == state
    while state.before:
        assert phase_of(options) is state.phase
        state, undo, _ = state.undone()
        options = {**options, **undo.options}
        past.pop()
        assert (state.phase, state.entered_at) == (past[-1][0].phase, past[-1][0].entered_at)
        assert options == past[-1][1]


@pytest.mark.parametrize("phase", [Phase.MANUAL, Phase.PRETRAINING])
def test_models_without_phases_refuse_one(phase: Phase):
    with pytest.raises(ConfigError, match="cannot go to phase gan"):
        switch_by_hand(ScheduleState(phase, 0), Phase.GAN, SETTINGS)
