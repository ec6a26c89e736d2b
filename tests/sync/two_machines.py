"""Two machines, one Drive: the world in which `test_store_properties` tries to lose something."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from dflcolab.sync import generations, holder, lease, memory, prune, push, remote, waiting
from dflcolab.sync.lease import Lease
from dflcolab.sync.memory import Memory
from dflcolab.sync.proof import Proof
from dflcolab.sync.remote import Remote
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Workspace
from tests.sync.faults import Strike
from tests.sync.faulty import Cloud, FaultyStore

Contents = dict[str, bytes]
PATHS = (
    "data_src/aligned/00001_0.jpg",
    "data_src/aligned/00002_0.jpg",
    "data_dst/aligned/00001_0.jpg",
    "model/m/ckpt-000000010/weights.safetensors",
    "result.mp4",
    "history/run/report.html",
)
# Two of one size: a name and a size do not tell them apart.
DATA = (b"red", b"sky", b"a long one " * 150)


class OneAtATime(Remote):
    """Transfers one by one, so that a plan of faults replays."""

    n_parallel = 1

    def proof(self, stored: Iterable[str]) -> Proof:
        """As of a Drive mount: what was written may still be waiting here."""
        waits = not all(self.fs.is_uploaded(self.path(path)) for path in stored)
        return Proof.HANDED_TO_DRIVE if waits else Proof.UPLOADED


class Machine:
    """A computer with a workspace and a mount; `lose` replaces it by an empty one."""

    def __init__(self, name: str, store: FaultyStore, folder: Path) -> None:
        self.name, self.store, self._folder = name, store, folder
        self.lives = 0
        self.lose()

    @property
    def host(self) -> str:
        """What the operating system calls it."""
        return f"{self.name}-{self.lives}"

    @property
    def remote(self) -> Remote:
        return OneAtATime(self.store, "shelf", "shelf")

    @property
    def client(self) -> str:
        """Its short name among the writers."""
        return Memory(self.root).client

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.root)

    def lose(self) -> None:
        """The machine is gone; another one takes its name, with nothing on it but a new workspace."""
        self.lives += 1
        self.root = self._folder / self.host
        self.root.mkdir()
        write_settings(self.root, WorkspaceSettings(name="test"))

    def edit(self, path: str, data: bytes | None) -> None:
        """Write a file of the workspace, or remove it."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            place.unlink(missing_ok=True)
        else:
            place.write_bytes(data)

    def contents(self) -> Contents:
        """What travels of its workspace."""
        return contents_of(self.root)


def contents_of(root: Path) -> Contents:
    return {path: (root / path).read_bytes() for path in PATHS if (root / path).exists()}


class World:
    """Cloud, clock and machines; the program's random names and its clock are ours here."""

    def __init__(self, *, delay: int, staleness: int) -> None:
        self.now = 1e9
        self.cloud = Cloud(clock=lambda: self.now)
        self.acting: Machine | None = None
        self.meanwhile: Callable[[], None] | None = None
        self._stack = ExitStack()
        shared = Path("/dev/shm")
        parent = shared if shared.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="two-machines-", dir=parent))
        self._stack.callback(shutil.rmtree, self.folder)
        self._numbers = itertools.count(1)
        self._patch()
        self.machines = [
            Machine(name, self._store(delay, staleness), self.folder)
            for name in ("first", "second")
        ]

    def _store(self, delay: int, staleness: int) -> FaultyStore:
        return self.cloud.client(delay=delay, staleness=staleness, sleep=self._hang)

    def _hang(self, seconds: float) -> None:
        """While one call hangs, the other machine goes on, once."""
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    def _patch(self) -> None:
        enter = self._stack.enter_context
        enter(mock.patch.object(holder.platform, "node", self._node))
        enter(mock.patch.object(memory.secrets, "token_hex", self._token))
        enter(mock.patch.object(lease.random, "uniform", lambda low, high: low))
        options = {"clock": lambda: self.now, "sleep": self._sleep}
        for module in (remote, waiting):
            enter(mock.patch.object(module, "time", SimpleNamespace(time=lambda: self.now)))
        enter(mock.patch.object(prune, "shows_late", return_value=True))
        enter(mock.patch.object(generations, "proof_of", OneAtATime.proof))
        enter(mock.patch.object(push, "datetime", SimpleNamespace(now=self._datetime)))
        enter(mock.patch.dict(Lease.acquire.__func__.__kwdefaults__, options))

    def _datetime(self, zone: tzinfo) -> datetime:
        return datetime.fromtimestamp(self.now, zone)

    def _node(self) -> str:
        return self.acting.host if self.acting else "nobody"

    def _token(self, n_bytes: int) -> str:
        return f"{next(self._numbers):0{2 * n_bytes}x}"[-2 * n_bytes :]

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def pass_time(self, seconds: float) -> None:
        """Long enough, and every mount shows what is there."""
        self.now += seconds
        for machine in self.machines:
            machine.store.look_again()

    @contextmanager
    def at(self, machine: Machine, plan: Sequence[Strike] = ()) -> Iterator[None]:
        """Act on a machine; faults strike by the plan, and not any more afterwards."""
        before, self.acting = self.acting, machine
        machine.store.follow(plan)
        try:
            yield
        finally:
            self.acting = before
            if not machine.store.dead:
                machine.store.follow(())

    def fresh_folder(self) -> Path:
        """An empty machine's disk."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def close(self) -> None:
        self._stack.close()
