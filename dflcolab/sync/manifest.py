# pyright: strict
"""The list of one generation on the remote: which files, where their bytes are, and their hashes.

A generation exists when its manifest does: it is written last, and carries a checksum of itself, so
that a half-written one is recognised. Manifests come from a shared folder, so nothing in them is
trusted: every path must stay inside, every number must be sane.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Self, cast

from dflcolab.errors import FormatError, UnsafeFileError

FORMAT = "dflcolab generation"
VERSION = 2
MAX_BYTES = 64 << 20
_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"(\d{6,9})-f(\d{1,12})-([0-9a-z]{8})")
_FORBIDDEN = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')


@dataclass(frozen=True, order=True)
class GenerationName:
    """What a generation is called; the largest is the newest, so that names alone give the order.

    Attributes:
        fence: Number of the lease under which it was written. One that was written by a machine
            whose lease had been taken over is smaller, whatever its number.
        number: Counts the generations of a remote.
        client: Eight signs that tell the workspaces (machines) apart which write there.
    """

    fence: int
    number: int
    client: str

    def __str__(self) -> str:
        return f"{self.number:06d}-f{self.fence}-{self.client}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The name in a text such as `000123-f45-ab12cd34`; None if it is none."""
        match = _NAME.fullmatch(text)
        return cls(int(match[2]), int(match[1]), match[3]) if match else None


@dataclass(frozen=True)
class Stored:
    """An object on the remote.

    Attributes:
        path: Path below the remote's root.
        size: Number of bytes.
        sha256: Their hash in hex.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Span:
    """Neighbouring bytes inside an object: its path, where they begin, and how many."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True)
class FileEntry:
    """A file of the workspace.

    Attributes:
        path: Path below the workspace.
        size: Number of bytes.
        sha256: Their hash in hex.
        mtime_ns: When it was changed last, nanoseconds since 1970.
        spans: Where its bytes are, in order.
    """

    path: str
    size: int
    sha256: str
    mtime_ns: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class ModelFacts:
    """How far a model of the workspace is trained.

    Attributes:
        name: Its name.
        iteration: Finished iterations of its latest checkpoint.
        held_out_loss: How that one does on faces never trained on, less is better; None if unknown.
        pretraining: True while it is pretrained; losses of the two phases cannot be compared.
        scored_by: Fingerprint of what that loss means and whose it is, nor can losses of two; None in
            copies of before this was noted.
    """

    name: str
    iteration: int
    held_out_loss: float | None = None
    pretraining: bool = False
    scored_by: str | None = None


@dataclass(frozen=True)
class Manifest:
    """One generation.

    Attributes:
        name: Its name.
        ancestors: Names of the generations that its workspace has gone through, newest first.
        created: ISO 8601 time in UTC, by the writer's clock.
        workspace: Name of the workspace.
        models: Its models.
        objects: All objects that its files use.
        files: All files, by path.
    """

    name: GenerationName
    ancestors: tuple[str, ...]
    created: str
    workspace: str
    models: tuple[ModelFacts, ...]
    objects: tuple[Stored, ...]
    files: tuple[FileEntry, ...]

    def is_free_of(self, damaged: Collection[str]) -> bool:
        """True if none of its objects is among these paths."""
        return not any(stored.path in damaged for stored in self.objects)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def contents(self) -> dict[str, str]:
        """Hash of each file by its path."""
        return {file.path: file.sha256 for file in self.files}


def to_json(manifest: Manifest) -> bytes:
    """The manifest as UTF-8 JSON with its checksum, one file to a line."""
    index = {stored.path: number for number, stored in enumerate(manifest.objects)}
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "name": str(manifest.name),
        "ancestors": list(manifest.ancestors),
        "created": manifest.created,
        "workspace": manifest.workspace,
        "models": [asdict(facts) for facts in manifest.models],
        "objects": [asdict(stored) for stored in manifest.objects],
        "files": [
            {
                "path": file.path,
                "size": file.size,
                "sha256": file.sha256,
                "mtime_ns": file.mtime_ns,
                "spans": [[index[span.path], span.offset, span.size] for span in file.spans],
            }
            for file in manifest.files
        ],
    }
    content["checksum"] = _checksum(content)
    return (
        "{\n" + ",\n".join(_lines(key, value) for key, value in content.items()) + "}\n"
    ).encode()


def _lines(key: str, value: object) -> str:
    if isinstance(value, list) and value:
        rows = ",\n ".join(json.dumps(row, ensure_ascii=False) for row in cast(list[object], value))
        return f'"{key}": [\n {rows}]'
    return f'"{key}": {json.dumps(value, ensure_ascii=False)}'


