"""The faulty store for programs that are really killed: Google's side is a folder on the disk.

The mount (`FaultyStore`, with its write-back cache and its faults) lives in the program that is killed,
so what was not uploaded is lost with it. That is harsher than a Drive, whose mount outlives a program.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any
from unittest import mock

from dflcolab.sync import generations
from dflcolab.sync.proof import Proof
from dflcolab.sync.remote import Remote
from tests.sync.faults import Fault, Strike
from tests.sync.faulty import Cloud, FaultyStore

ADDRESS = "faulty://shelf"
_FAULTS = (Fault.EIO, Fault.NOT_CONNECTED, Fault.FULL, Fault.QUOTA, Fault.DROPPED, Fault.STALE,
           Fault.TORN, Fault.LATE)  # fmt: skip
"""Those that a program can notice. Uploads that the Drive reports and never makes (LOST, CUT, FLIPPED)
are the property test's: no program can acknowledge only what it cannot see."""


class _Stored:
    """A file whose size is known without reading it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size


class Folder(MutableMapping[str, Any]):
    """Files of a folder by their paths; an upload is there whole or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def __getitem__(self, path: str) -> bytes:
        try:
            return (self._root / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise KeyError(path) from error

    def __setitem__(self, path: str, data: bytes) -> None:
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        half = self._root / f".{os.getpid()}.half"
        half.write_bytes(data)
        half.replace(place)

    def __delitem__(self, path: str) -> None:
        (self._root / path).unlink()

    def __contains__(self, path: object) -> bool:
        return (self._root / str(path)).is_file()

    def __iter__(self) -> Iterator[str]:
        for parent, _, names in os.walk(self._root):
            for name in names:
                if not name.startswith("."):
                    yield (Path(parent) / name).relative_to(self._root).as_posix()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def items(self) -> Any:
        return [(path, _Stored(self._root / path)) for path in self]

    def values(self) -> Any:
        return [size for _, size in self.items()]


class _Mounted(Remote):
    """The mount as a remote: one transfer at a time, and proofs as a Drive gives them."""

    n_parallel = 1

    def proof(self, stored: Iterable[str]) -> Proof:
        waits = not all(self.fs.is_uploaded(self.path(path)) for path in stored)
        return Proof.HANDED_TO_DRIVE if waits else Proof.UPLOADED


def mount(folder: Path, rng: random.Random) -> FaultyStore:
    """Let this program find the faulty store at `ADDRESS`; half of the mounts have faults planned."""
    cloud = Cloud(Folder(folder))
    plan = [
        Strike(rng.randrange(400), rng.choice(_FAULTS))
        for _ in range(rng.choice((0, 0, 1, 2, 3)))
    ]  # fmt: skip
    store = cloud.client(plan=plan, delay=rng.choice((0, 5, 40)), staleness=rng.choice((0, 10)))
    original = Remote.open.__func__

    def opened(cls: type[Remote], address: str | Path) -> Remote:
        if str(address) == ADDRESS:
            return _Mounted(store, "shelf", ADDRESS)
        return original(cls, address)

    Remote.open = classmethod(opened)  # type: ignore[assignment, method-assign]
    mock.patch.object(generations, "proof_of", _Mounted.proof).start()
    return store
