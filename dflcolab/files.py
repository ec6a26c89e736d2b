"""Writing files so that a power cut leaves either the old or the new one, never a half.

Temporary name in the same folder, flush, fsync, replace. Every other module writes through
these functions; none calls `open(..., "w")` on a file somebody may want to keep.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import DFLColabError, StorageError

LONGEST_NAME = 255
"""Bytes that a file name may take on every usual disk."""

TEMPORARY_SUFFIX = ".tmp"
_TEMPORARY_NAME = re.compile(r"\..*\.[0-9a-f]{8}\.tmp(\..*)?", re.DOTALL)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's complaints about a full or read-only disk into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"The disk is full while writing {path}; free some space and run the same command again."
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StorageError(
                f"No permission to write {path}; choose a folder that you may write to."
            ) from error
        if error.errno in (errno.EIO, errno.ENOTCONN, errno.ESTALE):
            raise StorageError(
                f"The disk or drive that holds {path} does not answer; reconnect it and run again."
            ) from error
        raise


def check_space(folder: Path, size: int, what: str) -> None:
    """Refuse before writing what cannot fit.

    Args:
        folder: Where it is to go; it exists.
        size: Bytes that it needs.
        what: What it is, in the sentence.

    Raises:
        StorageError: There is too little room.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise StorageError(
            f"The disk is too full for {what} ({size >> 20} MB, {free >> 20} MB free at "
            f"{folder}); free some space and run again."
        )


def fsync_dir(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut (no-op where the system cannot)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, *, durable: bool = True, mark: str = TEMPORARY_SUFFIX) -> Iterator[Path]:
    """Give a temporary path to write to; on success it takes the place of `path`.

    The temporary name keeps the suffix of `path` (encoders look at it). On an error it is removed
    and the old file stays as it was.

    Args:
        path: Final path; its folder must exist.
        durable: False skips fsync, for files that can be made again (debug pictures).
        mark: What the temporary name is known by; with another one than usual the caller looks
            after what killed runs leave.

    Raises:
        StorageError: Disk full, read-only or gone.
    """
    # Names may take 255 bytes; a part of a long one is enough to know it by.
    temporary = path.with_name(f".{path.stem[:50]}.{uuid.uuid4().hex[:8]}{mark}{path.suffix}")
    with storage_errors(path):
        try:
            yield temporary
            if durable:
                with temporary.open("rb+") as stream:
                    os.fsync(stream.fileno())
            os.replace(temporary, path)
            if durable:
                fsync_dir(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove what `replacing` left in a folder when its process was killed; a pack's is large.

    Only for those who keep all others from writing there meanwhile.

    Raises:
        StorageError: The disk is read-only or gone.
    """
    if not folder.is_dir():
        return
    with storage_errors(folder):
        for path in folder.iterdir():
            if _TEMPORARY_NAME.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path` atomically (see `replacing`)."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    r"""Write UTF-8 `text` to `path` atomically (see `replacing`).

    A file name in it that is no text stands as `\udcff`, which is JSON's spelling of it too.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


@contextmanager
def exclusive(lock_path: Path, busy: DFLColabError) -> Iterator[None]:
    """Keep other processes out of the block while one is inside.

    The system ends the lock with the process, however that ends. File systems without locks let
    everybody in.

    Args:
        lock_path: An empty file of this name is made and stays.
        busy: Raised when another process is inside.
    """
    with storage_errors(lock_path):
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        stream = lock_path.open("ab")
    with stream:
        try:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise busy from error
        except (ImportError, OSError):
            pass
        yield


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_facts(path: Path) -> dict[str, Any]:
    """The JSON object in a small file that may be lost without harm; {} where it is missing or damaged."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}


def natural_key(path: Path) -> tuple[object, ...]:
    """Sort key under which `frame9` comes before `frame10`."""
    parts = re.split(r"(\d+)", path.name.lower())
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def list_files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files of a folder with one of the (lower-case) suffixes, sorted by name; [] if it is missing.

    Hidden files are left out: that is what half-written temporary files are. If another folder
    takes this one's place meanwhile (a sort does that), the list is that of one of them, whole.
    """
    while True:
        if not folder.is_dir():
            return []
        listed = folder.stat()
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and os.path.splitext(entry.name)[1].lower() in suffixes
                and entry.is_file()
            ]
        if folder.is_dir() and os.path.samestat(listed, folder.stat()):
            return [folder / name for name in sorted(names)]
