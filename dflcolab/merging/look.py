# pyright: strict
"""The look of every frame: options for all of them, for ranges, and changing from frame to frame.

A look is read from a TOML file (`merge.toml`):

    mode = "overlay"                  # for all frames
    blur_mask_modifier = 20

    [[range]]                         # frames 100 to 199
    frames = "100:200"
    mask_mode = "XSeg-dst"

    [[keyframe]]                      # numbers change evenly between two keyframes
    frame = 120
    erode_mask_modifier = 0
    [[keyframe]]
    frame = 180
    erode_mask_modifier = 40

Frames are counted from 0, as `--frames` counts them. Before its first keyframe an option has that
one's value, behind its last that one's. A range is stronger than keyframes, a later range than an
earlier one, and `--set` than everything in the file.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from dflcolab.config import (
    describe,
    from_mapping,
    parse_assignments,
    parse_toml,
    to_plain,
    updated,
)
from dflcolab.errors import ConfigError
from dflcolab.merging.config import MergeConfig, parse_range
from dflcolab.merging.options import CompositeOptions, Mode

DEFAULT_FILE = "merge.toml"
"""Options file that is used when the workspace holds it and none is named."""

Changes = tuple[tuple[str, Any], ...]
"""Options and their values, in the order of their names."""


@dataclass(frozen=True)
class RangeOfFrames:
    """Frames `start` up to and without `stop` (None: to the end) with options of their own."""

    start: int
    stop: int | None
    changes: Changes

    def holds(self, index: int) -> bool:
        """True if the frame of that number belongs to the range."""
        return self.start <= index and (self.stop is None or index < self.stop)


@dataclass(frozen=True)
class Track:
    """A number that changes from frame to frame.

    Attributes:
        name: The option.
        frames: Numbers of the keyframes, rising.
        values: Its value at each of them.
    """

    name: str
    frames: tuple[int, ...]
    values: tuple[float, ...]

    def at(self, index: int) -> float:
        """The value at a frame: evenly between two keyframes, rounded if they are whole numbers."""
        value = float(np.interp(index, self.frames, self.values))
        return round(value) if isinstance(self.values[0], int) else round(value, 4)


@dataclass(frozen=True)
class Look:
    """The options of each frame.

    Attributes:
        base: For all frames that nothing else is said of.
        ranges: Weaker ones first.
        tracks: At most one an option.
    """

    base: CompositeOptions = field(default_factory=CompositeOptions)
    ranges: tuple[RangeOfFrames, ...] = ()
    tracks: tuple[Track, ...] = ()

    def at(self, index: int) -> CompositeOptions:
        """The options of the frame with that number."""
        changes: dict[str, Any] = {track.name: track.at(index) for track in self.tracks}
        for part in self.ranges:
            if part.holds(index):
                changes.update(part.changes)
        return _changed(self.base, tuple(sorted(changes.items())))

    def values_of(self, name: str) -> list[Any]:
        """All values that an option without keyframes has somewhere, that of `base` first."""
        changed = [dict(part.changes) for part in self.ranges]
        found = [getattr(self.base, name), *(c[name] for c in changed if name in c)]
        return list(dict.fromkeys(found))

    def uses(self, name: str) -> bool:
        """True if an option is switched on somewhere: not 0, not false."""
        return any(self.values_of(name)) or any(
            track.name == name and any(track.values) for track in self.tracks
        )

    def plain(self) -> dict[str, Any]:
        """The look as JSON-ready values."""
        return {
            **to_plain(self.base),
            "range": [to_plain(part) for part in self.ranges],
            "keyframes": [to_plain(track) for track in self.tracks],
        }


@functools.lru_cache(maxsize=4096)
def _changed(base: CompositeOptions, changes: Changes) -> CompositeOptions:
    """One object for all frames that look alike."""
    return updated(base, dict(changes)) if changes else base


def load_look(config: MergeConfig, root: Path) -> Look:
    """The look that a merge command asks for: the file, then `--set` over it.

    Args:
        config: The command; a relative `config` path is looked up here, then in the workspace.
        root: Folder of the workspace.

    Raises:
        ConfigError: The file is missing, is not TOML, or holds something not understood.
    """
    path = _options_file(config.config, root)
    fixed = parse_assignments(config.set)
    if config.morph is not None:
        fixed = {"morph": str(config.morph), **fixed}
    if path is None:
        return Look(from_mapping(CompositeOptions, fixed))
    return read_look(parse_toml(text_of(path), source=str(path)), fixed=fixed, source=str(path))


def text_of(path: Path) -> str:
    """The text of an options file, in UTF-8, with or without a mark in front.

    Raises:
        ConfigError: It cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read as text: {error}; give another --config."
        ) from error


