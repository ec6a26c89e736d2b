# pyright: strict
"""The faces of a side for reading only, whether they are loose files or packed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.faceset.face_files import FACE_SUFFIXES, FaceFile, read_face_file
from dflcolab.faceset.renaming import recover
from dflcolab.files import list_files
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader


@dataclass(frozen=True, eq=False)
class FaceSource:
    """Where the faces of a side are and how to read them. Threads may read at the same time.

    Attributes:
        folder: The `aligned` folder.
        paths: One per face; faces in a pack have the path they would have after unpacking.
        packed: They lie in a `faceset.pak`.
    """

    folder: Path
    paths: tuple[Path, ...]
    packed: bool
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
        except DFLColabError as error:
            return FaceFile(path, b"", None, problem=str(error))


@contextmanager
def open_faces(folder: Path) -> Generator[FaceSource]:
    """The faces of an `aligned` folder; a `faceset.pak` in it wins, as in DeepFaceLab.

    A sort that was killed half-way is finished first; nothing else is written.

    Raises:
        FacesetError: There are none.
        FormatError: The pack is damaged as a whole.
        UnsafeFileError: The pack asks for more than data.
    """
    recover(folder)
    pak = folder / PAK_NAME
    if pak.is_file():
        with PakReader(pak) as reader:
            paths = tuple(folder / name for name in reader.names)
            index = {path: i for i, path in enumerate(paths)}
            if not paths:
                raise FacesetError(f"There are no faces in {pak}; run `dflcolab extract` first.")
            yield FaceSource(folder, paths, True, reader, index)
        return
    files = list_files(folder, FACE_SUFFIXES)
    if not files:
        raise FacesetError(
            f"There are no faces in {folder}; run `dflcolab extract` for that side first."
        )
    yield FaceSource(folder, tuple(files), False)
