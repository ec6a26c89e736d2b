# pyright: strict
"""Removing faces so that every removal says why and can be undone.

A removal is a line in `trash.jsonl` and a move. The lines of a batch are on the disk before the
first file moves, and where a file *is* decides whether the move happened; so a kill at any moment
leaves every file in exactly one of the two folders and the journal readable.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import WorkspaceError
from dflcolab.files import fsync_dir, list_files, storage_errors
from dflcolab.workspace.moving import free_name, move_file
from dflcolab.workspace.workspace import Side, Workspace

JOURNAL_NAME = "trash.jsonl"
BY_LANDMARKS = "landmarks by hand"
BY_LOOKING_AGAIN = "extract --redo-deleted"
_REPLACED = (BY_LANDMARKS, BY_LOOKING_AGAIN)
"""Reasons of faces in whose place others were written."""

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".pak")


@dataclass(frozen=True)
class Removal:
    """A file that shall go, why, and the number behind the reason (None: there is none)."""

    path: Path
    reason: str
    score: float | None = None


@dataclass(frozen=True)
class TrashEntry:
    """One line of the journal.

    Attributes:
        name: File name it had in the faceset.
        trash_name: File name it has in the trash; never used twice.
        reason: Why it was removed.
        score: The number behind the reason.
        time: ISO 8601 time in UTC.
    """

    name: str
    trash_name: str
    reason: str
    score: float | None
    time: str

    @property
    def is_replaced(self) -> bool:
        """True if the face went because another was written in its place, not because it was bad."""
        return removed_by(self) in _REPLACED


class Trash:
    """The trash of one faceset folder.

    Args:
        home: The faceset folder; removed files come from there and go back there.
        folder: The trash folder; made when first needed.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder

    @classmethod
    def of(cls, workspace: Workspace, side: Side) -> Trash:
        """The trash of one side's `aligned` folder."""
        return cls(workspace.aligned_dir(side), workspace.trash_dir(side))

    def move(self, removals: Sequence[Removal]) -> list[TrashEntry]:
        """Move files of the faceset to the trash, each with its reason.

        Files that have gone in the meantime are left out.

        Raises:
            StorageError: The disk is full or read-only; nothing is lost.
        """
        present = [removal for removal in removals if removal.path.exists()]
        if not present:
            return []
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            used = {entry.trash_name for entry in self._journal()}
            now = datetime.now(UTC).isoformat(timespec="seconds")
            entries: list[TrashEntry] = []
            for removal in present:
                name = free_name(self.folder, removal.path.name, taken=used.__contains__)
                used.add(name)
                entries.append(
                    TrashEntry(removal.path.name, name, removal.reason, removal.score, now)
                )
            self._append([asdict(entry) for entry in entries])
            for removal, entry in zip(present, entries, strict=True):
                move_file(removal.path, self.folder / entry.trash_name)
            fsync_dir(self.folder)
            fsync_dir(self.home)
        return entries

    def entries(self) -> list[TrashEntry]:
        """What lies in the trash now, oldest first; files without a line come last."""
        if not self.folder.is_dir():
            return []
        found = {
            entry.trash_name: entry
            for entry in self._journal()
            if (self.folder / entry.trash_name).exists()
        }
        for path in list_files(self.folder, _PICTURES):
            if path.name not in found:
                reason = "put here by another program"
                found[path.name] = TrashEntry(path.name, path.name, reason, None, "")
        return list(found.values())

    def select(self, patterns: Sequence[str]) -> list[TrashEntry]:
        """Entries that one of the patterns names.

        A pattern is what removed the face (the words of the reason before its colon, such as
        `blur`, or the first of them: `sort`; for replaced faces all of them), a file name, or a name with `*` and `?`. A file name
        means the name in the faceset or, where two had the same, the one in the trash.

        Args:
            patterns: What to look for; capital letters count.

        Raises:
            WorkspaceError: A pattern names nothing that lies in the trash.
        """
        present = self.entries()
        chosen: set[str] = set()
        for pattern in patterns:
            found = {entry.trash_name for entry in present if _is_named(entry, pattern)}
            if not found:
                raise WorkspaceError(
                    f"Nothing in {self.folder} is named or was removed by {pattern!r}; "
                    f"{_content(present)}."
                )
            chosen |= found
        return [entry for entry in present if entry.trash_name in chosen]

    def restore(self, entries: Iterable[TrashEntry] | None = None) -> list[Path]:
        """Bring files back, all or some; safe to call again after an interruption.

        A file whose old name is taken by now (the faceset was sorted since) comes back as
        `<stem>~2.jpg`.

        Returns:
            Where the files are now.

        Raises:
            StorageError: The disk is read-only or gone; nothing is lost.
        """
        restored: list[Path] = []
        with storage_errors(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            for entry in self.entries() if entries is None else entries:
                source = self.folder / entry.trash_name
                if not source.exists():
                    continue
                target = self.home / free_name(self.home, entry.name)
                move_file(source, target)
                restored.append(target)
            fsync_dir(self.home)
        return restored

    def _journal(self) -> list[TrashEntry]:
        path = self.folder / JOURNAL_NAME
        if not path.exists():
            return []
        found: list[TrashEntry] = []
        for line in path.read_bytes().splitlines():
            entry = _parsed(line)
            if entry is not None:
                found.append(entry)
        return found

    def _append(self, lines: Sequence[dict[str, Any]]) -> None:
        """Add lines and have them on the disk before returning."""
        path = self.folder / JOURNAL_NAME
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        with path.open("ab+") as stream:
            if stream.tell() > 0:
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":  # a torn line of a run that died while writing it
                    text = "\n" + text
            # A name that is no text becomes `\udcff`, which is JSON's own spelling of it.
            stream.write(text.encode(errors="backslashreplace"))
            stream.flush()
            os.fsync(stream.fileno())
        fsync_dir(self.folder)


def removed_by(entry: TrashEntry) -> str:
    """What removed a face: the words of the reason before its colon."""
    return entry.reason.partition(":")[0].strip()


def _is_named(entry: TrashEntry, pattern: str) -> bool:
    check = removed_by(entry)
    first = check if entry.is_replaced else check.partition(" ")[0]
    names = (entry.name, entry.trash_name)
    # As it stands first: a name may hold the brackets that are a pattern's.
    return pattern in (check, first, *names) or any(fnmatchcase(name, pattern) for name in names)


def _content(present: Sequence[TrashEntry]) -> str:
    if not present:
        return "it is empty"
    counts = Counter(removed_by(entry) for entry in present)
    held = ", ".join(f"{number} by {check}" for check, number in counts.most_common())
    return f"it holds {held}"


def _parsed(line: bytes) -> TrashEntry | None:
    """A journal line; None for a torn or foreign one, or one that names a path."""
    try:
        read: object = json.loads(line)
    except (ValueError, UnicodeDecodeError):
        return None
    if not isinstance(read, dict):
        return None
    values = cast(dict[str, Any], read)
    name, trash_name = values.get("name"), values.get("trash_name")
    if not (_is_plain_name(name) and _is_plain_name(trash_name)):
        return None
    score = values.get("score")
    return TrashEntry(
        str(name),
        str(trash_name),
        str(values.get("reason", "")),
        float(score) if isinstance(score, (int, float)) else None,
        str(values.get("time", "")),
    )


def _is_plain_name(name: object) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\")
