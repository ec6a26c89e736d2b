# pyright: strict
"""Changing the head of a pack so that a kill at any moment leaves the old head or the new one.

The changes are written to a redo file beside the pack first, complete and with their hash. From then
on they count: whoever opens the pack next puts them in (again). Before that, the pack is as it was,
except for bytes behind its end that nobody reads. Putting changes in twice gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import struct
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from dflcolab.files import fsync_dir, storage_errors, write_bytes

log = logging.getLogger(__name__)

_MAGIC = b"dflcolab redo 1\n"
_LARGEST = 1 << 31
_CHUNK = 4 << 20


@dataclass(frozen=True)
class Patch:
    """Bytes that belong at a position of the pack."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Redo:
    """Changes of a pack's head that belong to data written behind its former end.

    Attributes:
        old_size: Where the added data begin.
        new_size: Where they end, which is the pack's size.
        added_sha256: Hash of the data between, by which the pack is recognised.
        patches: The changes.
    """

    old_size: int
    new_size: int
    added_sha256: str
    patches: tuple[Patch, ...]


def redo_path(pak: Path) -> Path:
    """`.faceset.pak.append`, beside the pack."""
    return pak.with_name(f".{pak.name}.append")


def commit(pak: Path, stream: BinaryIO, redo: Redo) -> None:
    """Make changes count, then put them in.

    The caller holds `locked`, and the added data are on the disk already.

    Raises:
        StorageError: Disk full, read-only or gone. The pack is as it was, or the next `recover`
            finishes the work.
    """
    write_bytes(redo_path(pak), _encoded(redo))
    _apply(pak, stream, redo)


def recover(pak: Path) -> bool:
    """Finish the change of a pack that was interrupted; call it before reading one.

    Returns:
        True if there was a change to finish.

    Raises:
        StorageError: The disk is full, read-only or gone.
    """
    if not redo_path(pak).exists() or not pak.exists():
        return False
    with storage_errors(pak), pak.open("rb+") as stream, locked(stream):
        redo = _read(redo_path(pak))
        if redo is not None and _belongs(stream, redo):
            _apply(pak, stream, redo)
            return True
        if redo_path(pak).exists():
            log.warning("%s does not belong to its pack and was left out.", redo_path(pak))
            redo_path(pak).unlink(missing_ok=True)
        return False


@contextmanager
def locked(stream: BinaryIO, *, shared: bool = False) -> Generator[None]:
    """Wait for other processes that change the pack; no lock where the system has none."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with suppress(OSError):  # a network drive without locks
        fcntl.flock(stream, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            fcntl.flock(stream, fcntl.LOCK_UN)


def sha256_between(stream: BinaryIO, start: int, end: int) -> str:
    """Hex SHA-256 of a part of an open file."""
    digest = hashlib.sha256()
    stream.seek(start)
    while start < end:
        piece = stream.read(min(_CHUNK, end - start))
        if not piece:
            break
        digest.update(piece)
        start += len(piece)
    return digest.hexdigest()


def _apply(pak: Path, stream: BinaryIO, redo: Redo) -> None:
    with storage_errors(pak):
        for patch in redo.patches:
            stream.seek(patch.offset)
            stream.write(patch.data)
        stream.flush()
        os.fsync(stream.fileno())
        redo_path(pak).unlink(missing_ok=True)
        fsync_dir(pak.parent)


def _belongs(stream: BinaryIO, redo: Redo) -> bool:
    """Whether the pack still is the one that the changes were made for."""
    return (
        os.fstat(stream.fileno()).st_size == redo.new_size
        and sha256_between(stream, redo.old_size, redo.new_size) == redo.added_sha256
    )


def _encoded(redo: Redo) -> bytes:
    about = json.dumps(
        {
            "old_size": redo.old_size,
            "new_size": redo.new_size,
            "added_sha256": redo.added_sha256,
            "patches": [[patch.offset, len(patch.data)] for patch in redo.patches],
        }
    ).encode()
    body = b"".join(
        (_MAGIC, struct.pack("<I", len(about)), about, *(patch.data for patch in redo.patches))
    )
    return body + hashlib.sha256(body).digest()


def _read(path: Path) -> Redo | None:
    """The redo file; None if it is gone, incomplete, or not what its hash says."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        content = path.read_bytes()
    except FileNotFoundError:  # another process has finished the work meanwhile
        return None
    body, digest = content[:-32], content[-32:]
    if not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        return None
    position = len(_MAGIC) + 4
    try:
        (length,) = struct.unpack_from("<I", body, len(_MAGIC))
        about: Any = json.loads(body[position : position + length])
        position += length
        patches: list[Patch] = []
        for offset, size in cast(Sequence[Any], about["patches"]):
            if not 0 <= int(offset) <= int(offset) + int(size) <= int(about["old_size"]):
                return None
            patches.append(Patch(int(offset), body[position : position + int(size)]))
            position += int(size)
        return Redo(
            int(about["old_size"]),
            int(about["new_size"]),
            str(about["added_sha256"]),
            tuple(patches),
        )
    except (ValueError, KeyError, TypeError, RecursionError, struct.error):
        return None
