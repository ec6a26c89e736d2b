"""A process that reads hostile files and is not allowed anything but reading.

`python -m tests.fuzz.worker` takes lines `<suffix> <path>` and answers each with one JSON line.
Whatever a file makes it do beyond reading ends the process at once with `FORBIDDEN_EXIT`; what it
was stands on standard error.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.errors import DFLColabError, FormatError, UnsafeFileError
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faces.pose import pose
from dflcolab.faceset.face_files import read_face_file
from dflcolab.faceset.measures import measure_face
from dflcolab.formats import restricted_pickle
from dflcolab.formats.dfl_jpeg import embed, face_from_bytes, read_face, read_record
from dflcolab.formats.dfl_metadata import record_from_dict
from dflcolab.formats.faceset_pak import PakReader
from dflcolab.formats.leras_weights import read_weights

FORBIDDEN_EXIT = 77
MEMORY = 1 << 30
"""Bytes of address space a file may take beyond what the program itself takes. The largest JPEG
that is let in, 150 million pixels, needs half of it."""

_FORBIDDEN = ("import", "exec", "compile", "os.", "subprocess.", "socket.", "ctypes.", "pickle.",
              "marshal.", "shutil.", "code.", "function.", "builtins.", "tempfile.", "webbrowser.",
              "cpython.run", "mmap.__new__x")  # fmt: skip
_ALLOWED = ("os.listdir", "os.scandir", "os.fwalk")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_armed = False
_slowest = 0.0
"""Processor time of the slowest reading of the present file; some files are read in several ways."""


_PYAV = "av/"


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _armed:
        return
    if event == "open":
        _, mode, flags = arguments
        bad = (
            any(letter in mode for letter in "wax+")
            if isinstance(mode, str)
            else bool(flags & _WRITING)
        )
    else:
        bad = event.startswith(_FORBIDDEN) and event not in _ALLOWED
        bad = bad and not _is_pyavs(event, arguments)
    if bad:
        os.write(2, f"forbidden: {event} {arguments!r}"[:400].encode() + b"\n")
        os._exit(FORBIDDEN_EXIT)


def _is_pyavs(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether it is part of what Cython does for the traceback of each error in PyAV: a fixed line."""
    match event:
        case "compile":
            return arguments[0] == b"_getframe()" and str(arguments[1]).startswith(_PYAV)
        case "code.__new__":
            return str(arguments[1]).startswith(_PYAV)
        case "exec":
            return arguments[0].co_filename.startswith(_PYAV)
        case _:
            return False


def read_jpeg(path: Path) -> str:
    """Everything that any verb does to read a face file; the outcome of the first reading counts."""
    outcome = _outcome(lambda: _look_at(read_face(path)), path)
    _outcome(lambda: read_record(path), path)
    _outcome(lambda: measure_face(read_face_file(path)), path)
    data = path.read_bytes()
    _outcome(lambda: _write_again(data, str(path)), path)
    return outcome


def _look_at(face: Any) -> None:
    record = face.record
    pose(record.landmarks, face.width)
    if face.width * face.height <= 1 << 22:
        hull_mask(record.landmarks, face.height, face.width)
        if record.polygons:
            polygon_mask(record.polygons, face.height, face.width)
    face.decode_mask()
    face.decode()


def _write_again(data: bytes, name: str) -> None:
    """Metadata that was read can be written, and is the same then."""
    face = face_from_bytes(data, name)
    again = face_from_bytes(embed(data, face.record, name=name), name)
    if not np.array_equal(again.record.landmarks, face.record.landmarks):
        raise AssertionError("the landmarks changed on the way")


def read_pack(path: Path) -> str:
    outcomes = [_outcome(lambda: _open_pack(path), path)]
    if outcomes[0] == "read":
        with PakReader(path) as reader:
            for index in range(min(len(reader), 8)):
                outcomes.append(_outcome(lambda index=index: _look_at(reader.read(index)), path))
                _outcome(lambda index=index: reader.jpeg(index), path)
    return outcomes[0] if outcomes[0] != "read" else max(outcomes, key=_RANK.index)


def _open_pack(path: Path) -> None:
    with PakReader(path) as reader:
        for name in reader.names:
            parts = name.split("/")
            if len(parts) > 2 or any(part in ("", ".", "..") for part in parts):
                raise AssertionError(f"{name!r} leaves the folder")


def read_pickle(path: Path) -> str:
    def read() -> None:
        value = restricted_pickle.loads(path.read_bytes(), name=str(path))
        if isinstance(value, dict):
            record_from_dict(value, str(path))

    return _outcome(read, path)


def read_weight_file(path: Path) -> str:
    return _outcome(lambda: read_weights(path), path)


def read_backup(path: Path) -> str:
    from dflcolab.formats import metadata_backup  # type: ignore[attr-defined]

    return _outcome(lambda: metadata_backup.read_backup(path), path)


READERS: dict[str, Callable[[Path], str]] = {
    ".jpg": read_jpeg,
    ".pak": read_pack,
    ".pickle": read_pickle,
    ".npy": read_weight_file,
    ".dat": read_backup,
}
_RANK = ["read", "refused as damaged", "refused as unsafe", "refused otherwise"]


def _outcome(work: Callable[[], object], path: Path) -> str:
    """What became of it. Anything but a value or our own sentence naming the file is raised."""
    global _slowest
    begin = time.process_time()
    try:
        try:
            work()
        finally:
            _slowest = max(_slowest, time.process_time() - begin)
        return "read"
    except DFLColabError as error:
        cause = error.__cause__
        while cause is not None:
            if isinstance(cause, MemoryError):
                raise AssertionError("asked for more memory than a file may take") from error
            cause = cause.__cause__
        if path.name not in str(error):
            raise AssertionError(f"the sentence does not name the file: {error}") from error
        if len(str(error)) > 1000 or "\n" in str(error):
            raise AssertionError(f"that is no sentence: {str(error)[:200]!r}") from error
        if isinstance(error, UnsafeFileError):
            return "refused as unsafe"
        return "refused as damaged" if isinstance(error, FormatError) else "refused otherwise"


def _answer(suffix: str, path: Path) -> dict[str, Any]:
    global _slowest
    _slowest = 0.0
    try:
        outcome, detail = READERS[suffix](path), ""
    except Exception as error:  # noqa: BLE001
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome, detail = "failure", f"{type(error).__name__}: {error} ({where.name})"[:600]
    return {"outcome": outcome, "detail": detail, "seconds": _slowest}


def main() -> None:
    """Read the good files named on the command line first, so that all imports are done."""
    global _armed
    import traceback  # noqa: F401

    for codec in ("raw-unicode-escape", "unicode-escape", "latin1", "ascii", "utf-8"):
        codecs.lookup(codec)
    warnings.simplefilter("error")
    import cv2

    cv2.setNumThreads(1)
    for name in sys.argv[1:]:
        path = Path(name)
        READERS[path.suffix](path)
    with Path("/proc/self/statm").open() as stream:
        own = int(stream.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, own + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), line_buffering=True)
    sys.addaudithook(_watch)
    answers.write("ready\n")
    for line in sys.stdin:
        suffix, _, path = line.rstrip("\n").partition(" ")
        _armed = True
        answer = _answer(suffix, Path(path))
        _armed = False
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
