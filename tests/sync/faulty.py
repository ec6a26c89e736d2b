"""A double of Google Drive as its Colab mount shows it, with all that goes wrong there.

`Cloud` is Google's side. Each `FaultyStore` is one machine's mount of it: an fsspec file system
(protocol "faulty") with a write-back cache of its own. What a machine writes it sees at once; the
cloud gets it `delay` calls later, or when flushed, or never. What others wrote it sees late. Two
machines that write one name leave `x` and `x (1)`. Deleted files count against the quota until the bin
is emptied.

Time is the number of calls, so that a failure replays: a plan says at which call of a client which
`Fault` strikes. `mounted_folder.py` shows the same as a plain folder to code that opens paths.
"""

from __future__ import annotations

import errno
import io
import os
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fsspec
from fsspec.spec import AbstractFileSystem

from tests.sync.faults import OF_WRITES, STALE_CALLS, Fault, Killed, Strike


class Cloud:
    """Google's side: what every machine would see in the end.

    Args:
        files: Where the bytes are: a dictionary, or `fsspec.get_mapper(folder)` for several
            processes.
        quota: Bytes that files and bin together may have.
        clock: Seconds; when files are written.
    """

    def __init__(
        self,
        files: MutableMapping[str, bytes] | None = None,
        *,
        quota: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.files: MutableMapping[str, bytes] = {} if files is None else files
        self.quota = quota
        self.clock = clock
        self.written: dict[str, float] = {}
        self.bin_bytes = 0
        self.turn = 0
        self.lock = threading.RLock()

    def client(self, **options: Any) -> FaultyStore:
        """A machine that mounts it."""
        return FaultyStore(self, **options)

    def put(self, path: str, data: bytes, *, over: str | None) -> str:
        """Store a file; without `over` a taken name becomes `x (1)`. Returns the name it got."""
        if over is not None:
            self.delete(over)
            path = over
        stem, suffix = os.path.splitext(path)
        name, n = path, 0
        while name in self.files:
            n += 1
            name = f"{stem} ({n}){suffix}"
        self.files[name], self.written[name] = data, self.clock()
        return name

    def delete(self, path: str) -> None:
        """Move a file to the bin, where it goes on counting."""
        data = self.files.pop(path, None)
        self.bin_bytes += len(data or b"")

    @property
    def used_bytes(self) -> int:
        return sum(len(data) for data in self.files.values()) + self.bin_bytes


@dataclass
class _Pending:
    """A write (or a deletion, data None) on its way to the cloud.

    `seen` says that another file of this name was seen here when it was made: that one is replaced.
    """

    path: str
    data: bytes | None
    due: float
    seen: bool
    lost: bool = False


class FaultyStore(AbstractFileSystem):
    """One machine's mount.

    Args:
        cloud: What it mounts.
        plan: Which fault strikes at which call.
        delay: Calls (of all machines) until a write reaches the cloud.
        staleness: Calls for which a listing is kept.
        hang_s: Length of a hang.
        sleep: How it hangs.
    """

    protocol = "faulty"
    cachable = False
    root_marker = ""

    def __init__(
        self,
        cloud: Cloud | None = None,
        *,
        plan: Sequence[Strike] = (),
        delay: int = 0,
        staleness: int = 0,
        hang_s: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cloud = cloud or Cloud()
        self.delay, self.staleness = delay, staleness
        self.hang_s, self._sleep = hang_s, sleep
        self.log: list[str] = []
        self.dead = False
        self.follow(plan)
        self.remount()

    def follow(self, plan: Sequence[Strike]) -> None:
        """Forget the old plan; the numbers of the new one count from the next call."""
        self._plan = [[strike.at, strike] for strike in plan]
        self._for_writes: list[Strike] = []

    def flush(self) -> None:
        """Bring everything written to the cloud; what is LOST stays lost."""
        with self.cloud.lock:
            self._upload(float("inf"))

    def is_uploaded(self, path: str) -> bool:
        """What the mount says of a file; LOST ones are said to be uploaded, too."""
        return not any(pending.path == path for pending in self._queue)

    def remount(self) -> None:
        """Mount anew: what was not uploaded is gone, and the cloud is seen as it is."""
        with self.cloud.lock:
            self._dropped = False
            self._queue: list[_Pending] = []
            self._own: dict[str, bytes] = {}
            self._gone: set[str] = set()
            self._stored_as: dict[str, str] = {}
            self._dirs: set[str] = set()
            self._stale_until = 0
            self.look_again()

    def look_again(self) -> None:
        """List the cloud anew."""
        self._listed = {path: len(data) for path, data in self.cloud.files.items()}
        self._looked_at = self.cloud.turn

    def restart(self, *, machine_lost: bool) -> None:
        """A killed program starts again, on the same machine (its cache lives on) or a new one."""
        self.dead = False
        self.follow(())
        if machine_lost:
            self.remount()

    # Calls of fsspec

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        stripped = super()._strip_protocol(path)
        return stripped.lstrip("/") if isinstance(stripped, str) else stripped

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        path = self._strip_protocol(path)
        with self._call("ls", path):
            sizes = self._sizes()
            if path in sizes:
                children = {path: sizes[path]}
            else:
                self._must_be_folder(path, sizes)
                inside = f"{path}/" if path else ""
                children = {}
                for name, size in [*sizes.items(), *((folder, -1) for folder in self._dirs)]:
                    if name.startswith(inside) and name != path:
                        head, _, rest = name[len(inside) :].partition("/")
                        children[inside + head] = -1 if rest else size
        found = [_entry(name, size) for name, size in sorted(children.items())]
        return found if detail else [entry["name"] for entry in found]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        with self._call("info", path):
            sizes = self._sizes()
            if path not in sizes:
                self._must_be_folder(path, sizes)
            return _entry(path, sizes.get(path, -1))

    def modified(self, path: str) -> datetime:
        path = self._strip_protocol(path)
        with self._call("modified", path):
            if path not in self._sizes():
                raise _error(errno.ENOENT, path)
            written = self.cloud.written.get(path, self.cloud.clock())
            return datetime.fromtimestamp(written, UTC)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        path = self._strip_protocol(path)
        with self._call("mkdir", path):
            if not exist_ok and path in self._dirs:
                raise _error(errno.EEXIST, path)
            self._add_folder(path)

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        self.makedirs(path, exist_ok=False)

    def rm_file(self, path: str) -> None:
        path = self._strip_protocol(path)
        with self._call("rm", path):
            if path in self._dirs:
                self._dirs.remove(path)
                return
            if path not in self._sizes():
                raise _error(errno.ENOENT, path)
            seen = path in self._listed and path not in self._gone
            self._own.pop(path, None)
            self._gone.add(path)
            self._send(_Pending(path, None, self.cloud.turn + self.delay, seen))

    _rm = rm_file

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        path = self._strip_protocol(path)
        with self._call(f"open {mode}", path):
            known = path in self._sizes()
            if mode == "rb":
                data = self._own.get(path, self.cloud.files.get(path) if known else None)
                if data is None:
                    raise _error(errno.ENOENT, path)
                return _Reading(self, path, data)
            if mode not in ("wb", "xb"):
                raise ValueError(f"files here are immutable; mode {mode} is not offered")
            if mode == "xb" and known:
                raise _error(errno.EEXIST, path)
            return _Writing(self, path)

    # What a mount does

    def _call(self, what: str, path: str) -> Any:
        """One step of time: the planned fault strikes, uploads that are due arrive. Holds the lock."""
        with self.cloud.lock:
            if self.dead:
                raise Killed
            self.cloud.turn += 1
            strike = self._next_strike(path)
            fault = strike.fault if strike else None
            self.log.append(f"{what} {path}" + (f" {fault.name}" if fault else ""))
        if fault is Fault.HANG:
            self._sleep(self.hang_s)
        with self.cloud.lock:
            if fault is Fault.CRASH:
                self.dead = True
                raise Killed
            if strike is not None and fault in OF_WRITES:
                self._for_writes.append(strike)
            elif fault is Fault.STALE:
                self._stale_until = self.cloud.turn + STALE_CALLS
            self._dropped = self._dropped or fault is Fault.DROPPED
            if self._dropped:
                raise _error(errno.ENOTCONN, path)
            if fault is not None and fault.is_error:
                raise _error(fault.value, path)
            self._upload(self.cloud.turn)
            turn = self.cloud.turn
            if turn >= self._stale_until and turn - self._looked_at >= self.staleness:
                self.look_again()
        return self.cloud.lock

    def _next_strike(self, path: str) -> Strike | None:
        """Count down whatever waits for calls on this path; the first at zero strikes."""
        found = None
        for row in [row for row in self._plan if row[1].on in path]:
            if row[0] == 0 and found is None:
                found = row[1]
                self._plan.remove(row)
            else:
                row[0] = max(0, row[0] - 1)
        return found

    def _commit(self, path: str, data: bytes) -> None:
        """A file was closed: this machine sees it from now on, the cloud later or never."""
        with self.cloud.lock:
            if self.dead or self._dropped:
                return
            quota, pending = self.cloud.quota, sum(len(one.data or b"") for one in self._queue)
            if quota is not None and self.cloud.used_bytes + pending + len(data) > quota:
                raise _error(errno.EDQUOT, path)
            strike = next((one for one in self._for_writes if one.on in path), None)
            fault = strike.fault if strike else None
            if strike is not None:
                self._for_writes.remove(strike)
            half = data[: len(data) // 2]
            seen = path in self._listed and path not in self._gone
            self._own[path] = half if fault is Fault.TORN else data
            self._add_folder(path.rpartition("/")[0])
            self._gone.discard(path)
            due = float("inf") if fault is Fault.LATE else self.cloud.turn + self.delay
            sent = half if fault in (Fault.TORN, Fault.CUT) else data
            if fault is Fault.FLIPPED and data:
                at = min(512, len(data) - 1)  # in a pack, the first byte after a header
                sent = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            self._send(_Pending(path, sent, due, seen, lost=fault is Fault.LOST))
            if fault is Fault.TORN:
                raise _error(errno.EIO, path)

    def _send(self, pending: _Pending) -> None:
        self._queue.append(pending)
        self._upload(self.cloud.turn)

    def _upload(self, until: float) -> None:
        """Everything due goes to the cloud, in the order of writing."""
        due = [pending for pending in self._queue if pending.due <= until]
        self._queue = [pending for pending in self._queue if pending.due > until]
        for pending in due:
            over = self._stored_as.get(pending.path, pending.path if pending.seen else None)
            if pending.lost:
                continue
            if pending.data is None:
                if over is not None:
                    self.cloud.delete(over)
                self._stored_as.pop(pending.path, None)
            else:
                self._stored_as[pending.path] = self.cloud.put(
                    pending.path, pending.data, over=over
                )

    def _sizes(self) -> dict[str, int]:
        """What this machine sees: its own writes, and the cloud as it last looked."""
        mine = set(self._stored_as.values()) - set(self._stored_as)
        seen = {
            path: size
            for path, size in self._listed.items()
            if path not in self._gone and path not in mine
        }
        return seen | {path: len(data) for path, data in self._own.items()}

    def _add_folder(self, path: str) -> None:
        while path:
            self._dirs.add(path)
            path = path.rpartition("/")[0]

    def _must_be_folder(self, path: str, sizes: Mapping[str, int]) -> None:
        inside = f"{path}/"
        if path and path not in self._dirs and not any(name.startswith(inside) for name in sizes):
            raise _error(errno.ENOENT, path)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def _entry(name: str, size: int) -> dict[str, Any]:
    return {"name": name, "size": max(size, 0), "type": "directory" if size < 0 else "file"}


class _Reading(io.BytesIO):
    def __init__(self, store: FaultyStore, path: str, data: bytes) -> None:
        super().__init__(data)
        self._store, self._path = store, path

    def read(self, size: int | None = -1) -> bytes:
        with self._store._call("read", self._path):
            return super().read(size)


class _Writing(io.BytesIO):
    def __init__(self, store: FaultyStore, path: str) -> None:
        super().__init__()
        self._store, self._path = store, path

    def write(self, data: Any) -> int:
        with self._store._call("write", self._path):
            return super().write(data)

    def close(self) -> None:
        if not self.closed:
            data = self.getvalue()
            super().close()
            self._store._commit(self._path, data)


fsspec.register_implementation("faulty", FaultyStore, clobber=True)
