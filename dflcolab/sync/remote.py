# pyright: basic
"""The place on the other side: a folder (a mounted Drive) or any fsspec address.

Knows bytes and names only, not what they mean. Nothing is overwritten or renamed; every write is
read back and compared by hash. Errors of the mount become one sentence that says what to do.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dflcolab.errors import DFLColabError, FormatError, MissingDependencyError, SyncError
from dflcolab.sync.manifest import Stored

CHUNK = 4 << 20
MANY_ENTRIES = 1000
_BLOCK = 8 << 20  # one request to an object store
_OFFLINE = {
    errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET,
    errno.ECONNABORTED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPIPE, errno.ENODEV,
}  # fmt: skip

OnBytes = Callable[[int], None]
"""Gets the number of bytes after each piece; may raise to stop."""


class DamagedError(FormatError):
    """Something on the remote is missing, short or altered.

    Args:
        message: The sentence.
        paths: Paths of the objects below the remote's root.
    """

    def __init__(self, message: str, paths: Iterable[str]) -> None:
        super().__init__(message)
        self.paths = tuple(paths)


class Remote:
    """A folder on an fsspec file system.

    Args:
        filesystem: An fsspec file system.
        root: Folder in it.
        name: What messages call it.
    """

    def __init__(self, filesystem: Any, root: str, name: str) -> None:
        self.fs = filesystem
        self.root = root.rstrip("/")
        self.name = name

    @classmethod
    def open(cls, address: str | Path) -> Remote:
        """The remote at a path or fsspec address; nothing is created.

        Raises:
            SyncError: The address is not understood, or is that of a file on this machine.
            MissingDependencyError: The library for this kind of address is not installed.
        """
        import fsspec

        text = str(address)
        if "://" not in text:
            text = str(Path(text).expanduser().absolute())
        try:
            filesystem, root = fsspec.core.url_to_fs(text)
        except ImportError as error:
            kind = text.partition("://")[0]
            raise MissingDependencyError(
                f"{text} needs a library that is not installed: {error}; try "
                f"`pip install dflcolab[{'gcs' if kind in ('gs', 'gcs') else 's3'}]`."
            ) from error
        except ValueError as error:
            raise SyncError(f"{text} is not an address that is understood: {error}.") from error
        remote = cls(filesystem, root, text)
        if remote.local_root is not None:
            _refuse_file(remote.local_root)
        return remote

    @property
    def local_root(self) -> Path | None:
        """The folder if the remote is one on this machine (a mounted Drive counts), else None."""
        protocol = self.fs.protocol
        names = (protocol,) if isinstance(protocol, str) else tuple(protocol)
        return Path(self.root) if "file" in names or "local" in names else None

    @property
    def n_parallel(self) -> int:
        """Transfers at a time: a mounted Drive gets worse with more, an object store better."""
        return 8 if self.local_root is None else 2

    def path(self, stored: str) -> str:
        """Full path of something below the root."""
        return f"{self.root}/{stored}"

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn failures of the file system into one sentence.

        Args:
            doing: What was attempted ("copying result.mp4").
        """
        try:
            yield
        except DFLColabError:
            raise
        except OSError as error:
            raise SyncError(self._sentence(error, doing)) from error
        except Exception as error:
            # Cloud back ends raise their own classes; all of them mean "did not work".
            reason = " ".join(str(error).split())
            raise SyncError(
                f"{self.name} failed while {doing} ({type(error).__name__}: {reason}); "
                "nothing here is lost, try again later."
            ) from error

    def _sentence(self, error: OSError, doing: str) -> str:
        if error.errno in _OFFLINE:
            return (
                f"{self.name} is offline (while {doing}); nothing here is lost: "
                "reconnect it and run the same step again."
            )
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                f"{self.name} is full (while {doing}); free some space there, empty its bin too, "
                "and run the same step again."
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return f"{self.name} does not allow {doing}; choose a folder that you may write to."
        return (
            f"{self.name} failed while {doing} ({error}); "
            "check that it is connected, then run the same step again."
        )

    # ---- looking ------------------------------------------------------------------------------

    def names(self, folder: str = "") -> list[str]:
        """Names directly in a folder, unordered; [] if it is missing.

        Raises:
            SyncError: The remote does not answer.
        """
        full = self.path(folder).rstrip("/")
        with self.errors(f"listing {folder or 'its folder'}"):
            self.fs.invalidate_cache()
            # Only `info` tells a missing folder from a dead mount on every kind of remote.
            if self._info(full) is None:
                return []
            return [
                str(path).rstrip("/").rpartition("/")[2] for path in self.fs.ls(full, detail=False)
            ]

    def files_below(self, folder: str) -> dict[str, int]:
        """Paths and sizes of all files in a folder and its sub-folders; {} if it is missing.

        Raises:
            SyncError: The remote does not answer.
        """
        found: dict[str, int] = {}
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            with self.errors(f"listing {inside}"):
                self.fs.invalidate_cache()
                if self._info(self.path(inside)) is None:
                    continue
                rows = self.fs.ls(self.path(inside), detail=True)
            for row in rows:
                name = str(row["name"]).rstrip("/").rpartition("/")[2]
                if row["type"] == "directory":
                    waiting.append(f"{inside}/{name}")
                elif name:  # object stores may list the folder itself
                    found[f"{inside}/{name}"] = int(row["size"] or 0)
        return found

    def holds(self, stored: Stored) -> bool:
        """True if a file of this name and size is there (its content is not read)."""
        return self.size_of(stored.path) == stored.size

    def size_of(self, path: str) -> int | None:
        """Bytes of a file; None if it is certain that there is none."""
        with self.errors(f"looking for {path}"):
            found = self._info(self.path(path))
        return None if found is None else int(found["size"] or 0)

    def age_s(self, path: str) -> float | None:
        """Seconds since a file was written, by the remote's clock; None if it does not tell."""
        with self.errors(f"looking for {path}"):
            try:
                return time.time() - self.fs.modified(self.path(path)).timestamp()
            except (FileNotFoundError, NotImplementedError, KeyError, AttributeError):
                return None

    def _info(self, path: str) -> dict[str, Any] | None:
        """What the file system knows of a path; None only if it is certain that nothing is there.

        `fs.exists` would not do: it takes every failure, also that of a dead mount, for a no.
        """
        try:
            return self.fs.info(path)
        except FileNotFoundError:
            return None

    # ---- reading ------------------------------------------------------------------------------

    def read(self, path: str, *, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """The bytes of a file, or `size` of them from `offset`; the caller compares their hash.

        Raises:
            DamagedError: The file is missing.
            SyncError: The remote does not answer.
        """
        with self.errors(f"reading {path}"):
            stream = self._open(path)
        with stream:
            left = size
            while left is None or left > 0:
                with self.errors(f"reading {path}"):
                    if offset:
                        stream.seek(offset)
                        offset = 0
                    piece = stream.read(CHUNK if left is None else min(CHUNK, left))
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece

    def read_ranges(self, path: str, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """Small parts (offset, size) of a file, ascending; shorter ones where it is cut.

        Raises:
            DamagedError: The file is missing.
            SyncError: The remote does not answer.
        """
        with self.errors(f"reading {path}"):
            stream = self._open(path)
        with stream:
            for offset, size in ranges:
                with self.errors(f"reading {path}"):
                    stream.seek(offset)
                    piece = stream.read(size)
                yield piece

    def matches(self, stored: Stored, *, on_bytes: OnBytes | None = None) -> bool:
        """Read a file back and compare size and hash."""
        digest, size = hashlib.sha256(), 0
        try:
            for piece in self.read(stored.path):
                digest.update(piece)
                size += len(piece)
                if on_bytes is not None:
                    on_bytes(len(piece))
        except DamagedError:
            return False
        return (digest.hexdigest(), size) == (stored.sha256, stored.size)

    def _open(self, path: str) -> Any:
        try:
            if self.local_root is not None:
                return self.fs.open(self.path(path), "rb")
            return self.fs.open(self.path(path), "rb", block_size=_BLOCK)
        except FileNotFoundError as error:
            sentence = f"{path} is missing on {self.name}; use another copy."
            raise DamagedError(sentence, [path]) from error

    # ---- writing ------------------------------------------------------------------------------

    def write_new(
        self, stored: Stored, chunks: Iterable[bytes], *, on_bytes: OnBytes | None = None
    ) -> None:
        """Write a file under a name that is free, and read it back.

        Args:
            stored: Its path, size and hash.
            chunks: Its bytes.
            on_bytes: Gets the bytes written, then those read back.

        Raises:
            SyncError: The name is taken, writing failed, or what is read back differs.
        """
        full = self.path(stored.path)
        with self.errors(f"copying {stored.path}"):
            self.fs.makedirs(full.rpartition("/")[0], exist_ok=True)
            stream = self._create(full, stored)
            try:
                for chunk in chunks:
                    stream.write(chunk)
                    if on_bytes is not None:
                        on_bytes(len(chunk))
                _sync(stream)
                stream.close()
            except FileExistsError as error:  # object stores notice it at the end
                raise self._taken(stored) from error
            except BaseException:
                self._abandon(stream, full)
                raise
            self.fs.invalidate_cache()
        if not self.matches(stored, on_bytes=on_bytes):
            raise SyncError(
                f"{stored.path} on {self.name} differs from what was written; "
                "nothing here is lost, run push again."
            )

    def _create(self, full: str, stored: Stored) -> Any:
        """A stream into a new file; what is there already is never opened for writing."""
        if self._info(full) is not None:
            raise self._taken(stored)
        try:
            if self.local_root is not None:
                return self.fs.open(full, "xb")
            return self.fs.open(full, "xb", block_size=_BLOCK)
        except FileExistsError as error:
            raise self._taken(stored) from error
        except (ValueError, NotImplementedError):
            # Stores without exclusive creation: the lease keeps others away.
            return self.fs.open(full, "wb", block_size=_BLOCK)

    def _abandon(self, stream: Any, full: str) -> None:
        """Remove a half-written file: it is this program's own, and nobody refers to it yet."""
        try:
            stream.close()
        except FileExistsError:
            return  # somebody else's has the name
        except Exception:  # noqa: BLE001, S110 - the failure that led here is told, not this one
            pass
        with suppress(Exception):
            self.fs.rm_file(full)

    def _taken(self, stored: Stored) -> SyncError:
        return SyncError(f"{stored.path} exists on {self.name} already; run push again.")

    def delete(self, path: str) -> None:
        """Remove a file; it is no error if it is gone already."""
        with self.errors(f"deleting {path}"), suppress(FileNotFoundError):
            self.fs.rm_file(self.path(path))


def _sync(stream: Any) -> None:
    """Force it to the disk where the stream is a file of this machine."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError, NotImplementedError):
        return
    stream.flush()
    os.fsync(descriptor)


def _refuse_file(folder: Path) -> None:
    """Pass unless it, or a folder that it would lie in, is a file."""
    for path in (folder, *folder.parents):
        try:
            is_file = path.is_file()
        except OSError:  # a dead mount; what asks for its content says so
            return
        if is_file:
            raise SyncError(
                f"{path} is a file, so no copies can lie there; give a folder as the remote."
            )
