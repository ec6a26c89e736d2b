# pyright: strict
"""Moving files without a moment in which one could be lost."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from dflcolab.errors import WorkspaceError
from dflcolab.files import LONGEST_NAME, replacing

_CHUNK = 4 << 20


def move_file(source: Path, target: Path) -> None:
    """Rename `source` to `target`; across disks it is copied, synced, and only then removed.

    Raises:
        WorkspaceError: There is already a file at `target`; nothing is ever overwritten.
    """
    if os.path.lexists(target):
        raise WorkspaceError(f"{target} exists already; move it away and run again.")
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_file(source, target)
        source.unlink()


def copy_file(source: Path, target: Path, *, advance: Callable[[int], None] | None = None) -> None:
    """Copy a file atomically: `target` holds all of it or does not exist.

    Args:
        source: File to read.
        target: Its copy; the folder must exist.
        advance: Called with the number of bytes after each piece; it may raise to stop.

    Raises:
        StorageError: The disk is full, read-only or gone.
    """
    with replacing(target) as temporary:
        with source.open("rb") as reading, temporary.open("wb") as writing:
            while piece := reading.read(_CHUNK):
                writing.write(piece)
                if advance is not None:
                    advance(len(piece))
        shutil.copystat(source, temporary)


def free_name(folder: Path, name: str, *, taken: Callable[[str], bool] | None = None) -> str:
    """`name`, or the first of `stem~2.jpg`, `stem~3.jpg` … that no file in `folder` has.

    A stem that leaves no room for the number is cut.

    Args:
        folder: Where the name is looked up.
        name: Wanted file name.
        taken: Further names that may not be used.
    """
    stem, suffix = os.path.splitext(name)
    candidate, number = name, 1
    while os.path.lexists(folder / candidate) or (taken is not None and taken(candidate)):
        number += 1
        candidate = _cut(stem, f"~{number}{suffix}")
    return candidate


def _cut(stem: str, end: str) -> str:
    room = LONGEST_NAME - len(os.fsencode(end))
    raw = os.fsencode(stem)
    return (stem if len(raw) <= room else raw[:room].decode(errors="ignore")) + end
