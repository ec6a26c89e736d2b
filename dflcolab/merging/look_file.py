# pyright: strict
"""Changes of a look written into its TOML file, everything else in it left as it stands.

`look` says what the file means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.config import describe, parse_toml, to_plain
from dflcolab.files import write_text
from dflcolab.merging.config import parse_range
from dflcolab.merging.look import Look, read_look, text_of
from dflcolab.merging.options import CompositeOptions

_HEAD = "# The look of merged frames. `dflcolab merge` reads it; docs/merging.md says what may stand here.\n"


@dataclass(frozen=True)
class AllFrames:
    """Every frame, also those that a range or keyframe speaks of."""


@dataclass(frozen=True)
class FrameRange:
    """Frames as `A:B`: from the A-th up to and without the B-th, counted from 0."""

    text: str


@dataclass(frozen=True)
class KeyframeAt:
    """One frame, between which and the next keyframe numbers change evenly."""

    frame: int


Target = AllFrames | FrameRange | KeyframeAt
"""The frames that a change is for."""


def read_look_file(path: Path) -> Look:
    """The look in a file; the usual one where there is none.

    Raises:
        ConfigError: It cannot be read, is not TOML, or holds something not understood.
    """
    text = text_of(path) if path.exists() else ""
    return read_look(parse_toml(text, source=str(path)), fixed={}, source=str(path))


def save_changes(path: Path, changes: Mapping[str, Any], target: Target) -> Look:
    """Write changed options into a look's file (atomic), which is made if missing.

    Args:
        path: The file as it is now; comments and what is not changed stay.
        changes: Option → its value.
        target: For which frames.

    Returns:
        The look as the file says it now.

    Raises:
        ConfigError: The file is not TOML, or the change makes a look that cannot be: the file is
            left as it was.
        StorageError: The disk is full or read-only.
    """
    present = text_of(path) if path.exists() else _HEAD
    source = str(path)
    read_look(parse_toml(present, source=source), fixed={}, source=source)
    text = with_changes(present, changes, target)
    look = read_look(parse_toml(text, source=source), fixed={}, source=source)
    write_text(path, text)
    return look


def with_changes(text: str, changes: Mapping[str, Any], target: Target) -> str:
    """The text of a look's file with some options changed; whether they are allowed is not checked.

    Args:
        text: TOML.
        changes: Option → its value.
        target: For which frames.

    Raises:
        ConfigError: A range is not of the form A:B.
    """
    import tomlkit

    document = cast(Any, tomlkit.parse(text))
    plain = {name: to_plain(value) for name, value in changes.items()}
    if isinstance(target, AllFrames):
        _set_for_all(document, plain)
    elif isinstance(target, FrameRange):
        _set_in_range(document, plain, target.text)
    else:
        _set_at_keyframe(document, plain, target.frame)
    return re.sub(r"(?<!\n)\n\[\[", "\n\n[[", tomlkit.dumps(document))


def _set_for_all(document: Any, changes: Mapping[str, Any]) -> None:
    """On top of the file, and nowhere else."""
    defaults = {info.name: to_plain(info.default) for info in describe(CompositeOptions)}
    for kind, own in (("range", "frames"), ("keyframe", "frame")):
        entries = document.get(kind, [])
        for place in reversed(range(len(entries))):
            entry = entries[place]
            for name in changes:
                entry.pop(name, None)
            if not set(entry) - {own}:
                del entries[place]
        if kind in document and not len(entries):
            del document[kind]
    for name, value in changes.items():
        if name in document or value != defaults.get(name):
            document[name] = value


def _set_in_range(document: Any, changes: Mapping[str, Any], frames: str) -> None:
    """In the last range, the strongest, if it is for these frames; else in a new one behind it."""
    wanted = parse_range(frames)
    entries = document.get("range", [])
    last = entries[-1] if len(entries) else None
    if last is not None and parse_range(str(last.get("frames"))) == wanted:
        last.update(changes)
    else:
        _append(document, "range", {"frames": frames.replace(" ", ""), **changes})


def _set_at_keyframe(document: Any, changes: Mapping[str, Any], frame: int) -> None:
    """Where a keyframe of that frame sets an option already, there; else in one of that frame."""
    here = [entry for entry in document.get("keyframe", []) if entry.get("frame") == frame]
    new: dict[str, Any] = {}
    for name, value in changes.items():
        known = [entry for entry in here if name in entry] or here
        if known:
            known[0][name] = value
        else:
            new[name] = value
    if new:
        _append(document, "keyframe", {"frame": frame, **new})


def _append(document: Any, kind: str, values: Mapping[str, Any]) -> None:
    import tomlkit
    from tomlkit.items import AoT

    if not len(document.get(kind, [])):
        document.pop(kind, None)
        document[kind] = tomlkit.aot()
    entries: Any = document[kind]
    if not isinstance(entries, AoT):  # written as range = [{…}]
        entries.append(dict(values))
        return
    table = cast(Any, tomlkit.table())
    table.update(values)
    cast(Any, entries).append(table)
