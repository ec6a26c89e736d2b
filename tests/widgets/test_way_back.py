"""The button that lets training go on from the best state, on checkpoints whose scores are made up."""

from __future__ import annotations

from pathlib import Path

from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.engine.model_lock import training_alone
from dflcolab.widgets.way_back import way_back
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Workspace
from tests.runtime.saved_models import save_model


def test_where_an_earlier_state_is_the_better_one_a_button_makes_it_the_newest(tmp_path: Path):
    write_settings(tmp_path, WorkspaceSettings(name="test"))
    workspace = Workspace.open(tmp_path)
    folder = workspace.model_dir("m")
    save_model(folder, 1200, "tiny", held_out_loss=0.1)
    assert way_back(workspace, "m") is None
    save_model(folder, 3000, "tiny", held_out_loss=0.2)

    text, button = way_back(workspace, "m").children
    assert "Iteration 1,200 does better on the held-out faces than iteration 3,000" in text.value
    with training_alone(folder):
        button.click()
        assert "Another process is training m" in text.value
    button.click()

    assert "back at iteration 1,200" in text.value
    assert button.disabled
    assert [one.iteration for one in list_checkpoints(folder)][-1] == 1200
    assert way_back(workspace, "m") is None
