"""Checkpoints are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from dflcolab.engine import checkpoint as module
from dflcolab.engine.checkpoint import (
    INDEX,
    Contents,
    best_of,
    latest_checkpoint,
    list_checkpoints,
    newest_state,
    write_checkpoint,
)
from dflcolab.errors import CheckpointError, StorageError


def _contents(iteration: int, **state) -> Contents:
    generator = np.random.default_rng(iteration)
    weights = {"encoder/a/weight:0": generator.random((3, 3, 4, 5), dtype=np.float32)}
    slots = {"iters:0": np.asarray(iteration, np.int64), "ms_x:0": np.ones(7, np.float32)}
    state = {"pretraining": False, **state}
    return Contents(iteration, weights, slots, state, preview=b"\xff\xd8 a preview")


def test_what_was_saved_comes_back_to_the_bit(tmp_path: Path):
    contents = _contents(123, options={"archi": "df"})

    write_checkpoint(tmp_path, contents)

    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found.folder.name == "ckpt-000000123"
    assert found.iteration == 123
    weights, slots = found.weights(), found.optimizer()
    np.testing.assert_array_equal(weights["encoder/a/weight:0"],
                                  contents.weights["encoder/a/weight:0"])  # fmt: skip
    assert slots["iters:0"] == 123
    assert slots["iters:0"].shape == ()
    state = found.state()
    assert state["options"] == {"archi": "df"}
    assert state["format_version"] == 1
    assert (found.folder / "preview.jpg").read_bytes() == contents.preview


def test_safetensors_of_others_read_our_files(tmp_path: Path):
    from safetensors import safe_open

    found = write_checkpoint(tmp_path, _contents(1))
    with safe_open(found.folder / "weights.safetensors", framework="np") as opened:
        assert list(opened.keys()) == ["encoder/a/weight:0"]


@pytest.mark.parametrize("part", ["weights.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_a_damaged_newest_one_gives_way_to_the_one_before_and_says_so(
    tmp_path: Path, part: str, damage: str
):
    write_checkpoint(tmp_path, _contents(10))
    newest = write_checkpoint(tmp_path, _contents(20)).folder / part
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "delete":
        newest.unlink()
    else:
        newest.write_bytes(data if damage == "flip" else data[:-1])
    told: list[str] = []

    found = latest_checkpoint(tmp_path, on_problem=told.append)

    assert found is not None
    assert found.iteration == 10
    assert len(told) == 1
    assert part in told[0]


def test_a_folder_without_a_marker_does_not_exist(tmp_path: Path):
    write_checkpoint(tmp_path, _contents(10))
    newest = write_checkpoint(tmp_path, _contents(20)).folder
    (newest / "complete.json").unlink()

    found = latest_checkpoint(tmp_path)

    assert found is not None
    assert found.iteration == 10


@pytest.mark.bad_day("no-whole-checkpoint")
def test_training_never_starts_anew_over_broken_checkpoints(tmp_path: Path):
    for iteration in (10, 20):
        folder = write_checkpoint(tmp_path, _contents(iteration)).folder
        (folder / "weights.safetensors").write_bytes(b"gone")
    with pytest.raises(CheckpointError, match="None of the 2 checkpoints"):
        latest_checkpoint(tmp_path)


def test_a_model_that_was_never_saved_is_none(tmp_path: Path):
    assert latest_checkpoint(tmp_path / "nothing") is None
    assert newest_state(tmp_path / "nothing") is None


def test_a_state_that_cannot_be_read_is_passed_over_and_never_taken_for_a_new_model(tmp_path: Path):
    states = [write_checkpoint(tmp_path, _contents(n)).folder / "state.json" for n in (10, 20)]
    for damaged in ("{", "{}", "[]"):
        states[1].write_text(damaged)
        found = newest_state(tmp_path)
        assert found is not None
        assert found["iteration"] == 10

    states[0].write_text("{")
    with pytest.raises(CheckpointError):
        newest_state(tmp_path)


def test_a_marker_that_points_outside_is_no_marker(tmp_path: Path):
    folder = write_checkpoint(tmp_path, _contents(10)).folder
    marker = json.loads((folder / "complete.json").read_text())
    marker["parts"]["../../secret"] = {"size": 1, "sha256": "0"}
    (folder / "complete.json").write_text(json.dumps(marker))
    assert list_checkpoints(tmp_path) == []


def test_the_last_three_and_the_best_stay(tmp_path: Path):
    scores = {10: 3.0, 20: 1.0, 30: 2.0, 40: 2.5, 50: 2.6, 60: 2.7}
    for iteration, score in scores.items():
        best = best_of(list_checkpoints(tmp_path))
        better = best is None or score < min(s for i, s in scores.items() if i < iteration)
        contents = _contents(iteration, held_out_loss=score)
        write_checkpoint(tmp_path, contents, keep=3, best="" if better else best)

    assert [c.iteration for c in list_checkpoints(tmp_path)] == [20, 40, 50, 60]
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["latest"] == "ckpt-000000060"
    assert index["best"] == "ckpt-000000020"
    assert set(index["checkpoints"]) == {f"ckpt-0000000{n}" for n in (20, 40, 50, 60)}


def test_the_best_is_the_best_of_those_whose_losses_mean_the_same(tmp_path: Path):
    def save(iteration: int, score: float | None, scored_by: str | None, **state: object) -> None:
        known = {} if scored_by is None else {"scored_by": scored_by}
        contents = _contents(iteration, held_out_loss=score, **known, **state)
        write_checkpoint(tmp_path, contents, keep=10)

    def best(like: dict[str, object] | None = None) -> str | None:
        return best_of(list_checkpoints(tmp_path), like=like)

    save(10, 0.1, None, pretraining=True)
    save(20, 0.5, None)  # as versions before this rule wrote them
    save(30, 0.6, None)
    assert best() == "ckpt-000000020"
    save(40, 0.9, "other options")
    assert best() == "ckpt-000000040"
    save(50, 0.7, "other options")
    save(60, 0.8, "other options")
    assert best() == "ckpt-000000050"
    save(70, None, "no number")
    assert best() == "ckpt-000000050"
    assert best({"pretraining": False}) == "ckpt-000000020"
    assert best({"pretraining": False, "scored_by": "new faces"}) is None


def test_the_latest_save_wins_over_a_higher_iteration(tmp_path: Path):
    """After pretraining a model starts at 0 again."""
    write_checkpoint(tmp_path, _contents(5000, pretraining=True))
    write_checkpoint(tmp_path, _contents(100))
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found.iteration == 100


def test_the_same_iteration_can_be_saved_again(tmp_path: Path):
    write_checkpoint(tmp_path, _contents(100, pretraining=True))
    write_checkpoint(tmp_path, _contents(100, note="second"))
    found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found.state()["note"] == "second"
    assert {path.name for path in tmp_path.iterdir()} == {"ckpt-000000100", "index.json"}


class _Death(BaseException):
    """Stands for the end of the process."""


def test_the_only_save_survives_death_between_the_two_renames_of_its_successor(
    tmp_path: Path, monkeypatch
):
    write_checkpoint(tmp_path, _contents(7, phase=1), keep=1)
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", _die)
        patch.setattr(module.shutil, "rmtree", lambda *_, **__: None)  # nobody cleans up
        with pytest.raises(SystemExit):
            write_checkpoint(tmp_path, _contents(7, phase=2), keep=1)

    for _ in range(2):  # looking at it changes nothing
        found = latest_checkpoint(tmp_path)
        assert found is not None
        assert found.state()["phase"] == 1

    write_checkpoint(tmp_path, _contents(7, phase=3), keep=1)
    (found,) = list_checkpoints(tmp_path)
    assert found.state()["phase"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {"ckpt-000000007", "index.json"}


def _die(*_: object) -> None:
    raise SystemExit


def test_death_at_any_write_leaves_the_old_or_the_new_state(tmp_path: Path, monkeypatch):
    """Ends a save at its 1st, 2nd, 3rd … call to the file system, then loads."""
    write_checkpoint(tmp_path / "start", _contents(10))
    write_checkpoint(tmp_path / "start", _contents(20))
    outcomes: list[int] = []
    for steps in range(1, 60):
        root = tmp_path / f"run{steps}"
        shutil.copytree(tmp_path / "start", root)
        left = [steps]

        def counted(function, left=left):
            def call(*args, **kwargs):
                left[0] -= 1
                if left[0] == 0:
                    raise _Death
                return function(*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            # A killed process cannot tidy up either.
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)
            for name in ("fsync", "replace"):
                patch.setattr(os, name, counted(getattr(os, name)))
            for name in ("open", "mkdir", "rename", "unlink"):
                patch.setattr(Path, name, counted(getattr(Path, name)))
            try:
                write_checkpoint(root, _contents(30), keep=2)
            except _Death:
                died = True
            else:
                died = False
        found = latest_checkpoint(root)
        assert found is not None
        outcomes.append(found.iteration)
        write_checkpoint(root, _contents(40), keep=2)
        names = {path.name for path in root.iterdir() if not path.name.endswith(".tmp")}
        assert "ckpt-000000040" in names
        if not died:
            break
    assert not died
    assert set(outcomes) == {20, 30}
    assert outcomes == sorted(outcomes)


def test_a_full_disk_leaves_the_earlier_ones_and_no_litter(tmp_path: Path, monkeypatch):
    write_checkpoint(tmp_path, _contents(10))

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_tensors", full)
    with pytest.raises(StorageError, match="full"):
        write_checkpoint(tmp_path, _contents(20))
    assert {path.name for path in tmp_path.iterdir()} == {"ckpt-000000010", "index.json"}
