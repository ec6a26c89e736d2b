"""Which of a model's checkpoints is taken for use, and how an earlier one becomes the newest again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dflcolab.engine.checkpoint import (
    PREVIEW,
    Checkpoint,
    Contents,
    best_of,
    latest_checkpoint,
    list_checkpoints,
    scores_of,
    write_checkpoint,
)
from dflcolab.engine.checkpoint_choice import CheckpointChoice
from dflcolab.errors import CheckpointError

_WRITTEN_ANEW = ("format_version", "iteration", "serial")


def chosen_checkpoint(
    model_dir: Path,
    choice: CheckpointChoice = "latest",
    *,
    on_problem: Callable[[str], None] | None = None,
) -> Checkpoint | None:
    """The checkpoint that a user asks for, every byte verified; None for a model without any save.

    Args:
        model_dir: Folder of the model.
        choice: Which one. A broken `latest` is passed over for the one before it; any other is
            exactly the one asked for, or refused.
        on_problem: Gets one sentence for each broken checkpoint that was passed over.

    Raises:
        CheckpointError: That checkpoint is not there, is broken, or which one is the best is not
            known; or there are checkpoints, but none is whole.
    """
    checkpoints = list_checkpoints(model_dir)
    if choice == "latest" or not checkpoints:
        return latest_checkpoint(model_dir, on_problem=on_problem)
    if choice == "best":
        found = best_checkpoint(model_dir)
        if found is None:
            raise CheckpointError(
                f"No checkpoint of {model_dir.name} has a held-out score, so which one is the best is "
                f"not known; take latest, or the iteration of one: {_listed(checkpoints)}."
            )
    else:
        found = next((c for c in checkpoints if c.iteration == choice), None)
        if found is None:
            raise CheckpointError(
                f"{model_dir.name} has no checkpoint of iteration {choice} on this machine; take latest, "
                f"or the iteration of one: {_listed(checkpoints)}."
            )
    found.verify()
    found.state()
    return found


def best_checkpoint(model_dir: Path) -> Checkpoint | None:
    """The checkpoint with the lowest held-out score of the present phase; None if that is not known."""
    checkpoints = list_checkpoints(model_dir)
    best = best_of(checkpoints)
    return next((c for c in checkpoints if c.folder.name == best), None)


def better_state(
    model_dir: Path,
    choice: CheckpointChoice,
    iteration: int,
    *,
    option: str = "--checkpoint",
    field: str = "checkpoint",
) -> str:
    """A sentence where the latest state is used although another has a lower held-out score.

    Only scores that can be compared count, those of the same faces by the same options.

    Args:
        model_dir: Folder of the model.
        choice: What the user asked for; whoever names a checkpoint is told nothing.
        iteration: Of the checkpoint that is used.
        option: What takes the other one on the command line.
        field: And in the notebook's form; "" for nothing.

    Returns:
        The sentence; empty if there is nothing to tell.
    """
    if choice != "latest":
        return ""
    checkpoints = list_checkpoints(model_dir)
    used = next((c for c in checkpoints if c.iteration == iteration), None)
    scores = scores_of(checkpoints)
    if used is None or used.folder.name not in scores:
        return ""
    name = min(scores, key=lambda name: scores[name])
    best = next(c for c in checkpoints if c.folder.name == name)
    score, lower = scores[used.folder.name], scores[name]
    if not 0 < lower < score:
        return ""
    form = f" (in the notebook's form: {field})" if field else ""
    return (
        f"{model_dir.name}: iteration {best.iteration:,} has a held-out score "
        f"{100 * (1 - lower / score):.1f} % lower than iteration {iteration:,}, which is used; "
        f"{option} best takes it{form}."
    )


def write_again(
    model_dir: Path, checkpoint: Checkpoint, changes: Mapping[str, Any] | None = None
) -> Checkpoint:
    """Make an earlier checkpoint the newest one; all others stay until later saves take their place.

    Args:
        model_dir: Folder of the model, which nobody else may be training.
        checkpoint: One of it.
        changes: Entries of `state.json` that are to be others.

    Raises:
        CheckpointError: It cannot be read.
        StorageError: The disk is full, read-only or gone. Every checkpoint is as it was.
    """
    state = {**checkpoint.state(), **(changes or {})}
    preview = checkpoint.folder / PREVIEW
    contents = Contents(
        iteration=checkpoint.iteration,
        weights=checkpoint.weights(),
        optimizer=checkpoint.optimizer(),
        state={key: value for key, value in state.items() if key not in _WRITTEN_ANEW},
        preview=preview.read_bytes() if PREVIEW in checkpoint.parts else b"",
    )
    present = list_checkpoints(model_dir)
    others = [other for other in present if other.folder != checkpoint.folder]
    best = best_of([*others, checkpoint])
    return write_checkpoint(model_dir, contents, keep=len(present) + 1, best=best)


def _listed(checkpoints: list[Checkpoint]) -> str:
    return ", ".join(str(iteration) for iteration in sorted({c.iteration for c in checkpoints}))
