# pyright: strict
"""Where a model's looks and events are, and what of them a checkpoint remembers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dflcolab.errors import FormatError
from dflcolab.watch.looks import Look
from dflcolab.watch.records import JsonLines

STATE_KEY = "watch"
"""Where a checkpoint's `state.json` keeps what the watch remembers."""

NAMES_KEY = "stretch_names"
"""Where that keeps what the held-out stretches are called, by side."""


def records_of(model_dir: Path, *, pretraining: bool) -> tuple[JsonLines, JsonLines]:
    """The files of a model's looks and events, of pretraining or of training."""
    end = "-pretraining.jsonl" if pretraining else ".jsonl"
    return JsonLines(model_dir / f"looks{end}"), JsonLines(model_dir / f"events{end}")


def add_event(model_dir: Path, *, pretraining: bool, entry: Mapping[str, Any]) -> int:
    """Add an event to a model that nobody trains now.

    What a run that ended in the middle of a line left of it is cut off first.

    Args:
        model_dir: Of the model.
        pretraining: It belongs to the pretraining.
        entry: With `iteration`, `kind` and `text`.

    Returns:
        How many events there are then.

    Raises:
        FormatError: A line is damaged; nothing was added.
        StorageError: The disk is full, read-only or gone.
    """
    _, events = records_of(model_dir, pretraining=pretraining)
    count = len(events.read())
    events.start_at(count)
    events.append(entry)
    events.flush()
    return count + 1


def read_looks(lines: JsonLines) -> list[Look]:
    """The looks of a file.

    Raises:
        FormatError: A line is none.
    """
    try:
        return [Look.from_plain(entry) for entry in lines.read()]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{lines.path} does not hold looks; delete the file: training goes on, and the watch "
            "begins its history anew."
        ) from error
