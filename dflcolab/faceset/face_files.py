# pyright: strict
"""The pictures of an `aligned` folder, read one after another by all cores."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from dflcolab.arrays import Image
from dflcolab.errors import (
    FacesetError,
    FormatError,
    StorageError,
    UnsafeFileError,
    WorkspaceError,
)
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.person_folders import person_folders
from dflcolab.faceset.renaming import recover
from dflcolab.faceset.whole_picture import (
    PART_IS_MISSING,
    PartMissingError,
    ends_in_nothing,
    is_whole,
)
from dflcolab.files import list_files, storage_errors
from dflcolab.formats.dfl_jpeg import decode_picture, record_of
from dflcolab.formats.faceset_pak import PAK_NAME
from dflcolab.formats.jpeg_segments import read_header
from dflcolab.progress import Progress, Task
from dflcolab.workspace.workspace import Side, Workspace

FACE_SUFFIXES = (".jpg", ".jpeg", ".png")
NO_FACE_DATA = "no face data"
NOT_READABLE = "not readable"
UNSAFE = "asks for more than data, and was not opened"

_HEAD = 16384
"""Bytes read at once; a head with a mask in it takes up to four times as many."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class FaceFile:
    """One picture file, read into memory and not yet decoded.

    Attributes:
        path: Where it is.
        data: Its bytes.
        record: Its face data; None for a picture without.
        size: Width of the picture in pixels; 0 for a picture without face data.
        problem: A sentence if the file is damaged.
        reason: The same in a few words that are the same for all such files.
    """

    path: Path
    data: bytes
    record: FaceRecord | None
    size: int = 0
    problem: str = ""
    reason: str = ""

    def decode(self) -> Image:
        """The picture, `[H, W, 3]`, uint8, BGR.

        Raises:
            FormatError: It does not decode, or its end is not there.
        """
        if not self.data:
            raise FormatError(f"{self.path} is empty; use another copy of the file.")
        image = decode_picture(self.data, str(self.path))
        if ends_in_nothing(image) and not is_whole(self.data):
            raise PartMissingError(
                f"A part of the picture in {self.path} is missing; use another copy of the file."
            )
        return image


def reason_of(error: FormatError) -> str:
    """A few words on a file that cannot be used, the same for all of one kind."""
    if isinstance(error, UnsafeFileError):
        return UNSAFE
    return PART_IS_MISSING if isinstance(error, PartMissingError) else NOT_READABLE


def why_not(face: FaceFile) -> str:
    """Why a file has no face data that could be used."""
    return face.reason or NO_FACE_DATA


def loose_faces(workspace: Workspace, side: Side) -> list[Path]:
    """Paths of the loose face files of a side, by name; an interrupted renaming is finished first.

    Raises:
        FacesetError: There are none, or the faces are packed.
        WorkspaceError: The folder is missing.
    """
    folder = workspace.aligned_dir(side)
    recover(folder)
    if not folder.is_dir():
        raise WorkspaceError(
            f"{folder} is missing; run `dflcolab extract -w {workspace.root} --side {side.value}`."
        )
    if (folder / PAK_NAME).exists():
        raise FacesetError(
            f"The faces of {folder} are packed; run `dflcolab unpack -w {workspace.root} "
            f"--side {side.value}` first (in a notebook: the cell “Extract faces” with unpack_faces)."
        )
    found = list_files(folder, FACE_SUFFIXES)
    if not found and (people := person_folders(folder)):
        raise FacesetError(
            f"The faces of {folder} lie in people's folders ({people[0].name} …), and this works on "
            "faces in one folder; move them up, or have copies of all in one folder of a new "
            f"workspace: `dflcolab append -w NEW --side {side.value} --from {shlex.quote(str(folder))}`."
        )
    if not found:
        raise FacesetError(
            f"There are no faces in {folder}; run `dflcolab extract -w {workspace.root} "
            f"--side {side.value}` first."
        )
    return found


def read_face_file(path: Path) -> FaceFile:
    """Read one file; a damaged one comes back with its `problem`."""
    with _may_be_read(path), storage_errors(path):
        data = path.read_bytes()
    return _face_file(path, data, io.BytesIO(data))


def read_face_head(path: Path) -> FaceFile:
    """As `read_face_file`, but only the head with the face data is read: `data` stays empty."""
    with (
        _may_be_read(path),
        storage_errors(path),
        path.open("rb", buffering=_HEAD) as stream,
    ):
        return _face_file(path, b"", stream)


@contextmanager
def _may_be_read(path: Path) -> Generator[None]:
    try:
        yield
    except StorageError as error:
        if isinstance(error.__cause__, PermissionError):
            raise StorageError(
                f"{path} may not be read; change its permissions, or move it out of the folder."
            ) from error
        raise


def _face_file(path: Path, data: bytes, stream: BinaryIO) -> FaceFile:
    if stream.read(2) != b"\xff\xd8":
        return FaceFile(path, data, None)
    stream.seek(0)
    try:
        header = read_header(stream, str(path))
        record = record_of(header, str(path))
    except FormatError as error:
        return FaceFile(path, data, None, problem=str(error), reason=reason_of(error))
    return FaceFile(path, data, record, 0 if record is None else header.width)


def for_each_face(
    paths: Sequence[Path],
    work: Callable[[FaceFile], T],
    *,
    progress: Progress,
    title: str,
    read: Callable[[Path], FaceFile] = read_face_file,
) -> Iterator[T]:
    """Results of `work` for every file, in order of `paths`; OpenCV runs on all cores.

    Args:
        paths: The faces.
        work: What to do with each; called by several threads.
        progress: Shows the work and carries the wish to stop.
        title: What is being done, in a few words.
        read: How a face is read; packs have their own way (see `face_source`).

    Raises:
        Interrupted: The user asked to stop.
    """
    with progress.task(title, total=len(paths), unit="faces") as task:
        yield from _in_order(paths, lambda path: work(read(path)), progress, task)


def _in_order(
    paths: Sequence[Path], work: Callable[[Path], T], progress: Progress, task: Task
) -> Iterator[T]:
    waiting = iter(paths)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:

        def submit(path: Path) -> Future[T]:
            return pool.submit(work, path)

        # A few in flight per core: enough to keep them busy, few enough for the memory.
        pending = [submit(path) for path in islice(waiting, 4 * (os.cpu_count() or 1))]
        try:
            while pending:
                progress.raise_if_stopped()
                result = pending.pop(0).result()
                pending += [submit(path) for path in islice(waiting, 1)]
                task.advance()
                yield result
        finally:
            for future in pending:
                future.cancel()
