# pyright: strict
"""The folder through which a job and those who watch it talk: `.job` in the workspace.

Files instead of pipes: a pipe breaks with the kernel, and whoever opens the page anew would find
nothing. The folder holds what the job was asked to do, which process does it, its events (one JSON
object per line), its last picture, what its libraries printed, and an empty file for each wish.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dflcolab.errors import StorageError
from dflcolab.files import read_facts, storage_errors, write_bytes, write_text
from dflcolab.progress import Wish

STOP = "stop"
"""The wish that ends everything, besides those of `Wish`."""

_LIMIT_BYTES = 256 << 10
_KEPT_MESSAGES = 100
_TAIL_BYTES = 4000

Event = Mapping[str, Any]
"""`n` (from 1, rising), `at` (seconds since 1970), `kind`, and what belongs to the kind.

`task`: `title`, `done`, `total`, `unit`, `rate` per second · `message`: `text` · `losses`: `iteration`,
`src`, `dst`, or of masks `loss` · `look`: `iteration`, `losses` by "<side>/<group>/loss" · `verdict`:
`verdicts` with `call`, `evidence`, `advice` · `phase`: `phase`, `following` · `saved`: `iteration`, `proof` · `copy`: `sentence`,
`iteration`, `proof`, … · `picture`: `iteration` · `deadline`: `seconds` from now · `gpu`: `used_mib`,
`total_mib` · at the end `end`: `report`, `summary`, or `failed`: `error`, `sentence`, `details`.
"""


class JobFiles:
    """The files of a workspace's job.

    Args:
        root: The workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".job"
        self.events = self.folder / "events.jsonl"
        self.picture = self.folder / "preview.jpg"
        self.output = self.folder / "output.txt"
        self._request = self.folder / "request.json"
        self._process = self.folder / "process.json"
        self._wishes = self.folder / "wishes"

    def begin(self, request: Mapping[str, Any]) -> None:
        """Clear away the last job, and say what the next one is to do.

        Raises:
            StorageError: The disk is full, read-only or gone.
        """
        with storage_errors(self.folder):
            self._wishes.mkdir(parents=True, exist_ok=True)
            for path in (self.events, self.picture, self.output, self._process):
                path.unlink(missing_ok=True)
            for path in self._wishes.iterdir():
                path.unlink(missing_ok=True)
        write_text(self._request, json.dumps(request))

    def request(self) -> dict[str, Any]:
        """What the job is to do; `{}` if there is none."""
        return read_facts(self._request)

    def note_process(self, pid: int, created: float) -> None:
        """Remember which process does it.

        Args:
            pid: Its number.
            created: When the system says that it began: numbers are used again.
        """
        write_text(self._process, json.dumps({"pid": pid, "created": created}))

    def process(self) -> tuple[int, float] | None:
        """Number and time of the process that did it last; None if that is not known."""
        found = read_facts(self._process)
        try:
            return int(found["pid"]), float(found["created"])
        except (KeyError, TypeError, ValueError):
            return None

    def make_wish(self, wish: Wish | str) -> None:
        """Ask the job for something; asking twice before it was heard is asking once.

        Raises:
            StorageError: The disk is full, read-only or gone.
        """
        with storage_errors(self._wishes):
            (self._wishes / str(wish)).touch()

    def take_wishes(self) -> list[str]:
        """What was asked for since."""
        try:
            names = sorted(path.name for path in self._wishes.iterdir())
            for name in names:
                (self._wishes / name).unlink(missing_ok=True)
        except OSError:
            return []
        return names

    def output_end(self) -> str:
        """The last lines of what the job's libraries printed."""
        try:
            with self.output.open("rb") as stream:
                stream.seek(max(0, self.output.stat().st_size - _TAIL_BYTES))
                return stream.read().decode(errors="replace").strip()
        except OSError:
            return ""


class EventLog:
    """Writes the events of a job, from any thread and from signal handlers.

    The file stays small: beyond 256 kB only the last messages stay, and the latest event of each
    other kind. A full disk loses events and ends nothing.

    Args:
        path: The file; an old one is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._n = 0
        self._latest: dict[str, Event] = {}
        self._messages: list[Event] = []
        self._size = 0
        self._write_anew()

    def write(self, kind: str, **values: object) -> None:
        """Add an event."""
        with self._lock:
            self._n += 1
            event: Event = {"n": self._n, "at": time.time(), "kind": kind, **values}
            if kind == "message":
                self._messages = [*self._messages[1 - _KEPT_MESSAGES :], event]
            else:
                self._latest[kind] = event
            line = _line(event)
            try:
                # Not through a buffered stream: a signal may come in the middle of this.
                handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                try:
                    os.write(handle, line)
                finally:
                    os.close(handle)
            except OSError:
                return
            self._size += len(line)
            if self._size > _LIMIT_BYTES:
                self._write_anew()

    def _write_anew(self) -> None:
        kept = sorted([*self._messages, *self._latest.values()], key=lambda event: event["n"])
        data = b"".join(map(_line, kept))
        try:
            write_bytes(self._path, data, durable=False)
        except (StorageError, OSError):
            return
        self._size = len(data)


def _line(event: Event) -> bytes:
    return json.dumps(event).encode() + b"\n"


class EventReader:
    """Reads events as they come, also when the file was shortened in between.

    Args:
        path: The file; it may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._inode = 0
        self._last = 0

    def news(self) -> list[dict[str, Any]]:
        """The events since the last call, in order."""
        try:
            with self._path.open("rb") as stream:
                found = os.fstat(stream.fileno())
                if found.st_ino != self._inode or found.st_size < self._offset:
                    self._inode, self._offset = found.st_ino, 0
                stream.seek(self._offset)
                data = stream.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        fresh = [event for event in _events(whole.splitlines()) if event["n"] > self._last]
        if fresh:
            self._last = fresh[-1]["n"]
        return fresh


def _events(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    """The events in lines; those that a full disk cut off are left out."""
    for line in lines:
        try:
            event = dict(json.loads(line))
        except (ValueError, TypeError):
            continue
        if isinstance(event.get("n"), int) and isinstance(event.get("kind"), str):
            yield event
