# pyright: strict
"""The content guard asked about the dst footage, once per footage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from dflcolab.arrays import Image
from dflcolab.detection.guard import (
    SAMPLE_FRAMES,
    GuardVerdict,
    check_frames,
    refuse_if_explicit,
    sample_indices,
)
from dflcolab.files import storage_errors, write_text
from dflcolab.merging.frame_source import DstFrames
from dflcolab.progress import Progress

VERDICTS_FILE = "content_guard.json"
"""Where verdicts are kept, in the workspace's `history` folder."""

_VERSION = 1


def check_content(frames: DstFrames, verdicts_path: Path, *, progress: Progress) -> GuardVerdict:
    """Pass only footage that the content guard allows.

    A sample of frames is looked at; the verdict is kept under the hash of the footage, so the same
    footage is judged once.

    Args:
        frames: The dst footage.
        verdicts_path: JSON file with earlier verdicts; made if missing.
        progress: Shows the work and carries the wish to stop.

    Raises:
        ContentGuardError: The footage looks sexually explicit.
        MissingDependencyError: The classifier does not load; unseen footage does not pass.
        Interrupted: The user asked to stop.
    """
    footage = frames.whole_identity()
    known = _read(verdicts_path)
    verdict = known.get(footage)
    if verdict is None:
        verdict = _judge(frames, progress)
        known[footage] = verdict
        _write(verdicts_path, known)
    refuse_if_explicit(verdict, f"The dst footage ({frames.description})")
    return verdict


def _judge(frames: DstFrames, progress: Progress) -> GuardVerdict:
    stems = frames.stems
    sampled = {stems[index] for index in sample_indices(len(stems))} if stems else set[str]()
    with progress.task("Checking the footage", total=len(sampled), unit="frames") as task:

        def wanted(stem: str) -> bool:
            progress.raise_if_stopped()
            return stem in sampled

        def images() -> Iterator[Image]:
            for frame in frames.walk(0, None, wanted):
                yield frame.image
                task.advance()

        verdict = check_frames(images())
        if verdict.n_frames:
            return verdict
    # A damaged video may end before its first sampled frame; then what there is gets judged.
    return check_frames(frame.image for frame in frames.walk(0, SAMPLE_FRAMES, lambda _: True))


def _read(path: Path) -> dict[str, GuardVerdict]:
    """Earlier verdicts; an unreadable file counts as none, so the guard looks again."""
    try:
        values = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        if values.get("version") != _VERSION:
            return {}
        return {
            str(footage): GuardVerdict(
                allowed=bool(verdict["allowed"]),
                score=float(verdict["score"]),
                worst=float(verdict["worst"]),
                n_frames=int(verdict["n_frames"]),
            )
            for footage, verdict in cast("dict[str, Any]", values["verdicts"]).items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(path: Path, verdicts: dict[str, GuardVerdict]) -> None:
    values = {footage: dataclasses.asdict(verdict) for footage, verdict in verdicts.items()}
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"version": _VERSION, "verdicts": values}, indent=1) + "\n")
