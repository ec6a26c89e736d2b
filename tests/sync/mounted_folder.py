"""A `FaultyStore` as a plain folder, for code that opens paths."""

from __future__ import annotations

from pathlib import Path

from tests.sync.faulty import FaultyStore


class MountedFolder:
    """A plain folder in the role of a mount, for code that opens paths.

    The folder cannot fail by itself: `absorb` tells the store what was written there, `remount` shows
    what the cloud really has.
    """

    def __init__(self, store: FaultyStore, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.remount()

    def absorb(self) -> None:
        """Hand what changed in the folder to the store, faults included."""
        here = {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        for path, data in here.items():
            if self._shown.get(path) != data:
                self.store.pipe_file(path, data)
        for path in self._shown.keys() - here.keys():
            self.store.rm_file(path)
        self._shown = here

    def flush(self) -> None:
        self.absorb()
        self.store.flush()

    def remount(self) -> None:
        """Replace the folder's content by what the cloud has."""
        self.store.remount()
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self._shown = dict(self.store.cloud.files)
        self.folder.mkdir(parents=True, exist_ok=True)
        for path, data in self._shown.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(data)
