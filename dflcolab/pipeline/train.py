"""`train`: teach a model the faces of src and dst."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

from dflcolab.errors import Interrupted
from dflcolab.faceset.faceset import load_faceset
from dflcolab.pipeline.background_push import BackgroundPush
from dflcolab.pipeline.early_checks import check_model_settings
from dflcolab.pipeline.newest_state import start_at_newest
from dflcolab.pipeline.places import places_of
from dflcolab.progress import Progress
from dflcolab.runtime.rules import require_choice
from dflcolab.runtime.where import Where
from dflcolab.training.config import TrainConfig, with_settings
from dflcolab.training.run import TrainReport, run_training
from dflcolab.training.trainer import Copies
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.run import MaskTrainReport

Copying = Callable[[], AbstractContextManager[object]]
R = TypeVar("R", bound="TrainReport | MaskTrainReport")


def train(
    workspace: Workspace | Path,
    config: TrainConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
    copying: Copying = nullcontext,
) -> TrainReport:
    """Train a model, new or resumed, on the facesets of the workspace.

    Safe to run again after any interruption: it goes on from the newest whole checkpoint, here or on
    the remote. A model in pretraining leaves it and starts at iteration 0 with what it learned.

    Args:
        workspace: Its `aligned` folders are read, its `model/` and `history/` written. With a remote
            it may be a folder that does not exist yet.
        config: How to train.
        progress: Shows the work; its stop request ends the run after a save.
        where: Kind of place; found out when None.
        copying: Context manager to have around every copy to the remote.

    Raises:
        RightsError: The machine's operator has rules, and the user has not chosen yet.
        FacesetError: A side has no faces, or they do not fit the model.
        ConfigError: An option is unknown or out of range.
        ModelError: The options do not fit the model on disk, or training diverged.
        StorageError: The disk is full.
        SyncError: There is no workspace here, and none can be fetched.
        Interrupted: The user asked to stop; everything is saved.
    """
    progress = progress or Progress()

    def run(opened: Workspace, copies: Copies | None, notes: list[str]) -> TrainReport:
        require_choice(opened, where)
        src = load_faceset(opened.aligned_dir(Side.SRC))
        dst = load_faceset(opened.aligned_dir(Side.DST))
        return run_training(
            config,
            places_of(opened, config.model),
            {"src": src, "dst": dst},
            face_type=opened.settings.face_type,
            pretrain=False,
            progress=progress,
            problems=[*notes, *src.problems, *dst.problems],
            copies=copies,
        )

    return with_copies(workspace, config, progress, copying, run)


def with_copies(
    place: Workspace | Path,
    config: TrainConfig,
    progress: Progress,
    copying: Copying,
    run: Callable[[Workspace, Copies | None, list[str]], R],
) -> R:
    """Begin at the newest state, and copy to the remote while `run` trains; what all trainings share.

    Args:
        place: The workspace or its folder.
        config: Names model and remote.
        progress: Gets the sentences.
        copying: Context manager to have around every copy.
        run: Trains; gets the workspace, what copies, and notes for the report.

    Raises:
        ConfigError: An option is unknown or out of range.
        WorkspaceError: There is no workspace here, and no remote to fetch one from.
        SyncError: There is none here, and none can be fetched.
    """
    settled, of_model = with_settings(config)
    root = place.root if isinstance(place, Workspace) else place
    check_model_settings(of_model, root / "model" / config.model, config.arch)
    with copying():
        start = start_at_newest(place, config.model, settled.remote, progress)
    # One of several workers writes, so one copies.
    if start.remote is None or not settled.push_minutes or settled.worker != 0:
        return run(start.workspace, None, list(start.notes))
    copies = BackgroundPush(
        start.workspace,
        config.model,
        start.remote,
        minutes=settled.push_minutes,
        progress=progress,
        copying=copying,
    )
    try:
        with copies:
            report = run(start.workspace, copies, list(start.notes))
    except Interrupted as error:
        raise Interrupted(f"{error} {copies.state.sentence()}") from error
    return dataclasses.replace(report, copy=copies.state)
