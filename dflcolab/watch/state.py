# pyright: strict
"""Where a model's looks and events are, and what of them a checkpoint remembers."""

from __future__ import annotations

from pathlib import Path

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
