# pyright: basic
"""The place on the other side: a folder (a mounted Drive) or any fsspec address.

Nothing is overwritten, renamed or deleted here. Every write is read back and compared by hash.
Errors of the mount become one sentence that says what to do.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dflcolab.errors import DFLColabError, FormatError, MissingDependencyError, SyncError
from dflcolab.sync.manifest import FILE_NAME, MAX_BYTES, Manifest, Part, from_json, to_json
from dflcolab.sync.pieces import SourceChangedError

CHUNK = 4 << 20
_GENERATION = re.compile(r"gen-(\d{6,})")
_OFFLINE = {
    errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET,
    errno.ECONNABORTED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPIPE, errno.ENODEV,
}  # fmt: skip


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
            SyncError: The address is not understood.
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
        return cls(filesystem, root, str(address))

    @property
    def local_root(self) -> Path | None:
        """The folder if the remote is one on this machine (a mounted Drive counts), else None."""
        protocol = self.fs.protocol
        names = (protocol,) if isinstance(protocol, str) else tuple(protocol)
        return Path(self.root) if "file" in names or "local" in names else None

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
        except (DFLColabError, SourceChangedError):
            raise
        except OSError as error:
            raise SyncError(self._sentence(error, doing)) from error
        except Exception as error:
            # Cloud back ends raise their own classes; all of them mean "did not work".
            raise SyncError(
                f"{self.name} failed while {doing} ({type(error).__name__}: {error}); "
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

    def generation_numbers(self) -> list[int]:
        """Numbers of all generation folders, finished or not, ascending."""
        with self.errors("listing its copies"):
            self.fs.invalidate_cache()
            if self._info(self.root) is None:
                return []
            names = [str(path).rstrip("/").rpartition("/")[2] for path in self._listed(self.root)]
        found = [_GENERATION.fullmatch(name) for name in names]
        return sorted(int(match[1]) for match in found if match)

    def _listed(self, folder: str) -> Iterable[Any]:
        return self.fs.ls(folder, detail=False)

    def read_manifest(self, number: int) -> Manifest:
        """The manifest of a generation.

        Raises:
            FormatError: It is missing, half-written or damaged.
            SyncError: The remote does not answer.
        """
        stored = f"{generation_name(number)}/{FILE_NAME}"
        with self.errors(f"reading {stored}"):
            try:
                with self.fs.open(self.path(stored), "rb") as stream:
                    data = stream.read(MAX_BYTES + 1)
            except FileNotFoundError as error:
                raise FormatError(
                    f"Copy {number} was never finished (it has no {FILE_NAME})."
                ) from error
        if len(data) > MAX_BYTES:
            raise FormatError(f"The list of copy {number} is too large to be one.")
        manifest = from_json(data, name=f"{self.name}/{stored}")
        if manifest.generation != number:
            raise FormatError(f"The list of copy {number} belongs to copy {manifest.generation}.")
        return manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest and read it back; the generation exists from then on."""
        stored = f"{generation_name(manifest.generation)}/{FILE_NAME}"
        data = to_json(manifest)
        digest = hashlib.sha256(data).hexdigest()
        self.write_new(Part(stored, len(data), digest), [data])

    def start_generation(self, number: int) -> None:
        """Make the folder of a new generation.

        Raises:
            SyncError: Somebody else has just made it.
        """
        folder = self.path(generation_name(number))
        with self.errors("starting a new copy"):
            self.fs.makedirs(self.root, exist_ok=True)
            try:
                self.fs.mkdir(folder, create_parents=False)
            except FileExistsError as error:
                raise SyncError(
                    f"Another runtime is writing copy {number} to {self.name}; wait for it."
                ) from error

    def holds(self, part: Part) -> bool:
        """True if a file of this name and size is there (its content is not read)."""
        with self.errors(f"looking for {part.stored}"):
            found = self._info(self.path(part.stored))
        return found is not None and int(found["size"]) == part.size

    def exists(self, stored: str) -> bool:
        """True if something has this name."""
        with self.errors(f"looking for {stored}"):
            return self._info(self.path(stored)) is not None

    def _info(self, path: str) -> dict[str, Any] | None:
        """What the file system knows of a path; None only if it is certain that nothing is there.

        `fs.exists` would not do: it takes every failure, also that of a dead mount, for a no.
        """
        try:
            return self.fs.info(path)
        except FileNotFoundError:
            return None

    def matches(self, part: Part, *, advance: Callable[[int], None] | None = None) -> bool:
        """Read a file back and compare size and hash."""
        return self._hash(part.stored, advance) == (part.sha256, part.size)

    def _hash(self, stored: str, advance: Callable[[int], None] | None) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with self.errors(f"reading {stored} back"):
            try:
                stream = self.fs.open(self.path(stored), "rb")
            except FileNotFoundError:
                return "", -1
            with stream:
                while piece := stream.read(CHUNK):
                    digest.update(piece)
                    size += len(piece)
                    if advance is not None:
                        advance(len(piece))
        return digest.hexdigest(), size

    def write_new(self, part: Part, chunks: Iterable[bytes]) -> None:
        """Write a file under a name that is free, and read it back.

        Raises:
            SyncError: The name is taken, writing failed, or what is read back differs.
        """
        full = self.path(part.stored)
        with self.errors(f"copying {part.stored}"):
            if self._info(full) is not None:
                raise SyncError(f"{part.stored} exists on {self.name} already; run push again.")
            self.fs.makedirs(full.rpartition("/")[0], exist_ok=True)
            with self.fs.open(full, "wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                _sync(stream)
            self.fs.invalidate_cache()
        if not self.matches(part):
            raise SyncError(
                f"{part.stored} on {self.name} differs from what was written; "
                "nothing here is lost, run push again."
            )

    def chunks(self, part: Part) -> Iterator[bytes]:
        """The bytes of a file; the caller compares their hash."""
        with self.errors(f"reading {part.stored}"):
            stream = self.fs.open(self.path(part.stored), "rb")
        with stream:
            while True:
                with self.errors(f"reading {part.stored}"):
                    piece = stream.read(CHUNK)
                if not piece:
                    return
                yield piece


def generation_name(number: int) -> str:
    """`gen-000001`."""
    return f"gen-{number:06d}"


def _sync(stream: Any) -> None:
    """Force it to the disk where the stream is a file of this machine."""
    stream.flush()
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError, NotImplementedError):
        return
    os.fsync(descriptor)
