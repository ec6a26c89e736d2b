"""`pretrain`: give a model a start on a general faceset."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from pathlib import Path

from dflcolab.faceset.faceset import load_many
from dflcolab.pipeline.fetch import faceset_path
from dflcolab.pipeline.places import places_of
from dflcolab.pipeline.train import Copying, with_copies
from dflcolab.progress import Progress
from dflcolab.runtime.rules import require_choice
from dflcolab.runtime.where import Where
from dflcolab.training.config import PretrainConfig
from dflcolab.training.run import TrainReport, run_training
from dflcolab.training.trainer import Copies
from dflcolab.workspace.workspace import Side, Workspace


def pretrain(
    workspace: Workspace | Path,
    config: PretrainConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
    copying: Copying = nullcontext,
) -> TrainReport:
    """Train a model on many people at once: both sides read the same faces, without random warp.

    A later `train` of the same model keeps what encoder and decoders learned and starts at
    iteration 0. Safe to run again after any interruption.

    Args:
        workspace: Its `model/` and `history/` are written. With a remote it may be a folder that does
            not exist yet.
        config: How to train, and on which facesets.
        progress: Shows the work; its stop request ends the run after a save.
        where: Kind of place; found out when None.
        copying: Context manager to have around every copy to the remote.

    Raises:
        RightsError: The machine's operator has rules, and the user has not chosen yet.
        FacesetError: There are no faces, or they do not fit the model.
        DownloadError: A faceset cannot be fetched from its address.
        ConfigError: An option is unknown or out of range.
        ModelError: The model is already trained on src and dst, or training diverged.
        StorageError: The disk is full.
        Interrupted: The user asked to stop; everything is saved.
    """
    progress = progress or Progress()

    def run(opened: Workspace, copies: Copies | None, notes: list[str]) -> TrainReport:
        require_choice(opened, where)
        folders = [faceset_path(text, progress) for text in config.faceset]
        if not folders:
            folders = [opened.aligned_dir(side) for side in Side]
        faces = load_many(folders, progress=progress)
        places = places_of(opened, config.model)
        # Training starts at iteration 0 again: its previews must not mix with these.
        places = dataclasses.replace(places, history_dir=places.history_dir / "pretraining")
        return run_training(
            config,
            places,
            {"src": faces, "dst": faces},
            face_type=opened.settings.face_type,
            pretrain=True,
            progress=progress,
            problems=[*notes, *faces.problems],
            copies=copies,
        )

    return with_copies(workspace, config, progress, copying, run)
