# pyright: strict
"""The list of one generation on the remote: which files, where their bytes are, and their hashes.

A generation exists when its manifest does: it is written last, and carries a checksum of itself, so
that a half-written one is recognised. Manifests come from a shared folder, so nothing in them is
trusted: every path must stay inside, every number must be sane.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from dflcolab.errors import FormatError, UnsafeFileError

FORMAT = "dflcolab generation"
VERSION = 1
FILE_NAME = "manifest.json"
MAX_BYTES = 64 << 20
_HASH = re.compile(r"[0-9a-f]{64}")
_FORBIDDEN = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')


@dataclass(frozen=True)
class Part:
    """Bytes on the remote.

    Attributes:
        stored: Path below the remote's root.
        size: Number of bytes.
        sha256: Their hash in hex.
    """

    stored: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """A file of the workspace (one part), or a folder packed into one or more tar parts.

    Attributes:
        path: Path below the workspace.
        kind: "file" or "pack".
        parts: Where the bytes are.
        n_files: Number of files; 1 for a file.
    """

    path: str
    kind: Literal["file", "pack"]
    parts: tuple[Part, ...]
    n_files: int = 1

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True)
class Manifest:
    """One generation.

    Attributes:
        generation: Its number.
        created: ISO 8601 time in UTC.
        workspace: Name of the workspace.
        entries: All files and packs.
    """

    generation: int
    created: str
    workspace: str
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(entry.size for entry in self.entries)


def to_json(manifest: Manifest) -> bytes:
    """The manifest as UTF-8 JSON with its checksum."""
    content = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
    content["checksum"] = _checksum(content)
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def from_json(data: bytes, *, name: str) -> Manifest:
    """Read what `to_json` wrote.

    Args:
        data: Content of the file.
        name: Where it comes from, for messages.

    Raises:
        FormatError: The text is damaged, incomplete or of a newer version.
        UnsafeFileError: A path leads out of the workspace or the remote.
    """
    try:
        read: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name} is incomplete or damaged; this copy cannot be used.") from error
    content = _mapping(read, name)
    if content.get("format") != FORMAT:
        raise FormatError(f"{name} is no list of a dflcolab copy; choose another folder.")
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise FormatError(f"{name} was written by a newer dflcolab; upgrade this one.")
    if content.pop("checksum", None) != _checksum(content):
        raise FormatError(f"{name} does not match its own checksum; this copy cannot be used.")
    entries = tuple(_entry(item, name) for item in _sequence(content.get("entries"), name))
    paths = [entry.path for entry in entries]
    if len(set(paths)) < len(paths):
        raise FormatError(f"{name} lists a path twice; this copy cannot be used.")
    return Manifest(
        generation=_number(content.get("generation"), name),
        created=str(content.get("created", "")),
        workspace=str(content.get("workspace", "")),
        entries=entries,
    )


def safe_path(text: object, *, name: str) -> str:
    """`text` if it is a relative path that stays inside the folder it is joined to.

    Hidden names are refused too: they belong to the machinery (staging folders, journals).

    Raises:
        UnsafeFileError: It is not.
    """
    parts = text.split("/") if isinstance(text, str) else [""]
    if any(
        not part or part.startswith(".") or part.endswith((" ", ".")) or _FORBIDDEN.search(part)
        for part in parts
    ):
        raise UnsafeFileError(f"{name} names the path {text!r}, which is refused; do not use it.")
    return cast(str, text)


def _entry(item: object, name: str) -> Entry:
    values = _mapping(item, name)
    kind = values.get("kind")
    parts = tuple(_part(part, name) for part in _sequence(values.get("parts"), name))
    if kind not in ("file", "pack") or (kind == "file" and len(parts) != 1):
        raise FormatError(f"{name} has an entry of unknown kind {kind!r}; upgrade dflcolab.")
    return Entry(
        path=safe_path(values.get("path"), name=name),
        kind=kind,
        parts=parts,
        n_files=_number(values.get("n_files", 1), name),
    )


def _part(item: object, name: str) -> Part:
    values = _mapping(item, name)
    digest = values.get("sha256")
    if not isinstance(digest, str) or not _HASH.fullmatch(digest):
        raise FormatError(f"{name} holds a hash that is none; this copy cannot be used.")
    stored = safe_path(values.get("stored"), name=name)
    return Part(stored, _number(values.get("size"), name), digest)


def _number(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise FormatError(f"{name} holds {value!r} where a number belongs; it cannot be used.")
    return value


def _mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"{name} is damaged; this copy cannot be used.")
    return cast(dict[str, Any], value)


def _sequence(value: object, name: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise FormatError(f"{name} is damaged; this copy cannot be used.")
    return cast(Sequence[object], value)


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
