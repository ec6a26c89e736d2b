"""The watch beside a real training: looks survive kills, phases follow each other, training ends."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dflcolab.config import from_mapping
from dflcolab.engine.checkpoint import latest_checkpoint, list_checkpoints
from dflcolab.engine.chosen_checkpoint import best_checkpoint
from dflcolab.errors import ConfigError, FormatError, ModelError
from dflcolab.pipeline.model import model
from dflcolab.pipeline.train import train
from dflcolab.pipeline.undo_switch import UndoReport
from dflcolab.training import session, watching
from dflcolab.training.config import ModelConfig, TrainConfig
from dflcolab.training.evaluator import Evaluator
from dflcolab.training.run import TrainReport
from dflcolab.watch.looks import Look
from dflcolab.watch.verdicts import Call, Verdict
from dflcolab.workspace.workspace import Side, Workspace
from tests.troubleshooting.said import HeardProgress

pytestmark = pytest.mark.usefixtures("steps_again")


@pytest.fixture
def workspace(face_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    few = functools.partial(Evaluator, most=4, most_warped=4)  # looks at more cost too much here
    monkeypatch.setattr(session, "Evaluator", few)
    return Workspace.open(face_workspace)


def _train(workspace: Workspace, name: str = "m", **options: Any) -> TrainReport:
    usual = {"model": name, "preset": "tiny", "look_every": 4, "preview_every": 0}
    config = from_mapping(TrainConfig, {**usual, **options})
    return train(workspace, config, progress=HeardProgress())


def _lines(workspace: Workspace, kind: str, name: str = "m") -> list[dict[str, Any]]:
    path = workspace.model_dir(name) / f"{kind}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def _events(workspace: Workspace, name: str = "m") -> list[dict[str, Any]]:
    return [e for e in _lines(workspace, "events", name) if e["kind"] not in ("start", "resume")]


@pytest.fixture
def plateau(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that always say plateau, and never at swaps: what is tested here is what follows."""
    _say(monkeypatch, Call.PLATEAU)
    monkeypatch.setattr(watching, "_SWAP_EVERY", 1000)


def _say(monkeypatch: pytest.MonkeyPatch, call: Call, first: int = 0) -> None:
    def judge(looks: Sequence[Look], **_: object) -> tuple[Verdict, ...]:
        late = looks[-1].iteration >= first
        return (Verdict(call if late else Call.LEARNING, "So it is.", "Do this."),)

    monkeypatch.setattr(watching, "judge", judge)


def test_looks_are_taken_on_schedule_and_tell_of_both_sides(workspace: Workspace):
    report = _train(workspace, target_iter=12)

    looks = _lines(workspace, "looks")
    assert [look["iteration"] for look in looks] == [4, 8, 12]
    assert report.verdict == "too little data for a judgement"  # three looks
    assert report.phase == "warp"
    for side in ("src", "dst"):
        assert f"{side}/held_out/psnr" in looks[0]["measures"]
        assert f"{side}/training_warped/loss" in looks[0]["measures"]
    assert "swap/held_out/identity_src" in looks[0]["measures"]
    assert "swap/held_out/identity_src" not in looks[1]["measures"]  # every fifth look
    # The score of the checkpoint is that of the look at its iteration.
    last = Look.from_plain(looks[-1])
    score = sum(last.measures[f"{side}/held_out/loss"].mean for side in ("src", "dst"))
    checkpoint = latest_checkpoint(workspace.model_dir("m"))
    assert checkpoint is not None
    state = checkpoint.state()
    assert state["held_out_loss"] == pytest.approx(score, rel=1e-6)
    assert report.held_out_losses is not None
    assert report.held_out_intervals is not None
    for side, loss in report.held_out_losses.items():
        low, high = report.held_out_intervals[side]
        assert low < loss < high
        names = state["watch"]["stretch_names"][side]
        assert len(names) == len(last.measures[f"{side}/held_out/loss"].means)
        assert all(name.startswith("frame") for name in names)
    started = _lines(workspace, "events")[0]
    assert started["kind"] == "start"
    assert started["options"]["resolution"] == 64


def test_without_a_wish_looks_are_spaced_by_what_they_cost(workspace: Workspace):
    _train(workspace, target_iter=70, look_every=0)
    checkpoint = latest_checkpoint(workspace.model_dir("m"))
    assert checkpoint is not None
    every = checkpoint.state()["watch"]["look_every"]
    assert every >= 10
    assert str(every).strip("0") in ("1", "2", "5")


@pytest.mark.long
def test_interrupted_and_resumed_sees_says_and_switches_the_same(workspace: Workspace, plateau):
    options = {"phase_iterations": 8, "save_every": 3, "look_every": 1}
    _train(workspace, "whole", target_iter=14, **options)
    for target in (7, 10, 14):
        _train(workspace, "parts", target_iter=target, **options)

    assert _lines(workspace, "looks", "parts") == _lines(workspace, "looks", "whole")
    assert _events(workspace, "parts") == _events(workspace, "whole")
    switches = [e for e in _events(workspace, "whole") if e["kind"] == "switch"]
    assert [event["to"] for event in switches] == ["lr_dropout"]
    losses = [workspace.model_dir(n) / "losses.bin" for n in ("parts", "whole")]
    assert losses[0].read_bytes() == losses[1].read_bytes()


