# pyright: strict
"""What this machine remembers of its copies, in the hidden folder `.sync` of the workspace.

Who it is among the writers of a remote, which generation its workspace grew out of, and the hashes
of files that did not change since. All of it can be lost without harm: a new name, a comparison by
content, and some reading make up for it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
import time
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import SyncError
from dflcolab.files import exclusive, read_facts, write_text
from dflcolab.sync.manifest import FileEntry, Manifest
from dflcolab.sync.travelling import LocalFile
from dflcolab.workspace.placing import HIDDEN, lock_path

_ANCESTORS = 1000
_RACY_NS = 2_000_000_000  # a file changed again within the clock's grain may look unchanged


@dataclass(frozen=True)
class Base:
    """The generation that a workspace holds, or has been worked on from.

    Attributes:
        name: Its name; "" for none.
        ancestors: Names of those before it, newest first.
    """

    name: str = ""
    ancestors: tuple[str, ...] = ()

    @classmethod
    def of(cls, manifest: Manifest) -> Base:
        """That generation."""
        return cls(str(manifest.name), manifest.ancestors)

    @property
    def line(self) -> tuple[str, ...]:
        """Ancestors of what is pushed next."""
        return (self.name, *self.ancestors)[:_ANCESTORS] if self.name else ()


class Memory:
    """Facts about a workspace's copies that stay on this machine.

    Args:
        root: The workspace.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / HIDDEN
        known = read_facts(self.folder / "state.json")
        here = platform.node()
        client = known.get("client")
        # A copied folder on another machine is another writer.
        if not isinstance(client, str) or len(client) != 8 or known.get("machine") != here:
            client = secrets.token_hex(4)
        self.client: str = client
        self._state: dict[str, Any] = {**known, "client": client, "machine": here}
        self._is_new = self._state != known

    @property
    def unused_since(self) -> Path:
        """File for since when objects of remotes have been unused."""
        return self.folder / "unused.json"

    @property
    def sightings(self) -> Path:
        """File for what was seen of a lease's holder."""
        return self.folder / "sightings.json"

    def base(self, remote: str) -> Base:
        """What the workspace grew out of among the generations of a remote."""
        bases = self._state.get("bases")
        found = cast(dict[str, Any], bases).get(remote) if isinstance(bases, dict) else None
        names = _texts(found)
        return Base(names[0], tuple(names[1:])) if names else Base()

    def set_base(self, remote: str, base: Base) -> None:
        """Remember it; the newest three remotes are kept."""
        bases = dict(self._state.get("bases") or {})
        bases.pop(remote, None)
        bases[remote] = list(base.line)
        self._state["bases"] = dict(list(bases.items())[-3:])
        self._state.pop("writing", None)
        self.write("state.json", self._state)
        self._is_new = False

    def note_choice(self, name: str) -> None:
        """Remember that the user went back to this generation; "" that there was no such wish."""
        self._state["restored"] = name
        self.write("state.json", self._state)
        self._is_new = False

    def is_choice(self, name: str) -> bool:
        """True if the user went back to this generation by name or number."""
        return bool(name) and self._state.get("restored") == name

    def announce(self, remote: str, base: Base) -> None:
        """Remember a generation whose manifest is about to be written.

        If the program is killed right after, `arrived` finds it.
        """
        self._state["writing"] = [remote, *base.line]
        self.write("state.json", self._state)
        self._is_new = False

    def noted(self, remote: str) -> list[str]:
        """Names that this workspace gave or knows, though the remote may not show them any more.

        An upload can get lost with its machine's mount: its name is not given again all the same.
        """
        writing = _texts(self._state.get("writing"))
        announced = writing[1:2] if writing[:1] == [remote] else []
        return [*self.base(remote).line[:1], *announced]

    def arrived(self, remote: str, names: Collection[str]) -> Base | None:
        """The announced generation, if it is among those of the remote."""
        found = _texts(self._state.get("writing"))
        if len(found) < 2 or found[0] != remote or found[1] not in names:
            return None
        return Base(found[1], tuple(found[2:]))

    def keep_name(self) -> None:
        """Make sure that a killed program finds its own generations again."""
        if self._is_new:
            self.write("state.json", self._state)
            self._is_new = False

    @contextmanager
    def alone(self) -> Generator[None]:
        """Keep other copies of this workspace, out or in, waiting outside.

        Raises:
            SyncError: One is running.
        """
        busy = SyncError(
            f"Another program copies the workspace {self.folder.parent} just now; wait for it, "
            "then run this again."
        )
        with exclusive(lock_path(self.folder.parent), busy):
            yield

    def write(self, name: str, content: object) -> None:
        """Write a small file of this folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / name, json.dumps(content))

    def hashes(self) -> Hashes:
        """The known hashes of files."""
        return Hashes(self, read_facts(self.folder / "hashes.json"))


def _texts(value: object) -> list[str]:
    """A list of texts as it was written; [] for anything else."""
    items = cast(list[object], value) if isinstance(value, list) else []
    return [item for item in items if isinstance(item, str)]


class Hashes:
    """SHA-256 of files, read again only where size, time or inode changed."""

    def __init__(self, memory: Memory, known: dict[str, Any]) -> None:
        self._memory = memory
        self._known = known
        self._changed = False

    def is_known(self, file: LocalFile) -> bool:
        """True if its hash needs no reading."""
        found = self._known.get(file.path)
        return isinstance(found, list) and found[:3] == [file.size, file.mtime_ns, file.inode]

    def sha256(self, file: LocalFile, *, on_bytes: Callable[[int], None] | None = None) -> str:
        """Hash of the bytes that were there when the file was looked at.

        Raises:
            SourceChangedError: It is shorter now, or has gone.
        """
        if self.is_known(file):
            return str(self._known[file.path][3])
        begin = time.time_ns()
        digest = hashlib.sha256()
        for piece in file.chunks():
            digest.update(piece)
            if on_bytes is not None:
                on_bytes(len(piece))
        found = digest.hexdigest()
        if file.mtime_ns < begin - _RACY_NS and not file.has_changed():
            self._remember(file, found)
        return found

    def placed(self, root: Path, files: Iterable[FileEntry]) -> None:
        """Take over the hashes of files that have just been verified and put in place."""
        for entry in files:
            file = LocalFile.look(root, root / entry.path)
            if (file.size, file.mtime_ns) == (entry.size, entry.mtime_ns):
                self._remember(file, entry.sha256)

    def forget(self, path: str) -> None:
        """Read this file again next time, whatever its time says."""
        self._changed = self._known.pop(path, None) is not None or self._changed

    def save(self, present: Iterable[str]) -> None:
        """Write them down, without those of files that are no longer there."""
        kept = set(present)
        if self._changed or not self._known.keys() <= kept:
            self._known = {path: row for path, row in self._known.items() if path in kept}
            self._memory.write("hashes.json", self._known)
            self._changed = False

    def _remember(self, file: LocalFile, digest: str) -> None:
        self._known[file.path] = [file.size, file.mtime_ns, file.inode, digest]
        self._changed = True
