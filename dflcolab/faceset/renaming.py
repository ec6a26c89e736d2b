# pyright: strict
"""Giving all files of a folder new names, as one act.

The wanted names are written down first. Then every file moves to a staging folder under its new
name, then back. After a kill, `recover` finishes what was begun: the folder ends in the new order
(or, if the list was not complete yet, in the old one), and no file is ever without a place. A lock
on the folder keeps a second process from finishing what a living one is still doing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import FacesetError
from dflcolab.files import fsync_dir, storage_errors, write_text

JOURNAL_NAME = ".renaming.json"
STAGING_NAME = ".renaming"


def rename_all(folder: Path, names: Mapping[str, str]) -> None:
    """Rename files inside a folder, all or none as seen after `recover`.

    Args:
        folder: Where the files are.
        names: Old name to new name. New names differ from each other and from files that stay.

    Raises:
        FacesetError: Two files would get one name; nothing was renamed.
        StorageError: The disk is full or read-only; `recover` finishes the work later.
    """
    changes = {old: new for old, new in names.items() if old != new}
    if not changes:
        return
    wanted = set(names.values())
    staying = [new for new in wanted if new not in names and (folder / new).exists()]
    if len(wanted) < len(names) or staying:
        raise FacesetError(
            f"Two files in {folder} would get the same name"
            f"{' ' + staying[0] if staying else ''}; move the one that is no face out of the folder."
        )
    with _alone_in(folder):
        if (folder / JOURNAL_NAME).exists():
            raise FacesetError(f"Another program is sorting {folder}; run again when it has ended.")
        _write_journal(folder, phase=1, names=changes)
    recover(folder)


def recover(folder: Path) -> bool:
    """Finish a renaming that was interrupted.

    Returns:
        True if there was one.

    Raises:
        FacesetError: The list of names is damaged.
        StorageError: The disk is full or read-only.
    """
    journal = folder / JOURNAL_NAME
    if not journal.exists():
        return False
    with storage_errors(folder), _alone_in(folder):
        if not journal.exists():  # another process has finished it meanwhile
            return False
        phase, names = _read_journal(journal)
        staging = folder / STAGING_NAME
        if phase == 1:
            staging.mkdir(exist_ok=True)
            for old, new in names.items():
                # A staged file has left its old name; the file there now can only be its own.
                if not (staging / new).exists() and (folder / old).exists():
                    (folder / old).rename(staging / new)
            fsync_dir(staging)
            fsync_dir(folder)
            _write_journal(folder, phase=2, names=names)
        for new in names.values():
            if (staging / new).exists():
                (staging / new).rename(folder / new)
        fsync_dir(folder)
        if staging.exists():
            staging.rmdir()
        journal.unlink()
        fsync_dir(folder)
    return True


@contextmanager
def _alone_in(folder: Path) -> Generator[None]:
    """Wait for other processes that rename in `folder`; no lock where the system has none."""
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with suppress(OSError):  # a network drive without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_journal(folder: Path, *, phase: int, names: Mapping[str, str]) -> None:
    write_text(
        folder / JOURNAL_NAME,
        json.dumps({"version": 1, "phase": phase, "names": dict(names)}, ensure_ascii=False),
    )


def _read_journal(path: Path) -> tuple[int, dict[str, str]]:
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
        phase = int(read["phase"])
        names = {str(old): str(new) for old, new in cast(dict[Any, Any], read["names"]).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FacesetError(
            f"{path} is damaged; move the files in {path.with_suffix('')} back into "
            f"{path.parent}, then delete it."
        ) from error
    if any(not name or set(name) & set("/\\") for pair in names.items() for name in pair):
        raise FacesetError(f"{path} names files outside its folder; delete it.")
    return phase, names
