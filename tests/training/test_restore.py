"""`model restore`: training goes on from an earlier state as if the later ones had never been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dflcolab.config import from_mapping
from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.pipeline.model import model
from dflcolab.pipeline.train import train
from dflcolab.pipeline.training_history import read_history
from dflcolab.training.config import ModelConfig, TrainConfig
from dflcolab.workspace.workspace import Workspace

pytestmark = pytest.mark.usefixtures("steps_again")


def _train(workspace: Workspace, **options: Any) -> Any:
    usual = {"model": "m", "preset": "tiny", "look_every": 3, "preview_every": 0, "save_every": 3}
    return train(workspace, from_mapping(TrainConfig, {**usual, **options}))


def test_training_goes_on_from_the_restored_state_in_the_same_numbers(face_workspace: Path):
    workspace = Workspace.open(face_workspace)
    folder = workspace.model_dir("m")
    _train(workspace, target_iter=6)
    losses, looks = (folder / "losses.bin").read_bytes(), (folder / "looks.jsonl").read_text()

    with (folder / "events.jsonl").open("a") as stream:
        stream.write('{"iteration": 6, "ki')  # the disk was full just then
    restored = model(workspace, ModelConfig(action="restore", checkpoint=3))

    assert restored.summary().startswith("m is back at iteration 3 (it was at 6)")
    assert {c.iteration for c in list_checkpoints(folder)} == {3, 6}
    seen = read_history(workspace, "m")
    assert ([look.iteration for look in seen.looks], len(seen.losses)) == ([3], 3)
    again = _train(workspace, target_iter=6)
    assert again.resumed_from == 3
    assert (folder / "losses.bin").read_bytes() == losses
    assert (folder / "looks.jsonl").read_text() == looks
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    (event,) = (e for e in events if e["kind"] == "restore")
    assert (event["iteration"], event["back_to"]) == (6, 3)
