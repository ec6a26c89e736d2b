"""`train` as the command line calls it: a model that swaps faces, or with `--arch xseg` one of masks."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from pathlib import Path

from dflcolab.pipeline.early_checks import state_here
from dflcolab.pipeline.mask_train import mask_config_of, train_masks
from dflcolab.pipeline.train import Copying, train, with_copies
from dflcolab.progress import Progress
from dflcolab.runtime.where import Where
from dflcolab.training.config import TrainConfig
from dflcolab.training.run import TrainReport
from dflcolab.training.trainer import Copies
from dflcolab.workspace.workspace import Workspace
from dflcolab.xseg.run import MaskTrainReport


def any_training(
    workspace: Workspace | Path,
    config: TrainConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
    copying: Copying = nullcontext,
) -> TrainReport | MaskTrainReport:
    """Train the kind of model that was asked for, or that is there already.

    Args:
        workspace: It or its folder.
        config: How to train.
        progress: Shows the work; its stop request ends the run after a save.
        where: Kind of place; found out when None.
        copying: Context manager to have around every copy to the remote.

    Raises:
        DFLColabError: As `train` and `train_masks` say.
    """
    if not _is_of_masks(workspace, config):
        return train(workspace, config, progress=progress, where=where, copying=copying)
    masks = mask_config_of(config)

    def run(opened: Workspace, copies: Copies | None, notes: list[str]) -> MaskTrainReport:
        report = train_masks(opened, masks, progress=progress, where=where, copies=copies)
        return dataclasses.replace(report, problems=(*notes, *report.problems))

    return with_copies(workspace, config, progress or Progress(), copying, run)


def _is_of_masks(workspace: Workspace | Path, config: TrainConfig) -> bool:
    if config.arch is not None:
        return config.arch == "xseg"
    root = workspace if isinstance(workspace, Path) else workspace.root
    state = state_here(root / "model" / config.model)
    return state is not None and state.get("architecture") == "xseg"
