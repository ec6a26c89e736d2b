# pyright: strict
"""How much of a wished pretraining is left, however often its machine was cut off."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from dflcolab.files import read_facts, write_text
from dflcolab.workspace.workspace import Workspace

_SHORTEST_S = 5.0
"""What is not worth starting a process for."""


class PretrainingTime:
    """Time that a model has been pretrained, as far as it is saved.

    A small file in the model's history travels with the copies. It holds when the latest run began and
    what those before had reached; the newest checkpoint says how far that run came.

    Args:
        workspace: Of the model.
        name: Of the model.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._path: Path = workspace.history_dir / name / "pretraining" / "time.json"

    def seconds(self, state: Mapping[str, Any] | None) -> float:
        """What was pretrained up to a checkpoint.

        Args:
            state: Its `state.json`; None without one, where nothing counts.
        """
        if state is None:
            return 0.0
        known = read_facts(self._path)
        before, began = known.get("seconds"), known.get("began")
        if not isinstance(before, (int, float)) or not isinstance(began, (int, float)):
            return 0.0
        return before + max(0.0, _seconds_since_1970(str(state.get("saved_at", ""))) - began)

    def begin(self, state: Mapping[str, Any] | None) -> None:
        """Note that a run begins now, from a checkpoint or anew.

        Raises:
            StorageError: The disk is full or read-only.
        """
        seconds = self.seconds(state)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._path, json.dumps({"seconds": seconds, "began": time.time()}))


def seconds_left(wished_minutes: float, done: float) -> float | None:
    """Seconds of a wish that are left; None for a wish without a limit, 0.0 when it is fulfilled."""
    if not wished_minutes:
        return None
    left = 60 * wished_minutes - done
    return left if left > _SHORTEST_S else 0.0


def _seconds_since_1970(text: str) -> float:
    """Of an ISO 8601 time in UTC; 0.0 if it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
