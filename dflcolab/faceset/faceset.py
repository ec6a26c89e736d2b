# pyright: strict
"""A faceset in memory: names and metadata of all faces, pictures on request.

Comes from a folder of face files or from a `faceset.pak` (which wins, as in DeepFaceLab). Files that
cannot be used are named in `problems` and left out; nothing is silently dropped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from dflcolab.arrays import Image, Mask
from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.folder_lock import using
from dflcolab.faceset.person_folders import person_folders
from dflcolab.faceset.renaming import recover
from dflcolab.files import list_files
from dflcolab.formats.dfl_jpeg import SUFFIXES, Face, read_face
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from dflcolab.progress import Progress

T = TypeVar("T")

_READERS = min(8, 2 * (os.cpu_count() or 1))
"""Threads that read heads of files: more than cores, since mounted drives answer slowly."""


@dataclass(frozen=True, eq=False)
class Faceset:
    """Faces in the order of their names.

    Attributes:
        names: `file.jpg`, `person/file.jpg` in packs of several people, and with the folder's label
            in front (`folder/file.jpg`) where several facesets were loaded together.
        faces: The faces, `len(names)`.
        problems: One sentence for every file that was left out.
    """

    names: tuple[str, ...]
    faces: tuple[Face, ...] = field(repr=False)
    problems: list[str] = field(default_factory=list[str], repr=False)

    def __len__(self) -> int:
        return len(self.faces)

    @cached_property
    def records(self) -> list[FaceRecord]:
        """Metadata of all faces."""
        return [face.record for face in self.faces]

    @cached_property
    def frame_keys(self) -> list[str]:
        """Name of the frame each face came from, with the folder or person in front.

        Faces of one frame have the same key. A face that does not say its frame has its own name.
        """
        return [
            name.rpartition("/")[0] + "/" + face.record.source_filename
            if face.record.source_filename
            else name
            for name, face in zip(self.names, self.faces, strict=True)
        ]

    def decode(self, index: int) -> Image:
        """The picture of a face, `[H, W, 3]`, uint8, BGR.

        Raises:
            FormatError: The picture is damaged.
        """
        return self.faces[index].decode()

    def mask(self, index: int) -> Mask | None:
        """The stored mask of a face at its own size, `[h, w, 1]`; None if there is none.

        Raises:
            FormatError: The mask is damaged.
        """
        return self.faces[index].decode_mask()

    def decode_many(self, indices: Iterable[int] | None = None) -> Iterator[tuple[int, Image]]:
        """Pictures with their indices, in the asked order, decoded by all cores.

        Only a few pictures are in memory at any time. A damaged picture is added to `problems` and
        left out.

        Args:
            indices: Which faces; None: all.
        """
        wanted = range(len(self)) if indices is None else indices

        def one(index: int) -> tuple[int, Image | str]:
            try:
                return index, self.decode(index)
            except DFLColabError as error:
                return index, str(error)

        for index, found in _in_order(one, wanted, os.cpu_count() or 1):
            if isinstance(found, str):
                self.problems.append(found)
            else:
                yield index, found


def load_faceset(folder: Path, *, progress: Progress | None = None) -> Faceset:
    """The faces of a folder, or of the `faceset.pak` in it.

    A folder without faces of its own may hold one sub-folder per person. Sub-folders beside faces
    are taken for faces that somebody set aside; they are named in `problems`.

    Args:
        folder: A folder, or a pack itself.
        progress: Shows the work and carries the wish to stop.

    Raises:
        FacesetError: There is no usable face.
        FormatError: The pack is damaged as a whole.
        UnsafeFileError: The pack asks for more than data.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    recover(folder)  # a sort that was killed half-way is finished first
    with using(folder, progress=progress):
        found = _load_from(folder, progress)
    if not found.faces:
        raise FacesetError(_nothing_in(folder, found.problems))
    return found


