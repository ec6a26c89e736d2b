# pyright: strict
"""What the runs of one model left behind, read from its folder; no network is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from dflcolab.engine.checkpoint import Checkpoint, best_of, list_checkpoints
from dflcolab.engine.loss_history import losses_name, read_losses
from dflcolab.errors import CheckpointError, FormatError, ModelError
from dflcolab.watch.looks import Look
from dflcolab.watch.records import JsonLines
from dflcolab.watch.state import records_of
from dflcolab.workspace.workspace import Workspace

_PREVIEW = re.compile(r"preview-(\d{9,})\.jpg")
_PRETRAINING = "pretraining"
_GOES_BACK = ("undo", "restore")

T = TypeVar("T")


@dataclass(frozen=True)
class Saved:
    """A checkpoint, as far as its small files tell.

    Attributes:
        name: Of its folder.
        iteration: Finished iterations.
        state: Content of `state.json`.
    """

    name: str
    iteration: int
    state: Mapping[str, Any]

    @property
    def score(self) -> float | None:
        """Held-out loss of both sides together, if it was measured."""
        score = self.state.get("held_out_loss")
        return float(score) if isinstance(score, (int, float)) else None


@dataclass(frozen=True)
class ModelHistory:
    """What is known of a model's training.

    Attributes:
        name: Of the model.
        folder: `model/<name>`.
        pretraining: True while it has only seen a general faceset; the curves are those of the
            pretraining then, else those of the training proper.
        latest: The latest complete checkpoint.
        best: The one with the lowest held-out loss; None if that is not known.
        looks: What the watch saw, in order of the iterations.
        events: What happened, in order, as `events.jsonl` holds it.
        losses: Training losses of every iteration, `[N, 2]`.
        previews: Iteration and file of the kept previews.
        problems: What could not be read, one sentence each.
    """

    name: str
    folder: Path
    pretraining: bool
    latest: Saved
    best: Saved | None
    looks: tuple[Look, ...]
    events: tuple[Mapping[str, Any], ...]
    losses: npt.NDArray[np.float32]
    previews: tuple[tuple[int, Path], ...]
    problems: tuple[str, ...]


def read_history(workspace: Workspace, name: str) -> ModelHistory:
    """Everything that is known of a model's training.

    Raises:
        ModelError: There is no such model, or it has no complete checkpoint yet.
        WorkspaceError: The name cannot be a model's.
    """
    folder = workspace.model_dir(name)
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        known = ", ".join(models_with_checkpoints(workspace)) or "none yet"
        raise ModelError(f"There is no model {name!r} in {workspace.root}; known are: {known}.")
    problems: list[str] = []
    latest = _latest(checkpoints, problems)
    pretraining = bool(latest.state.get("pretraining"))
    best_name = best_of(checkpoints)
    best = next((_saved(c) for c in checkpoints if c.folder.name == best_name), None)
    look_lines, event_lines = records_of(folder, pretraining=pretraining)
    lines = _lines(look_lines, problems)
    looks = [look for look in map(_look_of, lines) if look is not None]
    if len(looks) < len(lines):
        problems.append(
            f"{len(lines) - len(looks)} lines of {look_lines.path} are no looks and were left out."
        )
    events = _lines(event_lines, problems)
    losses = read_losses(folder / losses_name(pretraining=pretraining))
    if events and events[-1].get("kind") in _GOES_BACK:
        # Training has not gone on since, and takes the rest away when it does.
        looks = [look for look in looks if look.iteration <= latest.iteration]
        losses = losses[: latest.iteration]
    previews = workspace.history_dir / name
    # Those beyond are of a state that was gone back behind; training will write over them.
    reached = max(latest.iteration, len(losses), *(look.iteration for look in looks[-1:]))
    return ModelHistory(
        name=name,
        folder=folder,
        pretraining=pretraining,
        latest=latest,
        best=best,
        looks=tuple(still_valid(looks, lambda look: look.iteration)),
        events=tuple(events),
        losses=losses,
        previews=tuple(
            (iteration, path)
            for iteration, path in read_previews(
                previews / _PRETRAINING if pretraining else previews
            )
            if iteration <= reached
        ),
        problems=tuple(problems),
    )


def models_with_checkpoints(workspace: Workspace) -> list[str]:
    """Names of the models that have a complete checkpoint, sorted."""
    return [folder.name for folder in workspace.model_dirs() if list_checkpoints(folder)]


def read_previews(folder: Path) -> list[tuple[int, Path]]:
    """Iteration and file of every preview in a folder, in order."""
    if not folder.is_dir():
        return []
    found = ((_PREVIEW.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)


def still_valid(entries: Sequence[T], iteration: Callable[[T], int]) -> list[T]:
    """Entries in order of their iterations: one takes back all before it that were further on.

    Training goes back after a roll-back; what was seen beyond is of weights that are gone.
    """
    kept: list[T] = []
    for entry in entries:
        while kept and iteration(kept[-1]) >= iteration(entry):
            kept.pop()
        kept.append(entry)
    return kept


def _latest(checkpoints: Sequence[Checkpoint], problems: list[str]) -> Saved:
    for checkpoint in reversed(checkpoints):
        try:
            return Saved(checkpoint.folder.name, checkpoint.iteration, checkpoint.state())
        except CheckpointError as error:
            problems.append(str(error))
    raise ModelError(
        f"No checkpoint in {checkpoints[0].folder.parent} can be read; see `dflcolab model info`."
    )


def _saved(checkpoint: Checkpoint) -> Saved | None:
    try:
        return Saved(checkpoint.folder.name, checkpoint.iteration, checkpoint.state())
    except CheckpointError:
        return None


def _lines(file: JsonLines, problems: list[str]) -> list[dict[str, Any]]:
    try:
        return file.read()
    except FormatError as error:
        problems.append(str(error))
        return []


def _look_of(line: Mapping[str, Any]) -> Look | None:
    try:
        return Look.from_plain(line)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
