"""The way back to a model's best state, offered where a training ended behind it."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets

from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.engine.chosen_checkpoint import best_checkpoint, better_state
from dflcolab.pipeline.model_restore import restore_state
from dflcolab.widgets.plain_button import plain_button
from dflcolab.workspace.workspace import Workspace


def way_back(workspace: Workspace, model: str) -> Any | None:
    """A sentence about the best state, and a button that lets training go on from it.

    A field of the form would go back at every "Run all", and lose what was trained since; a button does it once.

    Args:
        workspace: Of the model.
        model: Its name.

    Returns:
        The widget; None where the newest state is the best, or which one is the best is not known.
    """
    folder = workspace.model_dir(model)
    checkpoints, best = list_checkpoints(folder), best_checkpoint(folder)
    if best is None or not better_state(folder, "latest", checkpoints[-1].iteration):
        return None
    text = ipywidgets.HTML(
        f"Iteration {best.iteration:,} does better on the held-out faces than iteration "
        f"{checkpoints[-1].iteration:,}. The cell “Merge” takes it with checkpoint = best. To train on from it:"
    )

    def say(said: str) -> None:
        text.value = html.escape(said)

    def go_back() -> None:
        found = restore_state(workspace, model, best.iteration)
        button.disabled = True
        say(
            f"{model} is back at iteration {found.iteration:,}, and nothing was deleted; run the cell “Train” "
            "to go on from there. With the same faces and options the same happens again, so change something."
        )

    button = plain_button(f"Train on from iteration {best.iteration:,}", go_back, failed=say)
    button.add_class("dfl-way-back")
    return ipywidgets.VBox([text, button])
