"""Which frames are done: a text file that only grows, so that extraction can go on after a crash.

`data_src/extract.jsonl` begins with a line of options, then has one line per batch of frames. A
batch is written after its face files and brought to the disk at once; a torn last line (power cut)
is dropped on the next start. Frames without a face are in it too, and so is every frame whose faces
somebody deleted by hand: neither is looked at again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from dflcolab.errors import FacesetError, FormatError
from dflcolab.extraction.tracking import TrackState
from dflcolab.files import storage_errors, write_bytes

FILE_NAME = "extract.jsonl"
VERSION = 1

_LOG = logging.getLogger(__name__)


@dataclass
class SourceLog:
    """What is known of one video, or of the folder of pictures.

    Attributes:
        identity: Numbers by which the same file is recognised; None before the first batch.
        faces: Number of faces of every finished frame, by the frame's key.
        state: Faces being followed after the last finished frame.
        fps: Rate that the last batch was read at; None for every frame.
        pictured: Frames whose debug picture was written.
        unsure: Frames of which nobody said whether theirs was: of other programs, old journals.
    """

    identity: Any = None
    faces: dict[str, int] = field(default_factory=dict[str, int])
    state: tuple[TrackState, ...] = ()
    fps: float | None = None
    pictured: set[str] = field(default_factory=set[str])
    unsure: set[str] = field(default_factory=set[str])


class Journal:
    """The journal of one side, opened for adding; a context manager that locks it.

    Args:
        path: `extract.jsonl`; its folder must exist.
        options: Options that all faces of a side must share. A journal that has others is refused.
    """

    def __init__(self, path: Path, options: Mapping[str, object]) -> None:
        self.path = path
        self._options = dict(options)
        self._stream: BinaryIO | None = None
        self._sources: dict[str, SourceLog] = {}

    def __enter__(self) -> Journal:
        """Read what is there and lock the file.

        Raises:
            FacesetError: Other options, or another extraction of this side is running.
            FormatError: The file is damaged before its last line.
        """
        with storage_errors(self.path):
            self._stream = self.path.open("ab")
        try:
            self._lock()
            length = self._read()
            self._stream.truncate(length)
            if length == 0:
                self._append({"version": VERSION, "options": self._options})
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def source(self, name: str) -> SourceLog:
        """What is known of a source; empty if nothing."""
        return self._sources.setdefault(name, SourceLog())

    @property
    def sources(self) -> Mapping[str, SourceLog]:
        """All sources by name."""
        return self._sources

    def add(
        self,
        name: str,
        faces: Mapping[str, int],
        state: Sequence[TrackState],
        *,
        identity: object,
        fps: float | None,
        debug: bool | None = None,
    ) -> None:
        """Store that frames are done. Call it when their face files are on the disk.

        Args:
            name: The source.
            faces: Number of faces by key of the frame.
            state: Faces being followed after the last of them.
            identity: See `SourceLog`.
            fps: See `SourceLog`.
            debug: Whether their debug pictures were written; None if nobody knows.

        Raises:
            StorageError: Disk full, read-only or gone.
        """
        line: dict[str, object] = {
            "source": name,
            "identity": identity,
            "fps": fps,
            "frames": dict(faces),
            "tracks": [track.to_list() for track in state],
        }
        if debug is not None:
            line["debug"] = debug
        self._append(line)
        self._take(line)

    def add_pictured(self, name: str, keys: Iterable[str]) -> None:
        """Store that frames have a debug picture now, if that is news.

        Raises:
            StorageError: Disk full, read-only or gone.
        """
        news = sorted(set(keys) - self.source(name).pictured)
        if news:
            line = {"source": name, "pictured": news}
            self._append(line)
            self._take(line)

    def read(self) -> Mapping[str, SourceLog]:
        """Take over the lines that are there, for looking only.

        Raises:
            FacesetError: Other options.
            FormatError: The file is damaged before its last line.
        """
        self._read()
        return self._sources

    def _append(self, line: Mapping[str, object]) -> None:
        assert self._stream is not None, "a journal is used inside `with`"
        with storage_errors(self.path):
            self._stream.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not on this system
            return
        assert self._stream is not None
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FacesetError(
                f"Another extraction is writing {self.path.parent}; wait until it has ended."
            ) from error
        except OSError:
            _LOG.debug("%s is on a file system without locks", self.path)

    def _read(self) -> int:
        """Take over the lines that are there; the length in bytes up to the last whole one."""
        with storage_errors(self.path):
            data = self.path.read_bytes()
        length = data.rfind(b"\n") + 1
        for number, text in enumerate(data[:length].splitlines()):
            try:
                line = json.loads(text)
                if number == 0:
                    self._check(line)
                else:
                    self._take(line)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                remedy = (
                    "delete that line to have its frames looked at again"
                    if number
                    else "delete the file: faces that are there stay, other frames are looked at again"
                )
                raise FormatError(
                    f"Line {number + 1} of {self.path} is damaged; {remedy}."
                ) from error
        return length

    def _check(self, line: Mapping[str, Any]) -> None:
        if line["version"] > VERSION:
            raise FacesetError(f"{self.path} was written by a newer dflcolab; upgrade this one.")
        stored = line["options"]
        changed = [name for name, value in self._options.items() if stored.get(name) != value]
        if changed:
            was = " and ".join(f"{name} {stored.get(name)}" for name in changed)
            now = " and ".join(f"{name} {self._options[name]}" for name in changed)
            raise FacesetError(
                f"The faces in {self.path.parent / 'aligned'} were extracted with {was}, not {now}; "
                "run with the same options, or rename that folder to start over."
            )

    def _take(self, line: Mapping[str, Any]) -> None:
        log = self.source(line["source"])
        log.pictured.update(map(str, line.get("pictured", ())))
        if "frames" not in line and "pictured" in line:
            return
        keys = [str(key) for key in line["frames"]]
        if "debug" not in line:
            log.unsure.update(keys)
        elif line["debug"]:
            log.pictured.update(keys)
        log.identity = line["identity"]
        log.fps = line["fps"]
        log.faces.update({str(key): int(count) for key, count in line["frames"].items()})
        log.state = tuple(TrackState.from_list(numbers) for numbers in line["tracks"])


def peek(path: Path) -> Mapping[str, SourceLog]:
    """What a journal says, without locking or repairing it; empty if it is missing.

    Raises:
        FormatError: It is damaged before its last line.
    """
    options = read_options(path)
    return {} if options is None else Journal(path, options).read()


def read_options(path: Path) -> dict[str, Any] | None:
    """The options that all faces of a side share, without opening the journal for adding.

    Returns:
        None if there is no journal, or it has no whole line yet.

    Raises:
        FormatError: Its first line is damaged.
    """
    if not path.exists():
        return None
    with storage_errors(path), path.open("rb") as stream:
        text = stream.readline()
    if not text.endswith(b"\n"):
        return None
    try:
        options = dict(json.loads(text)["options"])
        return {"face_type": str(options["face_type"]), "size": int(options["size"])}
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"Line 1 of {path} is damaged; delete the file: faces that are there stay, other frames "
            "are looked at again."
        ) from error


def write_options(path: Path, options: Mapping[str, object]) -> None:
    """Give a journal other options in its first line; nothing else of it changes.

    Args:
        path: The journal, which `read_options` can read. Nobody else may write it meanwhile.
        options: See `Journal`.

    Raises:
        StorageError: Disk full, read-only or gone; the journal is as it was.
    """
    with storage_errors(path):
        data = path.read_bytes()
    first, _, rest = data.partition(b"\n")
    line = json.loads(first)
    if line["options"] != dict(options):
        line["options"] = dict(options)
        write_bytes(path, json.dumps(line, separators=(",", ":")).encode() + b"\n" + rest)


def forget(path: Path) -> None:
    """Start over: put the journal aside as `extract.old.jsonl` (never simply delete it).

    Raises:
        StorageError: Disk full, read-only or gone.
    """
    if path.exists():
        with storage_errors(path):
            write_bytes(path.with_name("extract.old.jsonl"), path.read_bytes())
            path.unlink()
