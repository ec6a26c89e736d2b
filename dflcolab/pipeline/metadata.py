"""`metadata`: the faces' metadata in a file, while another program works on the pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dflcolab.errors import FacesetError, FormatError, UnsafeFileError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.face_files import FaceFile, for_each_face, loose_faces, read_face_head
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.labels import FaceLabel
from dflcolab.faceset.tools_config import MetadataConfig
from dflcolab.files import fsync_dir, storage_errors, write_bytes
from dflcolab.formats import pickle_writer
from dflcolab.formats.dfl_jpeg import SUFFIXES, decode_picture, embed
from dflcolab.formats.dfl_metadata import record_to_dict
from dflcolab.formats.jpeg_segments import read_header
from dflcolab.formats.metadata_backup import (
    BACKUP_NAME,
    Backup,
    BackupEntry,
    read_backup,
    write_backup,
)
from dflcolab.pipeline.mask_backup import keep_polygons
from dflcolab.progress import Progress
from dflcolab.words import counted
from dflcolab.workspace.moving import copy_file, free_name, move_file
from dflcolab.workspace.workspace import Workspace

_RESTORED_NAME = "meta_restored.dat"
_SAME_POINT = 0.01
"""Pixels by which the landmarks of one face may differ between two programs' files."""


@dataclass(frozen=True)
class MetadataReport:
    """What `metadata` did.

    Attributes:
        side: Whose faces.
        action: `save` or `restore`.
        faces: Faces whose metadata were saved, or are in place now.
        written: Faces into which metadata were written.
        resized: Of these, faces that an editor had given another size.
        file: The backup; after restoring, where it was put aside.
        without_entry: Faces the backup does not know, by name.
        without_face: Entries of the backup without a face file, by name.
        problems: Files that could not be used, one sentence each.
        outlines: File with drawn outlines that the backup's took the place of; None: there were none.
    """

    side: str
    action: str
    faces: int
    written: int
    resized: int
    file: Path
    without_entry: tuple[str, ...]
    without_face: tuple[str, ...]
    problems: tuple[str, ...]
    outlines: Path | None = None

    def summary(self) -> str:
        """The report in a few lines."""
        if self.action == "save":
            lines = [
                f"Metadata saved: {counted(self.faces, 'face')} of {self.side}, in {self.file}."
            ]
            return "\n".join([*lines, *self.problems])
        count = counted(self.faces, "face")
        lines = [
            f"Metadata in place: {count} of {self.side}; {self.written} needed them back.",
        ]
        if self.resized:
            lines.append(f"{self.resized} were brought back to the size they had.")
        if self.without_entry:
            lines.append(
                f"Not in the backup: {_some(self.without_entry)}; they stayed as they are."
            )
        if self.without_face:
            lines.append(f"In the backup, but not in the folder: {_some(self.without_face)}.")
        if self.outlines is not None:
            lines.append(f"Outlines drawn since the backup are kept in {self.outlines}.")
        lines.append(f"The backup is {self.file}.")
        return "\n".join([*lines, *self.problems])


@alone_with_faces
def metadata(
    workspace: Workspace, config: MetadataConfig, *, progress: Progress | None = None
) -> MetadataReport:
    """Save the metadata of one side's faces to `meta.dat`, or put them back from there.

    Pictures of unchanged size are never compressed again, and a backup is never removed.

    Raises:
        FacesetError: There are no faces, they are packed, saving would drop metadata that only the
            backup has, or faces were renamed since they were saved.
        FormatError: The backup is missing or damaged.
        UnsafeFileError: It asks for more than data.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop; run it again to go on.
    """
    progress = progress or Progress()
    paths = loose_faces(workspace, config.side)
    if config.action == "save":
        return _save(paths, config, progress)
    return _restore(workspace, paths, config, progress)


