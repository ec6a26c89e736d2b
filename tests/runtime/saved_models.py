"""Models of which only the small files are real."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Contents, write_checkpoint
from dflcolab.models.kinds import swap_options_of
from dflcolab.models.presets import PRESETS, Preset
from dflcolab.watch.state import records_of


def save_model(
    folder: Path, iteration: int, preset: Preset, *, arch: str = "saehd", **state: Any
) -> None:
    """A checkpoint with the options of a preset and hardly any weights.

    Args:
        folder: Of the model.
        iteration: Of the checkpoint.
        preset: What the options are of.
        arch: Kind of the model.
        state: More for `state.json`.
    """
    nothing = {"w": np.zeros(1, np.float32)}
    facts = {
        "architecture": arch,
        "iteration": iteration,
        "options": to_plain(swap_options_of(arch, PRESETS[arch][preset])),
        "pretraining": False,
        "saved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **state,
    }
    write_checkpoint(folder, Contents(iteration, nothing, nothing, facts))


def note_beginning(folder: Path, preset: str | None) -> None:
    """The model's history tells with which preset it was begun."""
    _, events = records_of(folder, pretraining=False)
    line = {"iteration": 0, "kind": "start", "text": "", "command": {"preset": preset}}
    events.path.write_text(json.dumps(line) + "\n")
