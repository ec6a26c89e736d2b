"""The checkpoint that a user asks for is taken, or refused in a sentence that names what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.engine.checkpoint import (
    SCORED_BY,
    Contents,
    latest_checkpoint,
    list_checkpoints,
    write_checkpoint,
)
from dflcolab.engine.chosen_checkpoint import (
    best_checkpoint,
    better_state,
    chosen_checkpoint,
    write_again,
)
from dflcolab.errors import CheckpointError
from tests.troubleshooting.said import said


def _save(folder: Path, iteration: int, score: float | None, **state: object) -> None:
    weights = {"a": np.full(3, iteration, np.float32)}
    slots = {"iters:0": np.asarray(iteration, np.int64)}
    facts = {"pretraining": False, "held_out_loss": score, "note": iteration, **state}
    write_checkpoint(folder, Contents(iteration, weights, slots, facts), keep=100)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Iteration 20 has the lowest score, 30 is the latest."""
    folder = tmp_path / "first"
    for iteration, score in ((10, 3.0), (20, 1.5), (30, 2.0)):
        _save(folder, iteration, score)
    return folder


@pytest.mark.parametrize(("choice", "iteration"), [("latest", 30), ("best", 20), (10, 10)])
def test_a_word_or_an_iteration_names_a_checkpoint(model: Path, choice, iteration: int):
    found = chosen_checkpoint(model, choice)
    assert found is not None
    assert found.iteration == iteration


def test_of_a_model_without_any_save_there_is_none(tmp_path: Path):
    assert chosen_checkpoint(tmp_path / "nothing", "best") is None


@pytest.mark.bad_day("checkpoint-of-iteration")
def test_an_iteration_that_is_not_there_is_refused_with_those_that_are(model: Path):
    with pytest.raises(CheckpointError, match=r"iteration 25 on this machine.*one: 10, 20, 30\."):
        chosen_checkpoint(model, 25)


@pytest.mark.bad_day("best-unknown")
def test_without_a_held_out_score_there_is_no_best(tmp_path: Path):
    _save(tmp_path / "m", 5, None)
    with pytest.raises(CheckpointError, match=r"is not known; take latest, or .* one: 5\."):
        chosen_checkpoint(tmp_path / "m", "best")


@pytest.mark.bad_day("checkpoint-file-damaged")
def test_a_damaged_one_that_was_asked_for_is_not_replaced_by_another(model: Path):
    (model / "ckpt-000000020" / "weights.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match=r"000020.weights.safetensors is damaged"):
        chosen_checkpoint(model, "best")


@pytest.mark.bad_day("better-state")
def test_a_better_state_is_told_of_only_to_who_takes_the_latest(model: Path):
    sentence = better_state(model, "latest", 30)
    said(sentence)
    assert sentence == (
        "first: iteration 20 has a held-out score 25.0 % lower than iteration 30, which is used; "
        "--checkpoint best takes it (in the notebook's form: checkpoint)."
    )
    assert better_state(model, 30, 30) == ""
    _save(model, 40, 1.0)
    assert better_state(model, "latest", 40) == ""


def test_scores_of_other_faces_are_not_compared(model: Path):
    _save(model, 40, 9.0, **{SCORED_BY: "other faces"})
    assert better_state(model, "latest", 40) == ""
    _save(model, 50, 10.0)
    assert "iteration 20 has" in better_state(model, "latest", 50)


@pytest.mark.parametrize("iteration", [10, 20])
def test_written_again_it_is_the_newest_and_nothing_is_gone(model: Path, iteration: int):
    before = chosen_checkpoint(model, iteration)
    assert before is not None
    state = before.state()

    written = write_again(model, before, {"note": "changed"})

    newest = latest_checkpoint(model)
    assert newest is not None
    assert newest.iteration == written.iteration == iteration
    assert newest.weights()["a"][0] == iteration
    assert newest.state() == {**state, "serial": 4, "note": "changed"}
    assert sorted(c.iteration for c in list_checkpoints(model)) == [10, 20, 30]
    best = best_checkpoint(model)
    assert best is not None
    assert best.iteration == 20
