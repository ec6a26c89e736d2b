"""A workspace to be merged, with frames and faces of the sample clip and a model with fresh weights."""

from __future__ import annotations

from pathlib import Path

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Contents, write_checkpoint
from dflcolab.models.presets import PRESETS
from dflcolab.models.saehd.options import saehd_options
from dflcolab.training.model_state import ModelState
from dflcolab.workspace.settings import Rights
from dflcolab.workspace.workspace import RightsBasis, Workspace
from tests.widgets.framed_workspace import framed_workspace


def tuned_workspace(root: Path, **options: object) -> Workspace:
    """Six frames, a face in each, and a model `m` of the preset `tiny` with `options` changed."""
    workspace = framed_workspace(root)
    rights = Rights(RightsBasis.LICENSED, "sample clip")
    workspace.update(rights_src=rights, rights_dst=rights)
    give_model(workspace, "m", **options)
    return workspace


def give_model(workspace: Workspace, name: str, **options: object) -> None:
    """A model that has not learned anything: its faces and masks depend on the picture all the same."""
    chosen = saehd_options({**PRESETS["saehd"]["tiny"], **options})
    state = ModelState(chosen, seed=3)
    facts = {
        "architecture": "saehd", "options": to_plain(chosen), "pretraining": False, "seed": 3,
        "loss_history": {"file": "losses.bin", "count": 1}, "held_out_loss": None,
    }  # fmt: skip
    write_checkpoint(
        workspace.model_dir(name), Contents(1, state.weights(), state.optimizer(), facts)
    )
