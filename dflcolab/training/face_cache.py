"""Decoded faces in a file, for facesets that take too much memory.

A cached part is two files: `faces-<key>.bin`, the faces one after the other, and `faces-<key>.npz`,
everything else about them, written last. The key stands for the content of the face files and for
how they are cropped, so a changed face makes another key. The faces are mapped into memory: the
system keeps there what it has room for.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import psutil

from dflcolab.errors import FormatError, StorageError
from dflcolab.faceset.faceset import Faceset
from dflcolab.files import TEMPORARY_SUFFIX, replacing, storage_errors

_MEMORY_SHARE = 0.25
_KEPT = 4
_ABANDONED_AFTER_S = 3600.0
_VERSION = "1"

Notes = dict[str, npt.NDArray[Any]]
"""What is known about the faces of a part besides their pixels; numbers and text, no objects."""


def fits_memory(n_bytes: int) -> bool:
    """True if that is a small enough share of the memory that is free now."""
    return n_bytes <= _MEMORY_SHARE * psutil.virtual_memory().available


def key_of(faceset: Faceset, indices: Sequence[int], *details: object) -> str:
    """A name for these faces, made in this way.

    Args:
        faceset: Where the faces come from.
        indices: Which of them.
        details: How they are made; their text counts.
    """

    def one(index: int) -> bytes:
        try:
            return hashlib.sha256(faceset.faces[index].jpeg()).digest()
        except FormatError:
            return b"unreadable"

    whole = hashlib.sha256(repr((_VERSION, *details)).encode())
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for index, digest in zip(indices, pool.map(one, indices), strict=True):
            whole.update(repr(faceset.names[index]).encode() + digest)
    return whole.hexdigest()[:24]


def open_cached(
    folder: Path, key: str, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.uint8], Notes] | None:
    """The cached faces of a key, `[N, *shape]` uint8, read-only, and the notes; None without."""
    faces_path, notes_path = _paths(folder, key)
    try:
        with notes_path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            notes: Notes = {name: stored[name] for name in stored.files}
        count = int(notes["count"])
        if faces_path.stat().st_size != count * int(np.prod(shape)):
            return None
        faces = np.memmap(faces_path, np.uint8, "r", shape=(count, *shape))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    with contextlib.suppress(OSError):  # its age says when it was last used
        os.utime(notes_path)
    return faces, notes


def build_cached(
    folder: Path,
    key: str,
    largest: int,
    faces: Iterable[npt.NDArray[np.uint8]],
    notes: Callable[[], Notes],
) -> None:
    """Write faces one after the other, then the notes; a killed build leaves nothing usable.

    Args:
        folder: Made if it is missing.
        key: From `key_of`.
        largest: Bytes that the faces take at most.
        faces: One at a time.
        notes: Asked when all faces are written; `count` is added.

    Raises:
        StorageError: There is no room.
    """
    faces_path, notes_path = _paths(folder, key)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        prune(folder, keep=_KEPT - 1)
        free = shutil.disk_usage(folder).free
    if free < largest:
        raise StorageError(
            f"The decoded faces take {largest / 2**30:.1f} GB in {folder}, where only "
            f"{free / 2**30:.1f} GB are free; free some space, or train with a lower resolution."
        )
    with replacing(faces_path) as temporary, temporary.open("wb") as stream:
        count = _write_all(stream, faces)
    with replacing(notes_path) as temporary, temporary.open("wb") as stream:
        everything: dict[str, Any] = {"count": np.int64(count), **notes()}
        np.savez(stream, **everything)


def prune(folder: Path, *, keep: int = _KEPT) -> None:
    """Remove all but the parts used last, and what killed builds left.

    A file that another process still maps stays readable for it.
    """
    known = sorted(folder.glob("faces-*.npz"), key=_age)
    used = {path.stem for path in known[:keep]}
    for path in [*folder.glob("faces-*.bin"), *folder.glob("faces-*.npz")]:
        # The faces of a part that another process builds stand there before their notes do.
        finished = path.with_suffix(".npz").exists()
        if path.stem not in used and (finished or _age(path) > _ABANDONED_AFTER_S):
            _remove(path)
    pattern = re.compile(rf"\.faces-.*{re.escape(TEMPORARY_SUFFIX)}\.(bin|npz)")
    for path in folder.iterdir():
        if pattern.fullmatch(path.name) and _age(path) > _ABANDONED_AFTER_S:
            _remove(path)


def _write_all(stream: BinaryIO, faces: Iterable[npt.NDArray[np.uint8]]) -> int:
    count = 0
    for face in faces:
        stream.write(face.data)
        count += 1
    return count


def _age(path: Path) -> float:
    """Seconds since the file was written or used; 0 if it is gone meanwhile."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # in use on systems that forbid it; goes another time
        path.unlink()


def _paths(folder: Path, key: str) -> tuple[Path, Path]:
    return folder / f"faces-{key}.bin", folder / f"faces-{key}.npz"
