"""`train`: teach a model the faces of src and dst."""

from __future__ import annotations

from dflcolab.faceset.faceset import load_faceset
from dflcolab.progress import Progress
from dflcolab.runtime.rules import require_choice
from dflcolab.runtime.where import Where
from dflcolab.training.config import TrainConfig
from dflcolab.training.run import Places, TrainReport, run_training
from dflcolab.workspace.workspace import Side, Workspace


def train(
    workspace: Workspace,
    config: TrainConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
) -> TrainReport:
    """Train a model, new or resumed, on the facesets of the workspace.

    Safe to run again after any interruption: it goes on from the last whole checkpoint. A model in
    pretraining leaves it and starts at iteration 0 with what it learned.

    Args:
        workspace: Its `aligned` folders are read, its `model/` and `history/` written.
        config: How to train.
        progress: Shows the work; its stop request ends the run after a save.
        where: Kind of place; found out when None.

    Raises:
        RightsError: The machine's operator has rules, and the user has not chosen yet.
        FacesetError: A side has no faces, or they do not fit the model.
        ConfigError: An option is unknown or out of range.
        ModelError: The options do not fit the model on disk, or training diverged.
        StorageError: The disk is full.
        Interrupted: The user asked to stop; everything is saved.
    """
    require_choice(workspace, where)
    progress = progress or Progress()
    src = load_faceset(workspace.aligned_dir(Side.SRC))
    dst = load_faceset(workspace.aligned_dir(Side.DST))
    return run_training(
        config,
        places_of(workspace, config.model),
        {"src": src, "dst": dst},
        face_type=workspace.settings.face_type,
        pretrain=False,
        progress=progress,
        problems=[*src.problems, *dst.problems],
    )


def places_of(workspace: Workspace, model: str) -> Places:
    """Where a run of a model reads and writes."""
    return Places(
        model_dir=workspace.model_dir(model),
        history_dir=workspace.history_dir / model,
        stop_file=workspace.root / "STOP",
        cache_dir=workspace.root / ".cache",
    )
