"""`model restore` beside copies and other processes; small states that no network is made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dflcolab.engine.checkpoint import INDEX, Contents, latest_checkpoint, write_checkpoint
from dflcolab.engine.model_lock import training_alone
from dflcolab.errors import ModelError
from dflcolab.pipeline.model import model
from dflcolab.pipeline.newest_state import start_at_newest
from dflcolab.pipeline.sync import pull_workspace, push_workspace
from dflcolab.progress import Progress
from dflcolab.sync.generations import list_generations, read_manifest
from dflcolab.sync.remote import Remote
from dflcolab.training.config import ModelConfig
from dflcolab.watch.schedule import Phase, ScheduleState, Switch
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Workspace

BEST = ModelConfig(action="restore", model="m", checkpoint="best")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Iteration 20 is the best, 30 the latest."""
    root = tmp_path / "here"
    root.mkdir()
    write_settings(root, WorkspaceSettings(name="test"))
    workspace = Workspace.open(root)
    for iteration, score in ((10, 0.3), (20, 0.1), (30, 0.2)):
        values = np.full(10, iteration, np.float32)
        state = {"pretraining": False, "held_out_loss": score, "architecture": "xseg"}
        contents = Contents(iteration, {"w": values}, {"iters:0": values}, state)
        write_checkpoint(workspace.model_dir("m"), contents)
    return workspace


def _iteration(root: Path) -> int:
    found = latest_checkpoint(Workspace.open(root).model_dir("m"))
    assert found is not None
    return found.iteration


def test_training_with_copies_begins_at_the_restored_state_and_so_do_other_machines(
    workspace: Workspace, tmp_path: Path
):
    remote = Remote.open(tmp_path / "shelf")
    push_workspace(workspace, remote, Progress())

    report = model(workspace, BEST)

    assert "`dflcolab mask train --model m` goes on from there" in report.summary()
    start_at_newest(workspace, "m", str(tmp_path / "shelf"), Progress())
    assert _iteration(workspace.root) == 20  # the copy is further on, and is not fetched back
    push_workspace(workspace, remote, Progress())
    manifest = read_manifest(remote, list_generations(remote)[0])
    assert [facts.iteration for facts in manifest.models] == [20]
    pull_workspace(tmp_path / "there", remote, Progress())
    assert _iteration(tmp_path / "there") == 20


@pytest.mark.bad_day("training-twice")
def test_while_another_process_trains_nothing_is_restored(workspace: Workspace):
    with (
        training_alone(workspace.model_dir("m")),
        pytest.raises(ModelError, match="Another process is training m"),
    ):
        model(workspace, BEST)
    assert _iteration(workspace.root) == 30


@pytest.mark.bad_day("undo-no-model")
def test_a_model_that_is_not_there_cannot_be_restored(workspace: Workspace):
    with pytest.raises(ModelError, match="There is no model 'x'"):
        model(workspace, ModelConfig(action="restore", model="x", checkpoint="best"))


def test_undoing_a_switch_keeps_the_best(workspace: Workspace):
    folder = workspace.model_dir("m")
    before = latest_checkpoint(folder)
    assert before is not None
    switch = Switch(Phase.WARP, Phase.LR_DROPOUT, "So it is.", {})
    schedule = ScheduleState(Phase.WARP, 0).switched(switch, iteration=30, options={})
    watch = {"before_switch": before.folder.name, "schedule": schedule.to_plain()}
    values = np.zeros(10, np.float32)
    state = {"pretraining": False, "held_out_loss": 0.4, "watch": watch}
    write_checkpoint(folder, Contents(40, {"w": values}, {"iters:0": values}, state), keep=9)

    model(workspace, ModelConfig(action="undo", model="m"))

    assert _iteration(workspace.root) == 30
    assert json.loads((folder / INDEX).read_text())["best"] == "ckpt-000000020"