def _load_from(folder: Path, progress: Progress) -> Faceset:
    pak = folder if folder.suffix.lower() == ".pak" else folder / PAK_NAME
    if pak.is_file():
        reader = PakReader(pak)
        found = _load(reader.names, reader.read, len(reader), pak, progress)
        loose = list_files(folder, SUFFIXES)
        if loose:
            found.problems.append(
                f"{len(loose)} face files beside {pak} are not used; `dflcolab pack` adds them to it."
            )
        return found
    paths, unused = _face_paths(folder)
    names = [path.relative_to(folder).as_posix() for path in paths]
    found = _load(names, lambda i: read_face(paths[i]), len(paths), folder, progress)
    found.problems.extend(unused)
    return found


def _face_paths(folder: Path) -> tuple[list[Path], list[str]]:
    """Face files of a folder, or of its person folders; and what is left out, in sentences."""
    paths = list_files(folder, SUFFIXES)
    people = person_folders(folder)
    if not paths:
        return [path for person in people for path in list_files(person, SUFFIXES)], []
    return paths, [
        f"The faces in {person} are not used, because {folder.name} holds faces beside that "
        "folder; move all faces into folders of their people, or none."
        for person in people
    ]


def load_many(folders: Sequence[Path], *, progress: Progress | None = None) -> Faceset:
    """Several facesets as one, for pretraining.

    Names get the folder's label in front, so equal file names stay apart. A folder without faces
    becomes a problem, as long as another has some.

    Raises:
        FacesetError: No folder holds a usable face.
        Interrupted: The user asked to stop.
    """
    names: list[str] = []
    faces: list[Face] = []
    problems: list[str] = []
    for label, folder in zip(_labels(folders), folders, strict=True):
        try:
            part = load_faceset(folder, progress=progress)
        except FacesetError as error:
            problems.append(str(error))
            continue
        names += [f"{label}/{name}" for name in part.names]
        faces += part.faces
        problems += part.problems
    if not faces:
        where = ", ".join(str(folder) for folder in folders)
        raise FacesetError(
            f"There are no faces in {where or 'the list of facesets'}; name a folder of face files "
            "or a faceset.pak."
        )
    return Faceset(tuple(names), tuple(faces), problems)


def _load(
    names: Sequence[str],
    read: Callable[[int], Face],
    count: int,
    where: Path,
    progress: Progress,
) -> Faceset:
    """Read all faces by several threads; those that fail become problems."""

    def one(index: int) -> Face | str:
        try:
            return read(index)
        except DFLColabError as error:
            return str(error)

    good: list[tuple[str, Face]] = []
    problems: list[str] = []
    with progress.task(f"Reading {where.name}", total=count, unit="faces") as task:
        for i, found in enumerate(_in_order(one, range(count), _READERS)):
            progress.raise_if_stopped()
            if isinstance(found, str):
                problems.append(found)
            else:
                good.append((names[i], found))
            task.advance()
    good.sort(key=lambda item: item[0])
    return Faceset(tuple(name for name, _ in good), tuple(face for _, face in good), problems)


def _in_order(work: Callable[[int], T], indices: Iterable[int], threads: int) -> Iterator[T]:
    """Results in order, worked out by several threads, a few ahead of the reader."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[T]] = []
        source = iter(indices)
        try:
            while True:
                while len(waiting) < 4 * threads:
                    index = next(source, None)
                    if index is None:
                        break
                    waiting.append(pool.submit(work, index))
                if not waiting:
                    return
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def _labels(folders: Sequence[Path]) -> list[str]:
    """A short name for every folder, all different."""
    labels: list[str] = []
    for folder in folders:
        base = folder.stem if folder.suffix.lower() == ".pak" else folder.name
        if base in ("aligned", "faceset", ""):  # every faceset is called so; the parent says more
            base = f"{folder.absolute().parent.name}-{base}".strip("-") or "faceset"
        label, n = base, 2
        while label in labels:
            label, n = f"{base}-{n}", n + 1
        labels.append(label)
    return labels


def _nothing_in(folder: Path, problems: Sequence[str]) -> str:
    if problems:
        count = len(problems)
        return (
            f"None of the {count} files in {folder} is a usable face (the first: "
            f"{problems[0].rstrip('.')}); run extract to get face files."
        )
    if not folder.exists():
        return f"{folder} does not exist, so there are no faces; run `dflcolab extract` first."
    return f"There are no faces in {folder}; run `dflcolab extract` for that side first."
