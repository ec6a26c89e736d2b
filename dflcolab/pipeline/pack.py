"""`pack` and `unpack`: all faces of a side in one `faceset.pak`, and out of it again.

The loose files go only after the pack was read back and every picture compared; the pack goes only
after every picture lies in the folder. A kill in between leaves both, and the next call goes on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import FacesetError, FormatError, WorkspaceError
from dflcolab.faceset.config import PackConfig
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.renaming import recover
from dflcolab.files import fsync_dir, list_files, storage_errors, write_bytes
from dflcolab.formats.dfl_jpeg import SUFFIXES, read_face
from dflcolab.formats.faceset_pak import PAK_NAME, PakItem, PakReader, verify_pak, write_pak
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace


@dataclass(frozen=True)
class PackReport:
    """What `pack` or `unpack` did.

    Attributes:
        side: Whose faces.
        faces: Number of faces in the pack, or taken out of it.
        pack: The file.
        packed: True if the faces are in the pack now.
        problems: Files that are no faces and stayed where they were.
    """

    side: str
    faces: int
    pack: Path
    packed: bool
    problems: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        what = f"are in {self.pack}" if self.packed else f"are loose files in {self.pack.parent}"
        return "\n".join([f"{self.faces} faces of {self.side} {what}.", *self.problems])


@alone_with_faces
def pack(
    workspace: Workspace, config: PackConfig, *, progress: Progress | None = None
) -> PackReport:
    """Put the loose faces of one side into `faceset.pak`.

    Raises:
        FacesetError: There are no faces, or a pack with other faces is there already.
        FormatError: The pack did not verify; the loose files are untouched.
        StorageError: The disk is full or read-only; the loose files are untouched.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    folder = _aligned(workspace, config)
    loose = list_files(folder, SUFFIXES)
    target = folder / PAK_NAME
    if target.exists():
        return _already_packed(target, loose, config)
    if not loose:
        raise FacesetError(
            f"There are no faces in {folder}; run `dflcolab extract -w {workspace.root} "
            f"--side {config.side.value}` first."
        )
    items: list[PakItem] = []
    problems: list[str] = []
    for path in loose:
        progress.raise_if_stopped()
        try:
            items.append(PakItem(path.name, read_face(path)))
        except FormatError as error:
            problems.append(str(error))
    if not items:
        raise FacesetError(
            f"None of the {len(loose)} files in {folder} is a face; nothing to pack."
        )
    write_pak(target, items, progress=progress)
    try:
        verify_pak(target, items, lambda item: (folder / item.name).read_bytes())
    except FormatError:
        target.unlink()
        raise
    _remove(folder, [item.name for item in items])
    return PackReport(config.side.value, len(items), target, True, tuple(problems))


@alone_with_faces
def unpack(
    workspace: Workspace, config: PackConfig, *, progress: Progress | None = None
) -> PackReport:
    """Take the faces out of `faceset.pak`; the pack goes when all are there.

    Raises:
        FacesetError: There is no pack, or other files of the same names are in the way.
        FormatError: The pack is damaged; it stays.
        StorageError: The disk is full or read-only; the pack stays.
        Interrupted: The user asked to stop; the pack stays.
    """
    progress = progress or Progress()
    folder = _aligned(workspace, config)
    source = folder / PAK_NAME
    if not source.exists():
        raise FacesetError(f"There is no {source}; the faces are not packed.")
    with PakReader(source) as reader:
        _check_room(folder, reader)
        with progress.task("Unpacking", total=len(reader), unit="faces") as task:
            for index, entry in enumerate(reader.entries):
                progress.raise_if_stopped()
                target = folder / entry.path
                with storage_errors(target):
                    target.parent.mkdir(exist_ok=True)
                data = reader.jpeg(index)
                if not (target.exists() and target.read_bytes() == data):
                    write_bytes(target, data, durable=False)
                task.advance()
        n_faces = len(reader)
    with storage_errors(folder):
        os.sync()  # one for all files; the pack may go only when they are on the disk
        source.unlink()
        fsync_dir(folder)
    return PackReport(config.side.value, n_faces, source, False, ())


def _aligned(workspace: Workspace, config: PackConfig) -> Path:
    folder = workspace.aligned_dir(config.side)
    if not folder.is_dir():
        raise WorkspaceError(
            f"{folder} is missing; run `dflcolab extract -w {workspace.root} "
            f"--side {config.side.value}` first."
        )
    recover(folder)
    return folder


def _already_packed(target: Path, loose: Sequence[Path], config: PackConfig) -> PackReport:
    """Finish what a killed run left: loose files that are in the pack, byte for byte, go."""
    with PakReader(target) as reader:
        places = {entry.path: index for index, entry in enumerate(reader.entries)}
        for path in loose:
            index = places.get(path.name)
            if index is None or reader.jpeg(index) != path.read_bytes():
                raise FacesetError(
                    f"{target} is there already and {path.name} is not in it; run "
                    f"`dflcolab unpack --side {config.side.value}` first, then pack again."
                )
        n_faces = len(reader)
    _remove(target.parent, [path.name for path in loose])
    return PackReport(config.side.value, n_faces, target, True, ())


def _check_room(folder: Path, reader: PakReader) -> None:
    """Refuse before the first write if another file, or another face, has the name of a face."""
    seen: set[str] = set()
    for index, entry in enumerate(reader.entries):
        if entry.path in seen:
            raise FacesetError(
                f"{reader.path} holds {entry.path} twice, so one would be lost; use it packed, "
                "or another copy of it."
            )
        seen.add(entry.path)
        present = folder / entry.path
        if present.exists() and present.read_bytes() != reader.jpeg(index):
            raise FacesetError(
                f"{present} differs from the face of that name in {reader.path.name}; "
                "move it out of the folder, then unpack again."
            )


def _remove(folder: Path, names: Sequence[str]) -> None:
    with storage_errors(folder):
        for name in names:
            (folder / name).unlink()
        fsync_dir(folder)
