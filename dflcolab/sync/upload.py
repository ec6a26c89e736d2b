# pyright: strict
"""Write the objects of a push, several at a time, and remember those that are finished.

A push that was interrupted, or has to be planned again since the workspace changed, refers to what
it wrote before: by the list that this machine keeps, or, on another machine, by the name, which is
the hash.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar, cast

from dflcolab.errors import SyncError
from dflcolab.progress import Progress, Task
from dflcolab.sync.manifest import Span, Stored
from dflcolab.sync.memory import Memory
from dflcolab.sync.remote import Remote
from dflcolab.sync.streams import Stream
from dflcolab.sync.travelling import SourceChangedError

_REUSE_S = 12 * 3600.0  # half of what an object that no list names is given before it goes
_Piece = tuple[str, int, int, int, int]
"""Hash and size of a file; where a piece of it begins, there and in the object; its size."""

T = TypeVar("T")
R = TypeVar("R")


class Meter:
    """Counts the bytes of several threads as megabytes of one task, and carries the wish to stop."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self._task = task
        self._progress = progress
        self._lock = threading.Lock()
        self._bytes = 0
        self.failed = threading.Event()

    def add(self, n_bytes: int) -> None:
        """Count; called by any thread.

        Raises:
            Interrupted: The user asked to stop.
            SyncError: Another thread failed: what this one does is not needed any more.
        """
        self._progress.raise_if_stopped()
        if self.failed.is_set():
            raise SyncError("The copy was given up; run the same step again.")
        with self._lock:
            before = self._bytes >> 20
            self._bytes += n_bytes
            self._task.advance((self._bytes >> 20) - before)


def in_parallel(
    items: Sequence[T], work: Callable[[T, Meter], R], *, n_threads: int, meter: Meter
) -> list[R]:
    """`work` on each item by several threads; the results in the order of the items.

    Raises:
        Exception: The first that a thread raised, once all have stopped.
    """
    with ThreadPoolExecutor(n_threads) as pool:
        running = [pool.submit(work, item, meter) for item in items]
        failed: list[Future[R]] = []
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            failed = [future for future in running if future in done and future.exception()]
        finally:
            if not all(future.done() for future in running):
                meter.failed.set()
                for future in running:
                    future.cancel()
    if failed:
        raise cast(BaseException, failed[0].exception())
    return [future.result() for future in running]


class Uploads:
    """Objects that this machine has written to a remote and no generation names yet.

    Args:
        memory: Where the list is kept.
        remote: Where the objects are.
    """

    def __init__(self, memory: Memory, remote: Remote) -> None:
        self._path: Path = memory.folder / "uploads.jsonl"
        self._remote = remote
        self._lock = threading.Lock()

    def add(self, stored: Stored, stream: Stream) -> None:
        """Remember a finished object."""
        row = {
            "remote": self._remote.name,
            "object": [stored.path, stored.size, stored.sha256],
            "files": [[m.sha256, m.file.size, m.start, m.offset, m.size] for m in stream.members],
        }
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream_out:
                stream_out.write(json.dumps(row) + "\n")

    def known(
        self, damaged: Collection[str] = ()
    ) -> tuple[dict[str, Stored], dict[str, tuple[Span, ...]]]:
        """Objects that are still there, by path, and where the whole files are in them, by hash.

        Args:
            damaged: Objects that are left out.
        """
        objects: dict[str, Stored] = {}
        pieces: dict[tuple[str, int], dict[int, Span]] = {}
        for stored, files in self._rows():
            if stored.path in damaged or not self._remote.holds(stored):
                continue
            if not _is_young(self._remote, stored.path):
                continue
            objects[stored.path] = stored
            for digest, file_size, start, offset, size in files:
                found = pieces.setdefault((digest, file_size), {})
                found[start] = Span(stored.path, offset, size)
        spans: dict[str, tuple[Span, ...]] = {}
        for (digest, file_size), found in pieces.items():
            ordered = tuple(found[start] for start in sorted(found))
            # Pieces may have been cut in two ways: only those that fit together are of use.
            ends = [start + found[start].size for start in sorted(found)]
            if [0, *ends] == [*sorted(found), file_size]:
                spans[digest] = ordered
        return objects, spans

    def clear(self) -> None:
        """Forget them: a generation names them now, or they are not to be trusted."""
        self._path.unlink(missing_ok=True)

    def _rows(self) -> Iterator[tuple[Stored, list[_Piece]]]:
        """The objects of this remote; a line that is cut off or damaged counts for nothing."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                row: Any = json.loads(line)
                if row["remote"] != self._remote.name:
                    continue
                path, size, sha256 = row["object"]
                stored = Stored(str(path), int(size), str(sha256))
                files = [(str(digest), *map(int, numbers)) for digest, *numbers in row["files"]]
            except (ValueError, KeyError, TypeError):
                continue
            yield stored, [piece for piece in files if len(piece) == 5]


def write_stream(
    remote: Remote, stream: Stream, *, number: int, uploads: Uploads, meter: Meter
) -> Stored:
    """Write a stream under a fresh name; what an interrupted push left whole is used.

    Args:
        remote: Where to.
        stream: The bytes.
        number: Of the generation that is being made, for readable names.
        uploads: Gets the finished object.
        meter: Counts the bytes, three times: hashed, written, read back.

    Raises:
        SourceChangedError: A file of it changed since it was hashed.
        SyncError: The remote does not answer, is full, or gave back other bytes.
    """
    digest = stream.sha256(on_bytes=meter.add)
    names = stream.names(digest, number)
    for name in names:
        stored = Stored(name, stream.size, digest)
        size = remote.size_of(name)
        if size is None:
            remote.write_new(stored, _checked(stream, digest), on_bytes=meter.add)
        elif not (
            size == stream.size
            and _is_young(remote, name)
            and remote.matches(stored, on_bytes=meter.add)
        ):
            continue
        uploads.add(stored, stream)
        return stored
    raise SyncError(
        f"{remote.name} holds too many broken files named {names[0]}; choose another folder."
    )


def _is_young(remote: Remote, path: str) -> bool:
    """False for an object so old that another machine may be removing it: no list may name it."""
    age_s = remote.age_s(path)
    return age_s is None or age_s < _REUSE_S


def _checked(stream: Stream, digest: str) -> Iterator[bytes]:
    """The bytes of a stream; ends with an error if they are not those that were hashed before."""
    found = hashlib.sha256()
    for chunk in stream.chunks():
        found.update(chunk)
        yield chunk
    if found.hexdigest() != digest:
        raise SourceChangedError(stream.title)
