"""A step that a new session takes over computes what a step of its own would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.pipeline.train import train
from dflcolab.training.config import TrainConfig
from dflcolab.training.step import TrainingStep
from dflcolab.workspace.workspace import Workspace
from tests.troubleshooting.said import HeardProgress


@pytest.mark.long
def test_a_training_with_a_used_step_ends_in_the_same_numbers(
    face_workspace: Path, request, monkeypatch
):
    workspace = Workspace.open(face_workspace)
    made = []
    first = TrainingStep.__init__

    def counted(self, *arguments, **settings):
        made.append(self)
        first(self, *arguments, **settings)

    monkeypatch.setattr(TrainingStep, "__init__", counted)

    def run(name: str, target: int) -> np.ndarray:
        plain = {"model": name, "preset": "tiny", "target_iter": target, "look_every": 2}
        config = from_mapping(TrainConfig, {**plain, "preview_every": 0})
        train(workspace, config, progress=HeardProgress())
        return np.fromfile(workspace.model_dir(name) / "losses.bin", np.float32)

    alone = run("alone", 5)
    request.getfixturevalue("steps_again")
    run("other", 3)
    resumed = [run("again", 2), run("again", 5)]
    np.testing.assert_array_equal(resumed[-1], alone)
    assert len(made) == 2
