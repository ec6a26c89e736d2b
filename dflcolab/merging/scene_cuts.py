# pyright: strict
"""Where the shots of the dst footage begin, looked for once per footage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from dflcolab.files import storage_errors, write_text
from dflcolab.imaging.cuts import CutFinder
from dflcolab.merging.frame_source import DstFrames
from dflcolab.progress import Progress

CUTS_FILE = "scene_cuts.json"
"""Where found cuts are kept, in the workspace's `history` folder."""

_VERSION = 1


def scene_cuts(frames: DstFrames, path: Path, *, progress: Progress) -> frozenset[int]:
    """Numbers of the frames that do not continue the one before.

    The whole footage is decoded once, from its beginning, so that the answer does not depend on the
    part that is merged; it is kept under the hash of the footage.

    Args:
        frames: The dst footage.
        path: JSON file with what was found before; made if missing.
        progress: Shows the work and carries the wish to stop.

    Raises:
        MediaError: The footage cannot be read.
        Interrupted: The user asked to stop.
    """
    footage = frames.whole_identity()
    known = _read(path)
    found = known.get(footage)
    if found is None:
        found = known[footage] = _looked_for(frames, progress)
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"version": _VERSION, "cuts": known}) + "\n")
    return frozenset(found)


def _looked_for(frames: DstFrames, progress: Progress) -> list[int]:
    stems = frames.stems
    index = {stem: number for number, stem in enumerate(stems)}
    finder = CutFinder()
    found: list[int] = []
    with progress.task("Looking for cuts", total=len(stems), unit="frames") as task:
        for frame in frames.walk(0, None, lambda _: True):
            progress.raise_if_stopped()
            if finder.is_cut(frame.image) and frame.stem in index:
                found.append(index[frame.stem])
            task.advance()
    return found


def _read(path: Path) -> dict[str, list[int]]:
    """What was found before; an unreadable file counts as nothing."""
    try:
        values = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        if values.get("version") != _VERSION:
            return {}
        return {
            str(footage): [int(number) for number in numbers]
            for footage, numbers in cast("dict[str, Any]", values["cuts"]).items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
