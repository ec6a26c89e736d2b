# pyright: strict
"""Downloads are kept: one folder for each address, one process at a time in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from dflcolab.errors import DownloadError
from dflcolab.files import exclusive, fsync_dir, sha256_of, storage_errors, write_text
from dflcolab.progress import Progress
from dflcolab.transfer.https import Remote


@dataclass(frozen=True)
class Kept:
    """A whole, verified file of the cache.

    Attributes:
        name: File name in the entry's folder.
        sha256: Its hash, in hex.
        source: Where it came from, in words.
        time: Seconds since 1970 when it was fetched.
        remote: What the server said about it; empty for Drive, which says nothing.
    """

    name: str
    sha256: str
    source: str
    time: float
    remote: Remote


@dataclass(frozen=True)
class Entry:
    """The folder of one address.

    Attributes:
        folder: Made when it is locked.
    """

    folder: Path

    @property
    def part(self) -> Path:
        """The file while it grows."""
        return self.folder / "part"

    @contextmanager
    def alone(self, shown: str, progress: Progress) -> Generator[None]:
        """Wait until no other process fetches the same, and keep others out meanwhile.

        Raises:
            Interrupted: The user did not want to wait.
            StorageError: The cache cannot be written.
        """
        busy = DownloadError(f"Another process fetches {shown}; wait until it is ready.")
        told = False
        with ExitStack() as inside:
            while True:
                try:
                    inside.enter_context(exclusive(self.folder / "lock", busy))
                    break
                except DownloadError as error:
                    if error is not busy:
                        raise
                progress.raise_if_stopped()
                if not told:
                    progress.message(f"Another process fetches {shown}; waiting for it.")
                    told = True
                time.sleep(0.1)
            yield

    def kept(self) -> Kept | None:
        """The file that is there, read again and found to have the hash that it had."""
        try:
            values = json.loads(self._note.read_text(encoding="utf-8"))
            values["remote"] = Remote(**values["remote"])
            found = Kept(**values)
            whole = sha256_of(self.path(found)) == found.sha256
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return found if whole else None

    def path(self, kept: Kept) -> Path:
        """Where a kept file lies."""
        return self.folder / "file" / kept.name

    def keep(self, part: Path, kept: Kept) -> Path:
        """Give a verified part its name; an older file goes when the new one stands."""
        target = self.path(kept)
        with storage_errors(target):
            target.parent.mkdir(exist_ok=True)
            os.replace(part, target)
            fsync_dir(target.parent)
            write_text(self._note, json.dumps(asdict(kept), ensure_ascii=False))
            for other in target.parent.iterdir():
                if other != target and other.is_file():
                    other.unlink()
            part.with_name(part.name + ".json").unlink(missing_ok=True)
        return target

    def drop_part(self) -> None:
        """Forget what turned out to be the wrong file, so that nothing is added to it."""
        for path in (self.part, self.part.with_name(self.part.name + ".json")):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.folder / "kept.json"


def default_cache() -> Path:
    """The user's cache folder for downloads."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("dflcolab", appauthor=False)) / "downloads"


def safe_name(name: str) -> str:
    """A file name without path, control characters or a dot in front; at most 120 characters."""
    name = re.split(r"[/\\]", name)[-1]
    name = re.sub(r'[\x00-\x1f\x7f<>:"|?*\ud800-\udfff]', "_", name).strip(" .")
    stem, suffix = os.path.splitext(name)
    while len((stem + suffix).encode()) > 120:
        stem, suffix = (stem[:-1], suffix) if stem else (stem, suffix[:-1])
    return stem + suffix or "download"
