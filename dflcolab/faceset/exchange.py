# pyright: strict
"""New names for all files of a folder in one single step of the file system.

A hidden folder beside it gets a hard link to every file, under its new name. Then the two folders
change places (Linux: `renameat2` with `RENAME_EXCHANGE`), which is one act: whoever looks sees the
old names or the new ones. What is left are the links under the old names, which go, and sub-folders,
which move over. No file is copied, moved or opened.
"""

from __future__ import annotations

import ctypes
import filecmp
import functools
import logging
import os
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from dflcolab.faceset.folder_lock import alone_in, hold_too
from dflcolab.files import fsync_dir, storage_errors
from dflcolab.workspace.moving import free_name, move_file

log = logging.getLogger(__name__)

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_ATTEMPTS = 3

Identity = tuple[int, int]
"""Device and number of a file: the same for all of its names."""


def shadow_of(folder: Path) -> Path:
    """The hidden folder beside `folder` that takes its place; there only while names change."""
    real = Path(os.path.realpath(folder))
    return real.with_name(f".{real.name}.renaming")


def rename_by_exchange(folder: Path, changes: Mapping[str, str]) -> bool:
    """Rename files in one step. Call it inside of `alone_in(folder)`.

    Args:
        folder: Where the files are.
        changes: Old name to new name; the new names differ from each other and from all that stay.

    Returns:
        False if this disk or system cannot do it (no hard links, no exchange, a sub-folder that
        cannot move); then nothing was changed.

    Raises:
        StorageError: The folder beside could not be removed again.
    """
    real = Path(os.path.realpath(folder))
    shadow = shadow_of(real)
    exchange = _exchange_function()
    if exchange is None or os.path.lexists(shadow) or not os.access(real, os.W_OK):
        return False
    with storage_errors(folder):
        for _ in range(_ATTEMPTS):
            files, folders = _files(real), _folders(real)
            if files is None or not all(_can_move(sub) for sub in folders):
                return False
            try:
                _link_all(real, shadow, files, changes)
                unchanged = (_files(real), _folders(real)) == (files, folders)
                if unchanged:
                    hold_too(real, shadow)
                    exchange(real, shadow)
            except OSError as error:
                log.debug("%s: names cannot change in one step: %s", folder, error)
                _remove_links(shadow)
                return False
            if unchanged:
                fsync_dir(real.parent)
                _remove_old(shadow, real, files)
                return True
            _remove_links(shadow)  # a file came, went or was replaced meanwhile
    return False


def recover_exchange(folder: Path) -> bool:
    """Remove what a run left that was killed before or after the exchange.

    Sub-folders move back. A file goes only if the faceset's folder holds it too: another name of the
    same file, or the same content. Any other is kept, in a folder that people see, with a warning.

    Returns:
        True if there was something.

    Raises:
        StorageError: The disk is read-only or gone.
    """
    shadow = shadow_of(folder)
    if not shadow.is_dir() or shadow.is_symlink():
        return False
    with storage_errors(folder), alone_in(folder):
        if not shadow.is_dir():  # another process has removed it meanwhile
            return False
        _take_folders(shadow, folder)
        known = set((_files(folder, deep=True) or {}).values())
        has_twin = _twin_finder(folder)
        with os.scandir(shadow) as entries:
            found = list(entries)
        for entry in found:
            if entry.is_file(follow_symlinks=False) or entry.is_symlink():
                status = entry.stat(follow_symlinks=False)
                linked = (status.st_dev, status.st_ino) in known and _links(Path(entry.path)) > 1
                if linked or has_twin(Path(entry.path)):
                    Path(entry.path).unlink()
        fsync_dir(shadow)
        try:
            shadow.rmdir()
        except OSError:
            kept = shadow.with_name(free_name(shadow.parent, f"{Path(folder).name}_found"))
            shadow.rename(kept)
            log.warning(
                "%s holds files that were set aside while a sort was stopped and are not in %s any "
                "more; look at them, then move them back or delete that folder.",
                kept,
                folder,
            )
        fsync_dir(shadow.parent)
    return True


