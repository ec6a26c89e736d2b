# pyright: strict
"""Unpack an archive: all of it or nothing, and nothing outside of the folder."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from dflcolab.errors import StorageError, WorkspaceError
from dflcolab.files import check_space, fsync_dir, storage_errors
from dflcolab.progress import Progress
from dflcolab.transfer.archive_entries import Archive, Limits, open_archive, pieces

_RESERVE = 256 << 20
"""Bytes that stay free on the disk: a full one stops everything else."""
_BLOCK = 4096
"""Bytes that a disk may take for a file beyond its own."""


def unpack(
    path: Path,
    target: Path,
    *,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Unpack `path` into the new folder `target`.

    Every entry is checked before the first is written. The files go to `<target>.unpacking`, which
    takes the name of `target` when all are there and whole; on any failure it is removed. Rights,
    owners and links of the archive are not taken over.

    Args:
        path: A zip or tar (plain, gzip, xz, bzip2).
        target: Folder that does not exist, or is empty.
        limits: What it may unpack to.
        progress: Shows the megabytes; a stop request ends the work with nothing left behind.

    Returns:
        The unpacked files, below `target`.

    Raises:
        UnsafeFileError: The archive is hostile.
        FormatError: It is damaged, encrypted, or no archive.
        StorageError: The disk is too full for it.
        WorkspaceError: There are files in `target`.
        Interrupted: The user asked to stop.
    """
    limits, progress = limits or Limits(), progress or Progress()
    staging = target.with_name(target.name + ".unpacking")
    with storage_errors(target), _drive_errors(path):
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise WorkspaceError(f"{target} exists already; give another folder for {path.name}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with open_archive(path, limits, progress) as archive:
            size = sum(entry.size + _BLOCK for entry in archive.entries)
            check_space(target.parent, size + _RESERVE, f"what {path} holds")
            if staging.exists():
                shutil.rmtree(staging)
            staging.mkdir()
            try:
                found = _write(archive, staging, path.name, progress)
                with suppress(FileNotFoundError):
                    target.rmdir()
                os.replace(staging, target)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
        fsync_dir(target.parent)
    return [target / name for name in found]


@contextmanager
def _drive_errors(path: Path) -> Generator[None]:
    """Name the archive where its drive went away: the folder that is unpacked to is a local one."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EIO, errno.ENOTCONN, errno.ESTALE):
            raise
        raise StorageError(
            f"{path} cannot be read to its end, its drive does not answer; connect it again and run "
            "the same command."
        ) from error


def _write(archive: Archive, staging: Path, shown: str, progress: Progress) -> list[Path]:
    total = sum(entry.size for entry in archive.entries)
    found: list[Path] = []
    done = 0
    with progress.task(f"Unpacking {shown}", total=total >> 20, unit="MB") as task:
        for entry in archive.entries:
            progress.raise_if_stopped()
            place = staging / entry.path
            if entry.is_folder:
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as stream:
                for piece in pieces(archive, entry, shown):
                    progress.raise_if_stopped()
                    stream.write(piece)
                    task.advance(((done + len(piece)) >> 20) - (done >> 20))
                    done += len(piece)
            if entry.time is not None:
                with suppress(OSError, OverflowError, ValueError):
                    os.utime(place, (entry.time, entry.time))
            found.append(Path(entry.path))
    return found