def read_look(values: Mapping[str, Any], *, fixed: Mapping[str, str], source: str) -> Look:
    """The look of a parsed file.

    Args:
        values: What the file holds.
        fixed: Options that have one value in all frames, whatever the file says.
        source: What to call the file in errors.

    Raises:
        ConfigError: Something is not understood; says which part of the file.
    """
    plain = {name: value for name, value in values.items() if name not in ("range", "keyframe")}
    _checked(plain, source)
    base = from_mapping(CompositeOptions, {**plain, **fixed})
    ranges = [
        _range(entry, f"range {number} of {source}")
        for number, entry in enumerate(_entries(values, "range", source), 1)
    ]
    keyframes = [
        _keyframe(entry, f"keyframe {number} of {source}")
        for number, entry in enumerate(_entries(values, "keyframe", source), 1)
    ]
    look = Look(
        base,
        tuple(_without(part, fixed) for part in ranges),
        tuple(track for track in _tracks(keyframes, source) if track.name not in fixed),
    )
    _refuse_two_sizes(look, source)
    return look


def _entries(values: Mapping[str, Any], name: str, source: str) -> list[dict[str, Any]]:
    found = values.get(name, [])
    if not isinstance(found, list) or not all(
        isinstance(entry, dict) for entry in cast("list[object]", found)
    ):
        raise ConfigError(
            f"{name} in {source} is not a list of tables; write [[{name}]], with two brackets, above each."
        )
    return cast("list[dict[str, Any]]", found)


def _range(entry: Mapping[str, Any], place: str) -> RangeOfFrames:
    values = dict(entry)
    text = values.pop("frames", None)
    if not isinstance(text, str):
        raise ConfigError(f'{place} does not say for which frames; write frames = "100:200" in it.')
    try:
        start, stop = parse_range(text)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    return RangeOfFrames(start, stop, _read_changes(values, place))


def _keyframe(entry: Mapping[str, Any], place: str) -> tuple[int, Changes]:
    values = dict(entry)
    frame = values.pop("frame", None)
    if type(frame) is not int or frame < 0:
        raise ConfigError(f"{place} does not say at which frame; write frame = 120 in it.")
    kinds = {info.name: info.type for info in describe(CompositeOptions)}
    for name in values:
        if kinds.get(name, int) not in (int, float):
            raise ConfigError(
                f"{place} sets {name}, which cannot change little by little; put it into a [[range]]."
            )
    return frame, _read_changes(values, place)


def _read_changes(values: Mapping[str, Any], place: str) -> Changes:
    """Checked and converted values of the options named."""
    if not values:
        raise ConfigError(f"{place} changes nothing; add an option to it, or take it out.")
    checked = _checked(values, place)
    return tuple((name, getattr(checked, name)) for name in sorted(values))


def _checked(values: Mapping[str, Any], place: str) -> CompositeOptions:
    """The options, or a refusal that names the place."""
    try:
        return from_mapping(CompositeOptions, values, source=place)
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if place in text else f"{place}: {text}") from error


def _tracks(keyframes: Sequence[tuple[int, Changes]], source: str) -> list[Track]:
    """Keyframes gathered by option."""
    by_name: dict[str, dict[int, float]] = {}
    for frame, changes in keyframes:
        for name, value in changes:
            values = by_name.setdefault(name, {})
            if frame in values:
                raise ConfigError(
                    f"Two keyframes of {source} set {name} at frame {frame}; take one of them out."
                )
            values[frame] = value
    return [
        Track(name, tuple(sorted(values)), tuple(values[frame] for frame in sorted(values)))
        for name, values in by_name.items()
    ]


def _without(part: RangeOfFrames, fixed: Mapping[str, str]) -> RangeOfFrames:
    left = tuple((name, value) for name, value in part.changes if name not in fixed)
    return RangeOfFrames(part.start, part.stop, left)


def _refuse_two_sizes(look: Look, source: str) -> None:
    """Pictures of the model's size and of the frame's do not make one video."""
    modes = look.values_of("mode")
    if Mode.RAW_PREDICT in modes and len(modes) > 1:
        raise ConfigError(
            f"{source} sets the mode raw-predict for some frames, whose pictures have the model's size; "
            "set it for all frames, or use raw-rgb there."
        )


def _options_file(given: Path | None, root: Path) -> Path | None:
    if given is None:
        default = root / DEFAULT_FILE
        return default if default.is_file() else None
    for path in (given, root / given):
        if path.is_file():
            return path
    raise ConfigError(f"The options file {given} does not exist; correct --config.")