@functools.cache
def _exchange_function() -> Callable[[Path, Path], None] | None:
    """Lets two folders change places; None where the system has no such call."""
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return None
    function.argtypes = (
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    )

    def exchange(one: Path, other: Path) -> None:
        ctypes.set_errno(0)
        done = function(
            _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
        )
        if done != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(one))

    return exchange


def _files(folder: Path, *, deep: bool = False) -> dict[str, Identity] | None:
    """Names and identities of all files, `deep` those in sub-folders too; None without a folder."""
    found: dict[str, Identity] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode):
                    found[entry.name] = status.st_dev, status.st_ino
                elif deep:
                    inner = _files(Path(entry.path), deep=True) or {}
                    found.update((f"{entry.name}/{name}", which) for name, which in inner.items())
    except FileNotFoundError:
        return None
    return found


def _folders(folder: Path) -> list[Path]:
    """Its sub-folders, by name; links to folders are files here."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _can_move(folder: Path) -> bool:
    """Whether a folder can come under another one: no disk of its own, and ours to write in."""
    return not folder.is_mount() and os.access(folder, os.W_OK)


def _take_folders(old: Path, live: Path) -> None:
    """Move the sub-folders of the old folder to the one in its place; what cannot move stays."""
    for folder in _folders(old):
        with suppress(OSError):
            if not os.path.lexists(live / folder.name):
                folder.rename(live / folder.name)


def _link_all(
    folder: Path, shadow: Path, files: Mapping[str, Identity], changes: Mapping[str, str]
) -> None:
    """Fill `shadow` with the files of `folder` under their new names, and flush it."""
    shadow.mkdir(mode=0o700)
    source = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    target = os.open(shadow, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in files:
            new = changes.get(name, name)
            os.link(name, new, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        of_folder = os.fstat(source)
        if (of_folder.st_uid, of_folder.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(PermissionError):
                os.chown(target, of_folder.st_uid, of_folder.st_gid)
        shutil.copystat(folder, shadow)  # permissions, extended attributes, times
        os.fsync(target)
    finally:
        os.close(source)
        os.close(target)


def _remove_links(shadow: Path) -> None:
    """Remove a folder of links that never took its place."""
    if not shadow.is_dir():
        return
    with os.scandir(shadow) as entries:
        found = [Path(entry.path) for entry in entries]
    for path in found:
        path.unlink()
    shadow.rmdir()


def _remove_old(old: Path, live: Path, linked: Mapping[str, Identity]) -> None:
    """Remove the old folder, which has the shadow's name now.

    A file that a foreign program wrote into it in the last instant moves to the live folder. An
    error leaves the rest for `recover_exchange`: the new order stands already.
    """
    known = set(linked.values())
    try:
        _take_folders(old, live)
        for name, which in (_files(old, deep=True) or {}).items():
            if which in known:
                (old / name).unlink()
            else:
                move_file(old / name, live / free_name(live, Path(name).name))
        old.rmdir()
        fsync_dir(old.parent)
    except OSError as error:
        log.warning("%s could not be removed (%s); the next command will try again.", old, error)


def _links(path: Path) -> int:
    return path.stat(follow_symlinks=False).st_nlink


def _twin_finder(folder: Path) -> Callable[[Path], bool]:
    """Tells whether a file of `folder` has the same content as a given one."""

    @functools.cache
    def by_size() -> dict[int, list[Path]]:
        sizes: dict[int, list[Path]] = {}
        for name in _files(folder, deep=True) or {}:
            if (folder / name).is_file():
                sizes.setdefault((folder / name).stat().st_size, []).append(folder / name)
        return sizes

    def has_twin(path: Path) -> bool:
        if path.is_symlink():
            return False
        return any(
            filecmp.cmp(path, other, shallow=False)
            for other in by_size().get(path.stat().st_size, ())
        )

    return has_twin
