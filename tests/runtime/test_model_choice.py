"""One place says which model is worked on; a model never gets other sizes than were asked for in silence."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from dflcolab.errors import CheckpointError, ConfigError, WorkspaceError
from dflcolab.pipeline.init import init
from dflcolab.runtime.machine import Gpu
from dflcolab.runtime.model_choice import (
    AUTO,
    ModelChoice,
    choose_model,
    fitting_preset,
    trained_last,
)
from dflcolab.runtime.pretraining import PretrainingTime, seconds_left
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Workspace
from tests.runtime.runtimes import MACHINE
from tests.runtime.saved_models import note_beginning, save_model


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path / "mine", InitConfig())
    return Workspace.open(tmp_path / "mine")


def chosen(workspace: Workspace, *, preset: str = AUTO, arch: str = "saehd") -> ModelChoice:
    return choose_model(workspace, "first", preset=preset, arch=arch, fitting="standard")


@pytest.mark.parametrize(
    ("memory_mib", "preset"),
    [(0, "light"), (8_192, "light"), (15_360, "standard"), (23_034, "high"), (81_559, "high")],
)
def test_a_new_models_size_fits_the_largest_gpu(memory_mib: int, preset: str):
    gpus = (Gpu("small", 4_096, 7.5), Gpu("large", memory_mib, 8.0)) if memory_mib else ()
    machine = dataclasses.replace(MACHINE, gpus=gpus)

    assert fitting_preset(machine, sample=False) == preset
    assert fitting_preset(machine, sample=True) == "demo"


def test_a_new_model_gets_what_was_chosen_or_fits(workspace: Workspace):
    assert chosen(workspace).preset == "standard"
    assert chosen(workspace, preset="light", arch="amp") == ModelChoice(
        "first", "amp", "light", "first will be a new model: amp, preset light (128 pixels)."
    )
    with pytest.raises(WorkspaceError, match="cannot be a model's name"):
        choose_model(workspace, "../up", preset=AUTO, arch="saehd", fitting="light")


def test_a_model_that_is_there_says_its_sizes_and_keeps_them(workspace: Workspace):
    save_model(workspace.model_dir("first"), 1234, "demo")

    choice = chosen(workspace)

    assert not choice.is_new
    assert "96 pixels, iteration 1,234" in choice.sentence
    assert not chosen(workspace, preset="demo").is_new


@pytest.mark.bad_day("model-other-sizes")
def test_a_preset_of_other_sizes_is_refused_and_names_both_ways_out(workspace: Workspace):
    save_model(workspace.model_dir("first"), 1234, "demo")

    with pytest.raises(ConfigError, match=r"resolution 96 instead of 192.*another model_name"):
        chosen(workspace, preset="standard")
    with pytest.raises(ConfigError, match="saehd instead of amp"):
        chosen(workspace, arch="amp")


def test_the_preset_it_was_begun_with_is_right_whatever_else_was_set(workspace: Workspace):
    """So that "Run all" on a new machine goes on with a model whose options came from a form."""
    folder = workspace.model_dir("first")
    save_model(folder, 10, "light")
    note_beginning(folder, "standard")  # with `resolution=128 …` in the options

    assert not chosen(workspace, preset="standard").is_new
    (folder / "events.jsonl").write_text("no line\n")
    with pytest.raises(ConfigError, match="instead of"):
        chosen(workspace, preset="standard")


@pytest.mark.bad_day("model-none-trained")
def test_the_model_trained_last_is_the_one_to_merge_with(workspace: Workspace):
    with pytest.raises(WorkspaceError, match="no trained model"):
        trained_last(workspace)
    save_model(workspace.model_dir("b"), 5, "tiny", saved_at="2026-11-30T08:00:00Z")
    save_model(workspace.model_dir("a"), 5, "tiny", saved_at="2026-11-30T09:00:00Z")

    assert trained_last(workspace) == "a"


def test_a_damaged_state_is_passed_over_and_never_taken_for_a_new_model(workspace: Workspace):
    folder = workspace.model_dir("first")
    save_model(folder, 5, "tiny")
    save_model(folder, 6, "tiny")
    (folder / "ckpt-000000006" / "state.json").write_text("{")
    assert trained_last(workspace) == "first"

    (folder / "ckpt-000000005" / "state.json").write_text("{")
    with pytest.raises(CheckpointError):
        chosen(workspace)


def test_the_time_of_a_pretraining_adds_up_over_runs_that_were_cut_off(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    spent = PretrainingTime(workspace, "first")

    def at(clock: float) -> None:
        monkeypatch.setattr(time, "time", lambda: clock)

    def saved(clock: float) -> dict[str, str]:
        return {"saved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock))}

    assert spent.seconds(None) == spent.seconds(saved(0)) == 0
    at(1000)
    spent.begin(None)
    assert spent.seconds(None) == 0  # cut off before the first save
    at(2000)
    spent.begin(None)
    assert spent.seconds(saved(2600)) == 600
    at(9000)
    spent.begin(saved(2600))
    assert spent.seconds(saved(2600)) == 600  # cut off before it saved anything
    assert spent.seconds(saved(9060)) == 660

    assert seconds_left(0, 660) is None
    assert seconds_left(12, 660) == 60
    assert seconds_left(11, 660) == 0
