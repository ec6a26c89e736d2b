"""A second, other state of a trained model, made without training it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dflcolab.engine.checkpoint import Checkpoint, Contents, latest_checkpoint, write_checkpoint


def save_later(model_dir: Path, *, score: float, before: float = 1.0, by: int = 3) -> Checkpoint:
    """Save a state `by` iterations further on, its weights a little off.

    Args:
        model_dir: A model with one checkpoint at least.
        score: Held-out loss of the new state.
        before: Held-out loss that the state before it gets.
        by: Iterations.
    """
    found = latest_checkpoint(model_dir)
    assert found is not None
    given = ("format_version", "iteration", "serial")
    state = {key: value for key, value in found.state().items() if key not in given}
    weights = {
        name: np.asarray(value * np.float32(0.8), value.dtype)
        for name, value in found.weights().items()
    }
    optimizer = found.optimizer()
    old = Contents(found.iteration, found.weights(), optimizer, {**state, "held_out_loss": before})
    new = Contents(found.iteration + by, weights, optimizer, {**state, "held_out_loss": score})
    write_checkpoint(model_dir, old, best="")
    best = found.folder.name if before < score else ""
    return write_checkpoint(model_dir, new, best=best)
