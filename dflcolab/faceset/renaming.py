# pyright: strict
"""Giving all files of a folder new names, as one act.

Where the disk allows, the folder changes from the old order to the new one in a single step (see
`exchange`). Elsewhere (mounted drives, memory cards, other systems) the wanted names are written
down first; then every file moves to a staging folder under its new name, then back. After a kill,
`recover` finishes what was begun: the folder ends in the new order (or, if the list was not
complete yet, in the old one), and no file is ever without a place. A lock on the folder keeps a
second process from finishing what a living one is still doing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import FacesetError
from dflcolab.faceset.exchange import recover_exchange, rename_by_exchange
from dflcolab.faceset.folder_lock import alone_in
from dflcolab.faceset.folder_swap import finish_swap
from dflcolab.files import LONGEST_NAME, fsync_dir, storage_errors, write_text
from dflcolab.formats.faceset_pak import PAK_NAME
from dflcolab.formats.pak_redo import recover as recover_pak

JOURNAL_NAME = ".renaming.json"
STAGING_NAME = ".renaming"


def rename_all(folder: Path, names: Mapping[str, str], *, in_one_step: bool = True) -> None:
    """Rename files inside a folder: all or none.

    Args:
        folder: Where the files are.
        names: Old name to new name. New names differ from each other and from files that stay.
        in_one_step: False goes the way of disks that cannot exchange two folders, on which "all or
            none" holds after `recover`.

    Raises:
        FacesetError: Two files would get one name; nothing was renamed.
        StorageError: The disk is full or read-only; `recover` finishes the work later.
    """
    changes = {old: new for old, new in names.items() if old != new}
    if not changes:
        return
    if unusable := [new for new in changes.values() if not _is_file_name(new)]:
        raise FacesetError(f"{unusable[0][:80]!r} cannot be a file name; nothing was renamed.")
    with alone_in(folder):
        wanted = set(names.values())
        staying = [new for new in wanted if new not in names and (folder / new).exists()]
        if len(wanted) < len(names) or staying:
            raise FacesetError(
                f"Two files in {folder} would get the same name"
                f"{' ' + staying[0] if staying else ''}; move the one that is no face out of the "
                "folder."
            )
        if (folder / JOURNAL_NAME).exists():
            raise FacesetError(f"Another program is sorting {folder}; run again when it has ended.")
        recover_exchange(folder)
        if in_one_step and rename_by_exchange(folder, changes):
            return
        _write_journal(folder, phase=1, names=changes)
        recover(folder)


def recover(folder: Path) -> bool:
    """Finish what was interrupted in a faceset's folder, and remove what it left.

    That is a renaming, the exchange of folders of a resize, or an addition to a pack.

    Returns:
        True if there was one.

    Raises:
        FacesetError: The list of names is damaged.
        StorageError: The disk is full or read-only.
    """
    swapped = finish_swap(folder)
    recover_pak(folder / PAK_NAME)
    cleared = recover_exchange(folder)
    return _recover_journal(folder) or cleared or swapped


def _recover_journal(folder: Path) -> bool:
    journal = folder / JOURNAL_NAME
    if not journal.exists():
        return False
    with storage_errors(folder), alone_in(folder):
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


def _write_journal(folder: Path, *, phase: int, names: Mapping[str, str]) -> None:
    write_text(
        folder / JOURNAL_NAME,
        json.dumps({"version": 1, "phase": phase, "names": dict(names)}),
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
    if not all(_is_file_name(name) for pair in names.items() for name in pair):
        raise FacesetError(f"{path} names files outside its folder; delete it.")
    return phase, names


def _is_file_name(name: str) -> bool:
    """Whether a file in the folder itself may be called so."""
    try:
        length = len(os.fsencode(name))
    except UnicodeEncodeError:  # half of a character, from a damaged record
        return False
    return 0 < length <= LONGEST_NAME and name not in (".", "..") and not set(name) & set("/\\\0")