def _save(paths: Sequence[Path], config: MetadataConfig, progress: Progress) -> MetadataReport:
    target = paths[0].parent / BACKUP_NAME
    entries: dict[str, BackupEntry] = {}
    problems: list[str] = []
    bare: list[str] = []
    for name, found in for_each_face(paths, _entry_of, progress=progress, title="Reading faces"):
        if isinstance(found, BackupEntry):
            entries[name] = found
        elif found:
            problems.append(found)
        else:
            bare.append(name)
    if not entries:
        raise FacesetError(
            f"No file in {target.parent} has face metadata; there is nothing to save."
        )
    if target.exists():
        known = _read(target).entries
        if lost := [name for name in bare if name in known]:
            raise FacesetError(
                f"{len(lost)} faces ({lost[0]} …) have no metadata now, and {target} has them; run "
                f"`dflcolab metadata restore --side {config.side.value}` first."
            )
        copy_file(target, target.with_name(free_name(target.parent, BACKUP_NAME)))
    write_backup(target, entries)
    problems += [f"{name} has no face metadata and was left out." for name in bare]
    return MetadataReport(
        config.side.value, "save", len(entries), 0, 0, target, (), (), tuple(problems)
    )  # fmt: skip


def _entry_of(file: FaceFile) -> tuple[str, BackupEntry | str]:
    """A face's entry; a sentence for a damaged file; an empty text for an ordinary picture."""
    if file.record is None:
        return file.path.name, file.problem
    header = read_header(io.BytesIO(file.data), str(file.path))
    return file.path.name, BackupEntry(header.width, header.height, file.record)


def _restore(
    workspace: Workspace, paths: Sequence[Path], config: MetadataConfig, progress: Progress
) -> MetadataReport:
    source = paths[0].parent / BACKUP_NAME
    if not source.exists():
        done = source.with_name(_RESTORED_NAME)
        if done.exists():
            raise FormatError(
                f"There is no {source}; the last restore was completed and put it aside as {done}. "
                f"Rename that to {BACKUP_NAME} to put it back once more."
            )
        raise FormatError(
            f"There is no {source}; `dflcolab metadata save --side {config.side.value}` makes one "
            "before you edit the pictures."
        )
    backup = _read(source)
    pictures = {path.name: path for path in paths}
    known = [path for name, path in pictures.items() if name in backup.entries]
    replaced = _look_first(known, backup, config, progress)
    outlines = keep_polygons(workspace, config.side.value, replaced)
    problems = list(backup.problems)
    faces = written = resized = 0
    outcomes = for_each_face(
        known,
        lambda file: _put_back(file, backup.entries[file.path.name]),
        progress=progress,
        title="Putting metadata back",
    )
    for outcome in outcomes:
        problems += [outcome.problem] if outcome.problem else []
        faces += not outcome.problem
        written += outcome.written
        resized += outcome.resized
    without_face = tuple(name for name in backup.entries if name not in pictures)
    problems += _other_endings(without_face, pictures)
    kept = source
    if not problems:  # DeepFaceLab deletes it; here it moves out of the way, and only when done
        kept = source.with_name(free_name(source.parent, _RESTORED_NAME))
        with storage_errors(source):
            fsync_dir(source.parent)
            move_file(source, kept)
            fsync_dir(source.parent)
    return MetadataReport(
        side=config.side.value,
        action="restore",
        faces=faces,
        written=written,
        resized=resized,
        file=kept,
        without_entry=tuple(name for name in pictures if name not in backup.entries),
        without_face=without_face,
        problems=tuple(problems),
        outlines=outlines,
    )


