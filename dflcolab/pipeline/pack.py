"""`pack` and `unpack`: all faces of a side in one `faceset.pak`, and out of it again.

The loose files go only after the pack was read back and every picture compared; the pack goes only
after every picture lies in the folder. A kill in between leaves both, and the next call goes on.
Where there is a pack already, `pack` adds the loose faces to it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import FacesetError, FormatError, WorkspaceError
from dflcolab.faceset.config import PackConfig, UnpackConfig
from dflcolab.faceset.face_files import FACE_SUFFIXES
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.packing import find_loose, read_loose, without_packed
from dflcolab.faceset.renaming import recover
from dflcolab.files import LONGEST_NAME, fsync_dir, storage_errors, write_bytes
from dflcolab.formats.faceset_pak import PAK_NAME, PakItem, PakReader, verify_pak, write_pak
from dflcolab.formats.pak_append import append_to_pak
from dflcolab.progress import Progress
from dflcolab.words import counted
from dflcolab.workspace.workspace import Workspace


@dataclass(frozen=True)
class PackReport:
    """What `pack` or `unpack` did.

    Attributes:
        side: Whose faces.
        faces: Number of faces in the pack, or taken out of it.
        pack: The file.
        packed: True if the faces are in the pack now.
        problems: What stayed loose and why, in sentences.
        added: Faces that came into the pack this time.
        renamed: Faces that got another name, because the pack held their name already.
        people: Names of the people in the pack.
    """

    side: str
    faces: int
    pack: Path
    packed: bool
    problems: tuple[str, ...]
    added: int = 0
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    people: tuple[str, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        where = f"In {self.pack}" if self.packed else f"Loose files in {self.pack.parent}"
        lines = [f"{where}: {counted(self.faces, 'face')} of {self.side}."]
        if self.packed and self.added != self.faces:
            lines.append(f"Added now: {self.added}.")
        if self.people:
            lines.append(f"People: {', '.join(self.people)}.")
        lines += [f"{old} is called {new} now." for old, new in self.renamed.items()]
        return "\n".join([*lines, *self.problems])


@alone_with_faces
def pack(
    workspace: Workspace, config: PackConfig, *, progress: Progress | None = None
) -> PackReport:
    """Put the loose faces of one side into `faceset.pak`, or add them to the one that is there.

    Raises:
        FacesetError: There are no faces, or it is not clear which ones are meant.
        FormatError: The pack did not verify; the loose files are untouched.
        StorageError: The disk is full or read-only; the loose files are untouched.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    folder = _aligned(workspace, config)
    target = folder / PAK_NAME
    loose = find_loose(folder, persons=config.persons)
    faces, problems = read_loose(loose, progress=progress)
    problems = [*loose.notes, *problems]
    if target.exists():
        return _add(target, faces, problems, config, progress)
    if not loose.files:
        raise FacesetError(
            f"There are no faces in {folder}; run `dflcolab extract -w {workspace.root} "
            f"--side {config.side.value}` first."
        )
    if not faces:
        raise FacesetError(
            f"None of the {len(loose.files)} files in {folder} is a face; nothing to pack."
        )
    items = [item for _, item in faces]
    write_pak(target, items, progress=progress)
    try:
        verify_pak(target, items, lambda item: item.face.jpeg())
    except FormatError:
        target.unlink()
        raise
    _remove(folder, [path for path, _ in faces])
    return PackReport(
        side=config.side.value,
        faces=len(items),
        pack=target,
        packed=True,
        problems=tuple(problems),
        added=len(items),
        people=tuple(dict.fromkeys(item.person for item in items if item.person)),
    )


def _add(
    target: Path,
    faces: Sequence[tuple[Path, PakItem]],
    problems: Sequence[str],
    config: PackConfig,
    progress: Progress,
) -> PackReport:
    """Add what is new; loose files that are in the pack, byte for byte, go."""
    with PakReader(target) as reader:
        if reader.layout.missing:
            raise _truncated(reader, config)
        new, packed, renamed = without_packed(faces, reader)
        n_faces, people = len(reader), reader.persons
    if new:
        append_to_pak(target, [item for _, item in new], progress=progress)
        with PakReader(target) as reader:
            n_faces, people = len(reader), reader.persons
            first = n_faces - len(new)
            for index, (path, item) in enumerate(new):
                if reader.jpeg(first + index) != item.face.jpeg():
                    raise FormatError(
                        f"{target} did not verify after {path.name} was added; the loose files are "
                        "untouched. Check the disk, then unpack and pack again."
                    )
    _remove(target.parent, [*packed, *(path for path, _ in new)])
    return PackReport(
        side=config.side.value,
        faces=n_faces,
        pack=target,
        packed=True,
        problems=tuple(problems),
        added=len(new),
        renamed=renamed,
        people=tuple(people),
    )


