# pyright: strict
"""The faces of a side for reading only, whether they are loose files or packed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dflcolab.errors import DFLColabError, FacesetError, FormatError
from dflcolab.faceset.face_files import (
    FACE_SUFFIXES,
    NOT_READABLE,
    FaceFile,
    for_each_face,
    read_face_file,
    read_face_head,
    reason_of,
)
from dflcolab.faceset.folder_lock import using
from dflcolab.faceset.person_folders import person_folders
from dflcolab.faceset.renaming import recover
from dflcolab.files import list_files
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from dflcolab.progress import Progress

_OTHER_PICTURES = (".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True, eq=False)
class FaceSource:
    """Where the faces of a side are and how to read them. Threads may read at the same time.

    Attributes:
        folder: The `aligned` folder.
        paths: One per face; faces in a pack have the path they would have after unpacking.
        packed: They lie in a `faceset.pak`.
        unused: A sentence for files beside them that are left out, as everywhere.
    """

    folder: Path
    paths: tuple[Path, ...]
    packed: bool
    unused: tuple[str, ...] = ()
    _reader: PakReader | None = field(default=None, repr=False)
    _index: dict[Path, int] = field(default_factory=dict[Path, int], repr=False)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, path: Path) -> str:
        """The face's name inside the folder: `00001_0.jpg`, `person/00001_0.jpg`."""
        return path.relative_to(self.folder).as_posix()

    def read(self, path: Path) -> FaceFile:
        """One face; a damaged one comes back with its `problem`."""
        if self._reader is None:
            return read_face_file(path)
        index = self._index[path]
        try:
            face = self._reader.read(index)
            return FaceFile(path, face.jpeg(), face.record, face.width)
        except FormatError as error:
            return FaceFile(path, b"", None, problem=str(error), reason=reason_of(error))
        except DFLColabError as error:
            return FaceFile(path, b"", None, problem=str(error), reason=NOT_READABLE)

    def read_head(self, path: Path) -> FaceFile:
        """As `read`, for its face data alone: of a loose file no more than the head is read."""
        return self.read(path) if self.packed else read_face_head(path)

    def heads(self, *, progress: Progress, title: str) -> Iterator[FaceFile]:
        """The face data of all faces in order, without pictures, so that memory stays small.

        Args:
            progress: Shows the work and carries the wish to stop.
            title: What is being done, in a few words.

        Raises:
            Interrupted: The user asked to stop.
        """
        return for_each_face(
            self.paths,
            lambda file: replace(file, data=b""),
            progress=progress,
            title=title,
            read=self.read_head,
        )


@contextmanager
def open_faces(folder: Path, *, progress: Progress | None = None) -> Generator[FaceSource]:
    """The faces of an `aligned` folder; a `faceset.pak` in it wins, as in DeepFaceLab.

    A folder without faces of its own may hold one sub-folder per person. A sort that was killed
    half-way is finished first; nothing else is written. While the block lasts, no other program
    renames or removes faces.

    Args:
        folder: The folder.
        progress: Says that it waits for another program, and carries the wish to stop.

    Raises:
        FacesetError: There are no faces.
        FormatError: The pack is damaged as a whole.
        UnsafeFileError: The pack asks for more than data.
        Interrupted: The user asked to stop while waiting.
    """
    recover(folder)
    with using(folder, progress=progress):
        pak = folder / PAK_NAME
        if pak.is_file():
            with PakReader(pak) as reader:
                yield _packed(folder, reader)
        else:
            yield _loose(folder)


def _packed(folder: Path, reader: PakReader) -> FaceSource:
    paths = tuple(folder / name for name in reader.names)
    if not paths:
        raise FacesetError(f"There are no faces in {reader.path}; run `dflcolab extract` first.")
    loose = len(list_files(folder, FACE_SUFFIXES))
    unused = (
        f"{loose} face files beside {reader.path} are not used; `dflcolab pack` adds them to it.",
    )
    index = {path: i for i, path in enumerate(paths)}
    return FaceSource(folder, paths, True, unused if loose else (), reader, index)


def _loose(folder: Path) -> FaceSource:
    files = list_files(folder, FACE_SUFFIXES)
    people = person_folders(folder)
    if files:
        unused = tuple(
            f"The faces in {person} are not used, because {folder.name} holds faces beside it."
            for person in people
        )
        if others := list_files(folder, _OTHER_PICTURES):
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            told = (
                f"{others[0]}{more}: not used, for face data are kept in JPEG files alone; where an "
                "editor made it from a face, save it as JPEG and run `dflcolab metadata restore`."
            )
            unused = (*unused, told)
        return FaceSource(folder, tuple(files), False, unused)
    files = [path for person in people for path in list_files(person, FACE_SUFFIXES)]
    if not files:
        raise FacesetError(
            f"There are no faces in {folder}; run `dflcolab extract` for that side first."
        )
    return FaceSource(folder, tuple(files), False)
