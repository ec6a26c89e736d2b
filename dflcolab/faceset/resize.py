# pyright: strict
"""A whole faceset at another size or as another face type, in a folder that is complete at the end.

New faces are written to a hidden folder beside the faceset's. After an interruption the ones that
are there already stay, if their originals are the same files as before. At the end the new folder
takes the place of the old one, which is kept; `resize_undo` brings it back.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dflcolab.errors import FacesetError, FormatError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.convert import ConvertedFace, convert_face
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.folder_swap import swap_in
from dflcolab.faceset.whole_picture import PartMissingError, is_whole
from dflcolab.files import storage_errors, write_bytes, write_text
from dflcolab.formats.dfl_jpeg import face_from_bytes, read_record_bytes
from dflcolab.formats.jpeg_segments import read_header
from dflcolab.progress import Progress
from dflcolab.workspace.moving import free_name

NOTE_NAME = ".resize.json"
"""The note in a kept folder: what its faces became, by which an undo knows them again."""

_DONE_NAME = ".done.jsonl"


@dataclass(frozen=True)
class ResizedFaces:
    """What became of a faceset.

    Attributes:
        changed: Faces with a new picture.
        unchanged: Faces that were as wanted already.
        enlarged: Faces that have more pixels than before, and no more detail.
        with_border: Faces with a border that their old picture did not reach, and so is empty.
        problems: Files that stayed as they were, and why.
        kept: The folder with the former faces; None if nothing changed.
    """

    changed: int
    unchanged: int
    enlarged: int
    with_border: int
    problems: tuple[str, ...]
    kept: Path | None


@dataclass(frozen=True)
class _Outcome:
    name: str
    keys: tuple[str, str] = ("", "")
    changed: bool = False
    enlarged: bool = False
    border: bool = False
    problem: str = ""


@dataclass(frozen=True)
class _Done:
    """A line of the list of faces that lie in the hidden folder."""

    name: str
    stamp: str
    picture: str
    record: str
    changed: bool
    enlarged: bool
    border: bool


def resize_faces(
    paths: Sequence[Path],
    *,
    size: int | None,
    face_type: FaceType | None = None,
    jpeg_quality: int = 100,
    progress: Progress,
) -> ResizedFaces:
    """Resize all faces of a folder; it changes as a whole at the end.

    Args:
        paths: The face files, all in one folder.
        size: Side of the new pictures in pixels; None keeps each picture's own.
        face_type: Extent of the new crops; None keeps each face's own.
        jpeg_quality: 1 to 100.
        progress: Shows the work and carries the wish to stop.

    Raises:
        FacesetError: None of the files can be resized, or their folder cannot be exchanged.
        StorageError: The disk is full or read-only; the faceset is as it was.
        Interrupted: The user asked to stop; the faceset is as it was, and the next call goes on.
    """
    folder = paths[0].parent
    refuse_link(folder)
    staged = folder.with_name(f".{folder.name}_resized")
    wish = f"{size or 'own'} {face_type.value if face_type else 'own'} {jpeg_quality}"
    done = _open_staging(staged, wish)

    def work(file: FaceFile) -> _Outcome:
        name, stamp = file.path.name, _stamp(file.path)
        earlier = done.get(name)
        if earlier is not None and earlier.stamp == stamp and (staged / name).exists():
            return _outcome(earlier)
        try:
            if file.problem:
                return _Outcome(name, problem=file.problem)
            face = face_from_bytes(file.data, str(file.path))
            if not is_whole(file.data):  # afterwards nothing would tell
                raise PartMissingError(
                    f"A part of the picture in {file.path} is missing; it was left as it is. Use "
                    "another copy of the file."
                )
            new = convert_face(face, size=size, face_type=face_type, jpeg_quality=jpeg_quality)
        except (FacesetError, FormatError) as error:
            return _Outcome(name, problem=str(error))
        write_bytes(staged / name, new.data, durable=False)
        picture, record = face_keys(new.data, read_record_bytes(new.data, str(file.path)))
        line = _Done(name, stamp, picture, record, new.changed, new.enlarged, _has_border(new))
        with (staged / _DONE_NAME).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(line)) + "\n")
        return _outcome(line)

    outcomes = list(for_each_face(paths, work, progress=progress, title="Resizing"))
    changed = sum(outcome.changed for outcome in outcomes)
    problems = tuple(outcome.problem for outcome in outcomes if outcome.problem)
    if len(problems) == len(outcomes):
        _discard(staged)
        raise FacesetError(
            f"None of the {len(outcomes)} files in {folder} can be resized (the first: "
            f"{problems[0].rstrip('.')}); nothing was changed."
        )
    kept = None
    if changed:
        kept = _put_in_place(folder, staged, {o.name: o.keys for o in outcomes if not o.problem})
    else:
        _discard(staged)
    return ResizedFaces(
        changed=changed,
        unchanged=len(outcomes) - changed - len(problems),
        enlarged=sum(outcome.enlarged for outcome in outcomes),
        with_border=sum(outcome.border for outcome in outcomes),
        problems=problems,
        kept=kept,
    )


def _put_in_place(folder: Path, staged: Path, made: Mapping[str, tuple[str, str]]) -> Path:
    kept = folder.with_name(free_name(folder.parent, f"{folder.name}_before_resize"))
    carried = sorted(set(visible_names(folder)) - set(made))
    with storage_errors(staged):
        stale = set(visible_names(staged)) - set(made)  # faces that went since an earlier run
        for name in [*stale, _DONE_NAME]:
            (staged / name).unlink(missing_ok=True)
        (staged / NOTE_NAME).unlink(missing_ok=True)
        write_text(folder / NOTE_NAME, json.dumps({"version": 2, "made": dict(made)}))
        os.sync()  # one for all files; the folder may take its place only when they are on the disk
    swap_in(folder, staged, kept, carry=carried)
    return kept


def _open_staging(staged: Path, wish: str) -> dict[str, _Done]:
    """Make the hidden folder; what an earlier run with the same wish has done, by name."""
    note = staged / NOTE_NAME
    with storage_errors(staged):
        try:
            same = json.loads(note.read_text(encoding="utf-8")) == wish
        except (OSError, ValueError):
            same = False
        if not same:
            _discard(staged)
            staged.mkdir()
            write_text(note, json.dumps(wish))
    done: dict[str, _Done] = {}
    if (staged / _DONE_NAME).exists():
        for line in (staged / _DONE_NAME).read_bytes().splitlines():
            try:
                entry = _Done(**json.loads(line))
            except (ValueError, TypeError):  # the line at which a run was killed
                continue
            done[entry.name] = entry
    return done


def _stamp(path: Path) -> str:
    """What tells one original from another that has its name after a sort."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _outcome(done: _Done) -> _Outcome:
    keys = done.picture, done.record
    return _Outcome(done.name, keys, done.changed, done.enlarged, done.border)


