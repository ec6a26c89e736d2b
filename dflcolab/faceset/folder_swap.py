# pyright: strict
"""A folder takes the place of the faceset's, and the former one is kept under another name.

What shall happen is written down first; then the two folders are renamed, and whatever was not made
anew (files that are no faces, sub-folders) moves over. Single files may move between the folders
beside them before and after that, which is how a resize is undone. `finish_swap` ends what a kill interrupted:
the faceset is the old folder or the new one as a whole, and no file is ever without a place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import FacesetError
from dflcolab.faceset.folder_lock import alone_in, hold_too
from dflcolab.files import fsync_dir, storage_errors, write_text

Move = tuple[str, str]
"""From where a file moves and to where: `folder/name`, both folders beside the faceset's."""


@dataclass(frozen=True)
class _Plan:
    """The folders' names, and the files that move between them."""

    staged: str
    kept: str
    carry: tuple[str, ...]
    before: tuple[Move, ...] = ()
    after: tuple[Move, ...] = ()
    emptied: str = ""


def swap_in(
    folder: Path,
    staged: Path,
    kept: Path,
    *,
    carry: Sequence[str],
    before: Sequence[Move] = (),
    after: Sequence[Move] = (),
    emptied: Path | None = None,
) -> None:
    """Put `staged` in the place of `folder`. All lie in one folder.

    Args:
        folder: The faceset's folder.
        staged: The complete new folder, or the one that `before` fills; what is in it already is
            on the disk.
        kept: Where the former folder goes; there is nothing of that name.
        carry: Names in `folder` that move to the new one, unless it has them.
        before: Files that move before the exchange, and
        after: those that move after it, in this order. A place that one has left may be taken by
            the next, but only once.
        emptied: A folder that goes if nothing is left in it.

    Raises:
        StorageError: The disk is full, read-only or gone; `finish_swap` ends the work later.
    """
    with storage_errors(folder), alone_in(folder):
        hold_too(folder, staged)
        plan = _Plan(
            staged=staged.name,
            kept=kept.name,
            carry=tuple(carry),
            before=tuple(before),
            after=tuple(after),
            emptied="" if emptied is None else emptied.name,
        )
        write_text(_plan_path(folder), json.dumps({"version": 1, **asdict(plan)}))
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
    _move_all(folder.parent, plan.before)
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
    _move_all(folder.parent, plan.after)
    fsync_dir(folder)
    if kept.exists():
        fsync_dir(kept)
    if plan.emptied:
        with suppress(OSError):  # something is left in it, or it went before
            folder.with_name(plan.emptied).rmdir()
    path.unlink(missing_ok=True)
    fsync_dir(folder.parent)
    return True


def _move_all(parent: Path, moves: Sequence[Move]) -> None:
    """Move what has not moved yet; a file that has come is never written over."""
    for source, target in moves:
        if (parent / source).exists() and not (parent / target).exists():
            (parent / target).parent.mkdir(exist_ok=True)
            (parent / source).rename(parent / target)
    for name in {place.partition("/")[0] for move in moves for place in move}:
        if (parent / name).exists():
            fsync_dir(parent / name)


def _plan_path(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.swap.json")


def _read_plan(path: Path) -> _Plan:
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
        plan = _Plan(
            staged=str(read["staged"]),
            kept=str(read["kept"]),
            carry=tuple(cast(Sequence[str], read["carry"])),
            before=tuple((str(one), str(other)) for one, other in read.get("before", ())),
            after=tuple((str(one), str(other)) for one, other in read.get("after", ())),
            emptied=str(read.get("emptied", "")),
        )
        places = [place.split("/") for move in (*plan.before, *plan.after) for place in move]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FacesetError(
            f"{path} is damaged; rename the folder you want to keep to "
            f"{path.name[1:].removesuffix('.swap.json')}, then delete that file."
        ) from error
    names: list[Any] = [plan.staged, plan.kept, *plan.carry, *sum(places, list[str]())]
    if plan.emptied:
        names.append(plan.emptied)
    if not all(_is_name(name) for name in names) or any(len(place) != 2 for place in places):
        raise FacesetError(f"{path} names files outside its folder; delete it.")
    return plan


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\\0")