@pytest.mark.bad_day("undo-gone")
def test_a_switch_changes_the_options_and_can_be_undone(workspace: Workspace, plateau):
    options = {"phase_iterations": 8, "look_every": 1}
    report = _train(workspace, target_iter=14, keep=1, **options)
    assert report.phase == "lr_dropout"
    assert report.options["lr_dropout"] == "y"
    switched_at = next(e for e in _events(workspace) if e["kind"] == "switch")["iteration"]
    kept = [c.iteration for c in list_checkpoints(workspace.model_dir("m"))]
    assert switched_at in kept  # though only one is to stay

    before = workspace.model_dir("m") / f"ckpt-{switched_at:09d}"
    away = before.rename(workspace.root / "away")
    with pytest.raises(ModelError, match="is not on this machine; train on"):
        model(workspace, ModelConfig(action="undo"))
    away.rename(before)

    undone = model(workspace, ModelConfig(action="undo"))

    assert isinstance(undone, UndoReport)
    assert undone.iteration == switched_at
    assert undone.phase == "warp"
    again = _train(workspace, target_iter=24, **options)
    assert again.resumed_from == switched_at
    assert again.phase == "warp"  # held, though the looks say plateau
    kinds = [event["kind"] for event in _events(workspace)]
    assert kinds.count("switch") == 1
    assert "undo" in kinds


@pytest.mark.long
def test_gan_begins_only_if_it_is_asked_for(workspace: Workspace, plateau):
    options = {"phase_iterations": 8, "look_every": 1, "set": ["gan_patch_size=8", "gan_dims=8"]}
    assert _train(workspace, target_iter=12, phase="no_warp", **options).phase == "no_warp"
    with_gan = _train(workspace, target_iter=13, schedule_gan=0.05, **options)
    assert with_gan.phase == "gan"
    assert with_gan.options["gan_power"] == 0.05
    assert with_gan.options["random_warp"] is False


@pytest.mark.bad_day("undo-none")
def test_what_is_set_by_hand_is_not_switched_and_leaves_nothing_to_undo(
    workspace: Workspace, plateau
):
    options = {"phase_iterations": 8, "look_every": 1, "target_iter": 14}
    report = _train(workspace, set=["random_warp=yes"], **options)
    assert report.phase == "warp"
    with pytest.raises(ModelError, match="no switch of the schedule to undo"):
        model(workspace, ModelConfig(action="undo"))


def test_a_phase_by_hand_is_an_event_and_one_that_a_model_has_not_is_refused(workspace: Workspace):
    _train(workspace, target_iter=4)
    report = _train(workspace, target_iter=8, phase="no_warp")
    assert report.options["random_warp"] is False
    event = _events(workspace)[-1]
    assert (event["kind"], event["from_"], event["to"]) == ("switch", "warp", "no_warp")
    with pytest.raises(ConfigError, match="cannot go to phase no_warp"):
        _train(workspace, "q", arch="quick96", preset=None, target_iter=4, phase="no_warp")


@pytest.mark.bad_day("watch-ends", "best-anew")
def test_it_ends_training_when_asked_to(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    _say(monkeypatch, Call.OVERFIT_SRC, first=8)
    wish = "overfit"

    report = _train(workspace, target_iter=40, stop_on=wish, schedule="manual")

    assert report.stopped_because == wish
    assert report.iteration == 8
    assert Call.OVERFIT_SRC in report.verdict
    # The same command again does not train a bit more each time.
    again = _train(workspace, target_iter=40, stop_on=wish, schedule="manual")
    assert (again.iteration, again.stopped_because) == (8, wish)
    # Whoever acts on the verdict does train: with other faces, and with other options.
    options = {"target_iter": 40, "stop_on": wish, "schedule": "manual", "keep": 1}
    min(workspace.aligned_dir(Side.SRC).glob("*.jpg")).unlink()
    assert _train(workspace, **options).iteration == 12
    best = best_checkpoint(workspace.model_dir("m"))
    assert _train(workspace, set=["eyes_mouth_prio=yes"], **options).iteration == 16
    # Its score means something else now; the best state by the one before stays.
    assert best is not None
    kept = [c.iteration for c in list_checkpoints(workspace.model_dir("m"))]
    assert kept == [best.iteration, 16]
    assert _train(workspace, target_iter=18, schedule="manual").iteration == 18


def test_a_plateau_ends_the_last_phase_and_leads_out_of_the_others(workspace: Workspace, plateau):
    options = {"phase_iterations": 8, "look_every": 1, "stop_on": "plateau", "target_iter": 40}

    report = _train(workspace, phase="lr_dropout", **options)

    (switch,) = [e for e in _events(workspace) if e["kind"] == "switch"]
    assert (switch["to"], report.phase) == ("no_warp", "no_warp")
    assert report.stopped_because == "plateau"
    assert report.iteration == switch["iteration"] + 4  # the shortest length of that phase
    again = _train(workspace, **options)
    assert (again.iteration, again.stopped_because) == (report.iteration, "plateau")


def test_over_fitting_is_only_told_of_unless_asked_to_end(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    _say(monkeypatch, Call.OVERFIT_DST, first=8)
    report = _train(workspace, target_iter=16)
    assert report.stopped_because == "target_iter"
    said = [e for e in _events(workspace) if e["kind"] == "verdict"]
    assert [e["call"] for e in said] == ["still learning", "over-fitting dst"]
    assert said[1]["iteration"] == 8


@pytest.mark.bad_day("undo-no-model")
def test_a_model_that_is_not_there_cannot_be_undone(workspace: Workspace):
    with pytest.raises(ModelError, match="There is no model 'x'"):
        model(workspace, ModelConfig(action="undo", model="x"))


@pytest.mark.bad_day("looks-none")
def test_lines_that_are_no_looks_are_one_sentence(workspace: Workspace):
    _train(workspace, target_iter=4)
    path = workspace.model_dir("m") / "looks.jsonl"
    path.write_text('{"iteration": 4}\n')
    with pytest.raises(FormatError, match=r"looks\.jsonl does not hold looks; delete the file"):
        _train(workspace, target_iter=8)
