# pyright: strict
"""A folder takes the place of the faceset's, and the former one is kept under another name.

What shall happen is written down first; then the two folders are renamed, and whatever was not made
anew (files that are no faces, sub-folders) moves over. `finish_swap` ends what a kill interrupted:
the faceset is the old folder or the new one as a whole, and no file is ever without a place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import FacesetError
from dflcolab.faceset.folder_lock import alone_in, hold_too
from dflcolab.files import fsync_dir, storage_errors, write_text


@dataclass(frozen=True)
class _Plan:
    """The folders' names, and the entries of the former folder that move to the new one."""

    staged: str
    kept: str
    carry: tuple[str, ...]


def swap_in(folder: Path, staged: Path, kept: Path, *, carry: Sequence[str]) -> None:
    """Put `staged` in the place of `folder`. All three lie in one folder.

    Args:
        folder: The faceset's folder.
        staged: The complete new folder; its files are on the disk already.
        kept: Where the former folder goes; there is nothing of that name.
        carry: Names in `folder` that move to the new one, unless it has them.

    Raises:
        StorageError: The disk is full, read-only or gone; `finish_swap` ends the work later.
    """
    with storage_errors(folder), alone_in(folder):
        hold_too(folder, staged)
        plan = {"version": 1, "staged": staged.name, "kept": kept.name, "carry": list(carry)}
        write_text(_plan_path(folder), json.dumps(plan))
        _carry_out(folder)


def finish_swap(folder: Path) -> bool:
    """End a swap that was interrupted.

    Returns:
        True if there was one.

    Raises:
        FacesetError: What was written down is damaged, or another folder has come in the way.
        StorageError: The disk is read-only or gone.
    """
    if not _plan_path(folder).exists():
        return False
    with storage_errors(folder), alone_in(folder):
        return _carry_out(folder)


def _carry_out(folder: Path) -> bool:
    path = _plan_path(folder)
    if not path.exists():  # another process has ended it meanwhile
        return False
    plan = _read_plan(path)
    staged, kept = folder.with_name(plan.staged), folder.with_name(plan.kept)
    if staged.exists():
        if folder.exists() and kept.exists():
            try:
                folder.rmdir()  # a program that missed the faceset's folder has made an empty one
            except OSError as error:
                raise FacesetError(
                    f"{folder} came into being while {plan.staged} was about to take its place; "
                    f"look at {folder}, {staged} and {kept}, keep the one you want as "
                    f"{folder.name}, and delete {path}."
                ) from error
        if folder.exists():
            folder.rename(kept)
            fsync_dir(folder.parent)
        staged.rename(folder)
        fsync_dir(folder.parent)
    for name in plan.carry:
        if (kept / name).exists() and not (folder / name).exists():
            (kept / name).rename(folder / name)
    fsync_dir(folder)
    fsync_dir(kept)
    path.unlink(missing_ok=True)
    fsync_dir(folder.parent)
    return True


def _plan_path(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.swap.json")


def _read_plan(path: Path) -> _Plan:
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
        names = [str(read["staged"]), str(read["kept"]), *cast(Sequence[Any], read["carry"])]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FacesetError(
            f"{path} is damaged; rename the folder you want to keep to "
            f"{path.name[1:].removesuffix('.swap.json')}, then delete that file."
        ) from error
    if not all(isinstance(name, str) and name and not set(name) & set("/\\\0") for name in names):
        raise FacesetError(f"{path} names files outside its folder; delete it.")
    if any(name in (".", "..") for name in names):
        raise FacesetError(f"{path} names files outside its folder; delete it.")
    return _Plan(names[0], names[1], tuple(names[2:]))