@alone_with_faces
def unpack(
    workspace: Workspace, config: UnpackConfig, *, progress: Progress | None = None
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
        if reader.layout.missing:
            raise _truncated(reader, config)
        _check_room(folder, reader, config.side.value)
        with progress.task("Unpacking", total=len(reader), unit="faces") as task:
            for index, entry in enumerate(reader.entries):
                progress.raise_if_stopped()
                target = folder / entry.path
                with storage_errors(target):
                    target.parent.mkdir(exist_ok=True)
                data = reader.jpeg(index)
                if not target.exists():
                    write_bytes(target, data, durable=False)
                elif target.read_bytes() != data:  # a disk to which A.jpg and a.jpg are one name
                    raise _in_the_way(target, reader)
                task.advance()
        n_faces = len(reader)
    with storage_errors(folder):
        os.sync()  # one for all files; the pack may go only when they are on the disk
        source.unlink()
        fsync_dir(folder)
    return PackReport(config.side.value, n_faces, source, False, ())


def _aligned(workspace: Workspace, config: UnpackConfig) -> Path:
    folder = workspace.aligned_dir(config.side)
    recover(folder)
    if not folder.is_dir():
        raise WorkspaceError(
            f"{folder} is missing; run `dflcolab extract -w {workspace.root} "
            f"--side {config.side.value}` first."
        )
    return folder


def _truncated(reader: PakReader, config: UnpackConfig) -> FormatError:
    return FormatError(
        f"{reader.path} is truncated ({reader.layout.missing} bytes are missing at its end); copy "
        "it again from where it came from, or take the faces that are whole into a new workspace: "
        f"`dflcolab init -w NEW`, then `dflcolab append -w NEW --side {config.side.value} --from "
        f"{shlex.quote(str(reader.path))}`. Nothing was changed."
    )


def _check_room(folder: Path, reader: PakReader, side: str) -> None:
    """Refuse before the first write what cannot become files.

    That is a face with the name of another one or of another file, or with one that no face has.
    """
    elsewhere = (
        "use it packed, or take its faces into a new workspace, where they get names of their own: "
        f"`dflcolab init -w NEW`, then `dflcolab append -w NEW --side {side} --from "
        f"{shlex.quote(str(reader.path))}`"
    )
    seen: set[str] = set()
    for index, entry in enumerate(reader.entries):
        if not entry.name.lower().endswith(FACE_SUFFIXES):
            raise FacesetError(
                f"{reader.path} holds {entry.path}, which is no name of a face file; use it packed, or "
                "another copy of it."
            )
        if any(len(os.fsencode(part)) > LONGEST_NAME for part in entry.path.split("/")):
            raise FacesetError(
                f"{reader.path} holds a face whose name is too long for a file here ({entry.name[:40]} "
                f"…); {elsewhere}."
            )
        if entry.path in seen:
            raise FacesetError(
                f"{reader.path} holds {entry.path} twice, so one would be lost; {elsewhere}."
            )
        seen.add(entry.path)
        present = folder / entry.path
        if present.exists() and present.read_bytes() != reader.jpeg(index):
            raise _in_the_way(present, reader)


def _in_the_way(present: Path, reader: PakReader) -> FacesetError:
    return FacesetError(
        f"{present} differs from the face of that name in {reader.path.name}; "
        "move it out of the folder, then unpack again."
    )


def _remove(folder: Path, paths: Sequence[Path]) -> None:
    """Remove packed files, and the people's folders that are empty then."""
    with storage_errors(folder):
        for path in paths:
            path.unlink()
        for person in {path.parent for path in paths} - {folder}:
            with suppress(OSError):  # something else lies in it
                person.rmdir()
        fsync_dir(folder)