def _has_border(face: ConvertedFace) -> bool:
    return face.covered < 0.995  # half a percent: rounding, and the slant of a crop's edge


def refuse_link(folder: Path) -> None:
    """Refuse a folder whose place no other one can take.

    Raises:
        FacesetError: It is a link to a folder elsewhere, or a disk of its own.
    """
    if folder.is_symlink() or folder.is_mount():
        kind = "a link" if folder.is_symlink() else "a disk of its own"
        raise FacesetError(
            f"{folder} is {kind}, and resize puts another folder in its place; move the faces into a "
            "plain folder of that name first."
        )


def visible_names(folder: Path) -> list[str]:
    """All entries of a folder that are not hidden."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".")]


def face_keys(data: bytes, record: FaceRecord | None) -> tuple[str, str]:
    """What a face keeps under every name: its picture, and its frame with its landmarks there.

    The first stays whatever mask it gets, the second where another program has worked on the
    picture. "" for what the file does not have.

    Args:
        data: The face file.
        record: Its face data.
    """
    try:
        scan = read_header(io.BytesIO(data), "").scan_offset
    except FormatError:
        return "", ""
    picture = hashlib.sha256(data[scan:]).hexdigest()
    if record is None:
        return picture, ""
    frame = (record.source_filename or "").encode(errors="surrogatepass")
    points = np.ascontiguousarray(record.landmarks, dtype=np.float32).tobytes()
    return picture, hashlib.sha256(frame + points).hexdigest()


def _discard(staged: Path) -> None:
    """Remove a hidden folder of faces that can all be made again."""
    with storage_errors(staged):
        if staged.exists():
            shutil.rmtree(staged)
