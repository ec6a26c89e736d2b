# pyright: strict
"""Put many files in place as if in one moment: a kill leaves the old ones or the new ones.

The new files wait in a staging folder. A journal with all moves is written last; from then on the
moves are made, by whoever comes first: the program itself, or, after a kill, the next one that opens
the workspace. Each move can be repeated, so it does not matter how far the killed one came.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from dflcolab.errors import WorkspaceError
from dflcolab.files import exclusive, storage_errors, write_text
from dflcolab.workspace.moving import free_name, move_file

HIDDEN = ".sync"
"""Folder of the workspace for what the machine remembers of its copies."""
_JOURNAL = "moves.json"
_MANY = 200


@dataclass(frozen=True)
class Move:
    """One file's change; paths are below the workspace.

    Attributes:
        target: Its place.
        staged: The new file; "" if there is none, so that the old one only goes aside.
        aside: Where the old file goes, if there is one; nothing is there yet.
    """

    target: str
    staged: str
    aside: str


def lock_path(root: Path) -> Path:
    """Lock of those who place files in the workspace at `root` (see `files.exclusive`)."""
    return root / HIDDEN / "lock"


def place_all(root: Path, moves: Sequence[Move], *, staging: Path) -> None:
    """Make all moves; once the journal is written, they are made in any case.

    The caller holds the lock.

    Args:
        root: The workspace.
        moves: What to do.
        staging: Folder of the new files, in the workspace; it goes when all is done.

    Raises:
        StorageError: The disk does not answer; the next `finish_placing` goes on.
    """
    with storage_errors(root):
        if not moves:
            shutil.rmtree(staging, ignore_errors=True)
            return
        # The journal promises that the new files are there.
        _reach_the_disk([root / move.staged for move in moves if move.staged])
        content = {
            "staging": staging.relative_to(root).as_posix(),
            "moves": [asdict(move) for move in moves],
        }
        write_text(root / HIDDEN / _JOURNAL, json.dumps(content))
    _go_on(root)


def finish_placing(root: Path) -> bool:
    """Make the moves that a killed program left in the workspace at `root`; True if there were any.

    Raises:
        WorkspaceError: A program makes them just now, or the journal is not one of this program.
        StorageError: The disk does not answer.
    """
    if not (root / HIDDEN / _JOURNAL).exists():
        return False
    busy = WorkspaceError(
        f"Another program puts files of a copy into {root} just now; wait for it, then run again."
    )
    with exclusive(lock_path(root), busy):
        return _go_on(root)


def _go_on(root: Path) -> bool:
    journal = root / HIDDEN / _JOURNAL
    with storage_errors(root):
        try:
            text = journal.read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        staging, moves = _read(root, text)
        for move in moves:
            _make(root, move)
        # The new places must be on the disk before the journal goes.
        _reach_the_disk(dict.fromkeys((root / move.target).parent for move in moves))
        journal.unlink()
        shutil.rmtree(root / staging, ignore_errors=True)
    return True


def _reach_the_disk(paths: Collection[Path]) -> None:
    """Make sure that files or folders survive a power cut."""
    if len(paths) > _MANY:
        os.sync()  # one for all is faster then, though it waits for everybody's files
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(root: Path, text: str) -> tuple[str, list[Move]]:
    """The staging folder and the moves, none of which leads out of the workspace.

    A workspace may come from a stranger, hidden folders and all.
    """
    try:
        content = cast(dict[str, Any], json.loads(text))
        moves = [Move(**row) for row in content["moves"]]
        staging = str(content["staging"])
        paths = [staging, *(path for m in moves for path in (m.target, m.staged, m.aside) if path)]
        folders = {str(PurePosixPath(path).parent) for path in paths}
        if any(".." in PurePosixPath(path).parts or path.startswith("/") for path in paths):
            raise ValueError(paths)
        if not all((root / f).resolve().is_relative_to(root.resolve()) for f in folders):
            raise ValueError(folders)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WorkspaceError(
            f"{root / HIDDEN / _JOURNAL} was not written by this program; delete that file."
        ) from error
    return staging, moves


def _make(root: Path, move: Move) -> None:
    target, staged = root / move.target, root / move.staged
    if move.staged and not staged.exists():
        return  # it was made before the kill
    if os.path.lexists(target):
        aside = root / move.aside
        aside.parent.mkdir(parents=True, exist_ok=True)
        move_file(target, aside.parent / free_name(aside.parent, aside.name))
    if move.staged:
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(target)