def from_json(data: bytes, *, source: str) -> Manifest:
    """Read what `to_json` wrote.

    Args:
        data: Content of the file.
        source: Where it comes from, for messages.

    Raises:
        FormatError: The text is damaged, incomplete or of another version.
        UnsafeFileError: A path leads out of the workspace or the remote.
    """
    try:
        read: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"{source} is incomplete or damaged; this copy cannot be used."
        ) from error
    content = _mapping(read, source)
    if content.get("format") != FORMAT:
        raise FormatError(f"{source} is no list of a dflcolab copy; choose another folder.")
    if content.get("version") != VERSION:
        raise NewerVersionError(f"{source} was written by another dflcolab; upgrade this one.")
    if content.pop("checksum", None) != _checksum(content):
        raise FormatError(f"{source} does not match its own checksum; this copy cannot be used.")
    name = GenerationName.parse(str(content.get("name")))
    if name is None:
        raise FormatError(f"{source} has no name; this copy cannot be used.")
    objects = tuple(_stored(item, source) for item in _sequence(content.get("objects"), source))
    files = tuple(_file(item, objects, source) for item in _sequence(content.get("files"), source))
    for paths in ([file.path for file in files], [stored.path for stored in objects]):
        if len(set(paths)) < len(paths):
            raise FormatError(f"{source} lists a path twice; this copy cannot be used.")
    folders = {file.path.rpartition("/")[0] for file in files}
    folders |= {str(parent) for folder in folders for parent in PurePosixPath(folder).parents}
    if any(file.path in folders for file in files):
        raise FormatError(f"{source} lists a file as a folder too; this copy cannot be used.")
    return Manifest(
        name=name,
        ancestors=tuple(str(item) for item in _sequence(content.get("ancestors"), source)),
        created=str(content.get("created", "")),
        workspace=str(content.get("workspace", "")),
        models=tuple(_facts(item, source) for item in _sequence(content.get("models"), source)),
        objects=objects,
        files=files,
    )


class NewerVersionError(FormatError):
    """A manifest of a version that this one cannot read; it may be good all the same."""


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


def _stored(item: object, source: str) -> Stored:
    values = _mapping(item, source)
    return Stored(
        safe_path(values.get("path"), name=source),
        _number(values.get("size"), source),
        _hash(values.get("sha256"), source),
    )


def _file(item: object, objects: Sequence[Stored], source: str) -> FileEntry:
    values = _mapping(item, source)
    size = _number(values.get("size"), source)
    spans = tuple(_span(span, objects, source) for span in _sequence(values.get("spans"), source))
    if sum(span.size for span in spans) != size:
        raise FormatError(f"{source} contradicts itself about a size; this copy cannot be used.")
    return FileEntry(
        path=safe_path(values.get("path"), name=source),
        size=size,
        sha256=_hash(values.get("sha256"), source),
        mtime_ns=_number(values.get("mtime_ns"), source),
        spans=spans,
    )


def _span(item: object, objects: Sequence[Stored], source: str) -> Span:
    values = [_number(value, source) for value in _sequence(item, source)]
    if len(values) != 3 or values[0] >= len(objects):
        raise FormatError(f"{source} names an object that it does not list; it cannot be used.")
    stored = objects[values[0]]
    if values[1] + values[2] > stored.size:
        raise FormatError(f"{source} names bytes behind the end of {stored.path}; do not use it.")
    return Span(stored.path, values[1], values[2])


def _facts(item: object, source: str) -> ModelFacts:
    values = _mapping(item, source)
    loss, by = values.get("held_out_loss"), values.get("scored_by")
    return ModelFacts(
        name=str(values.get("name", "")),
        iteration=_number(values.get("iteration"), source),
        held_out_loss=float(loss)
        if isinstance(loss, int | float) and math.isfinite(loss)
        else None,
        pretraining=values.get("pretraining") is True,
        scored_by=by if isinstance(by, str) else None,
    )


def _hash(value: object, source: str) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise FormatError(f"{source} holds a hash that is none; this copy cannot be used.")
    return value


def _number(value: object, source: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise FormatError(f"{source} holds {value!r} where a number belongs; it cannot be used.")
    return value


def _mapping(value: object, source: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"{source} is damaged; this copy cannot be used.")
    return cast(dict[str, Any], value)


def _sequence(value: object, source: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise FormatError(f"{source} is damaged; this copy cannot be used.")
    return cast(Sequence[object], value)


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