def _look_first(
    paths: Sequence[Path], backup: Backup, config: MetadataConfig, progress: Progress
) -> list[FaceLabel]:
    """The outlines of faces that the backup's will take the place of.

    Raises:
        FacesetError: Faces were renamed since the backup was made, so that their names there are
            those of other faces.
        Interrupted: The user asked to stop; nothing was written.
    """
    renamed: list[str] = []
    replaced: list[FaceLabel] = []
    heads = for_each_face(
        paths,
        lambda file: (file.path, file.record),
        progress=progress,
        title="Comparing with the backup",
        read=read_face_head,
    )
    for path, own in heads:
        if own is None:
            continue
        entry = backup.entries[path.name]
        kept = entry.record
        if own.source_filename and kept.source_filename not in (None, own.source_filename):
            renamed.append(path.name)
        elif own.has_points and _is_face(own, kept) and not _equal(own, kept):
            replaced.append(FaceLabel(path.name, entry.width, entry.height, own.polygons))
    if renamed:
        raise FacesetError(
            f"{_some(renamed)} in {paths[0].parent}: {BACKUP_NAME} knows other faces by these names, "
            "for they were sorted or renamed since it was saved. Nothing was written; sort them as they "
            f"were sorted then (`dflcolab sort --side {config.side.value} --by recover-names` gives the "
            "names of the frames), then restore again."
        )
    return replaced


def _is_face(own: FaceRecord, kept: FaceRecord) -> bool:
    """Whether a backup's entry is of the very picture, not of another size or with other points."""
    return np.allclose(own.landmarks, kept.landmarks, atol=_SAME_POINT)


def _read(path: Path) -> Backup:
    """A backup; where it is damaged, the error says what is left.

    Raises:
        FormatError: It is damaged as a whole.
        UnsafeFileError: It asks for more than data.
    """
    try:
        return read_backup(path)
    except UnsafeFileError:
        raise
    except FormatError as error:
        earlier = sorted(
            other.name for other in path.parent.glob("meta*.dat") if other.name != path.name
        )
        left = (
            f"An earlier one lies beside it ({', '.join(earlier)}): rename that to {path.name}."
            if earlier
            else "Move it away: `dflcolab metadata save` makes a new one of the faces that have "
            "their metadata, and extract makes the others again."
        )
        raise FormatError(f"{error} {left}") from error


@dataclass(frozen=True)
class _Outcome:
    written: bool = False
    resized: bool = False
    problem: str = ""


def _put_back(file: FaceFile, entry: BackupEntry) -> _Outcome:
    """Write the metadata into a face; its picture changes only if its size has changed."""
    name = str(file.path)
    if file.path.suffix.lower() not in SUFFIXES:
        return _Outcome(problem=f"{name} is no JPEG; save it as one under that name.")
    if file.record is not None and not _is_face(file.record, entry.record):
        return _Outcome(
            problem=f"{name} has metadata of its own, with other landmarks than the backup (they were "
            "corrected, or the face was resized); it kept them."
        )
    try:
        header = read_header(io.BytesIO(file.data), name)
        data, resized = file.data, False
        same_size = (header.width, header.height) == (entry.width, entry.height)
        if same_size and file.record is not None and _equal(file.record, entry.record):
            return _Outcome()  # also where another program has written the same in other bytes
        if not same_size:
            picture = cv2.resize(
                decode_picture(data, name),
                (entry.width, entry.height),
                interpolation=cv2.INTER_LANCZOS4,
            )
            data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
            resized = True
        new = embed(data, entry.record, name=name)
    except FormatError as error:
        return _Outcome(problem=str(error))
    write_bytes(file.path, new)
    return _Outcome(written=True, resized=resized)


def _equal(one: FaceRecord, other: FaceRecord) -> bool:
    """Whether two faces have the same metadata, as far as a file holds them."""
    return pickle_writer.dumps(record_to_dict(one), protocol=4) == pickle_writer.dumps(
        record_to_dict(other), protocol=4
    )


def _other_endings(missing: Sequence[str], pictures: Mapping[str, Path]) -> list[str]:
    """Faces that an editor has saved in another format."""
    stems = {path.stem: path for path in pictures.values()}
    return [
        f"{stems[Path(name).stem]} cannot carry metadata; save it as {name}."
        for name in missing
        if Path(name).stem in stems
    ]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
