# pyright: strict
"""`meta.dat`: the metadata of a folder's faces in one file (DFL interoperability notes, 1.5).

A pickle of file name -> (shape of the picture, dictionary of the face). Picture editors drop the
metadata of the faces they save; this file brings it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import FormatError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.files import replacing
from dflcolab.formats import pickle_writer, restricted_pickle
from dflcolab.formats.dfl_metadata import record_from_dict, record_to_dict

BACKUP_NAME = "meta.dat"
_LONGEST_SIDE = 32768


@dataclass(frozen=True, eq=False)
class BackupEntry:
    """What a backup knows of one face.

    Attributes:
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        record: Its metadata.
    """

    width: int
    height: int
    record: FaceRecord


@dataclass(frozen=True, eq=False)
class Backup:
    """A metadata backup.

    Attributes:
        entries: By file name.
        problems: Entries that are damaged and were left out, one sentence each.
    """

    entries: Mapping[str, BackupEntry]
    problems: tuple[str, ...] = ()


def write_backup(path: Path, entries: Mapping[str, BackupEntry]) -> None:
    """Write a backup that DeepFaceLab reads; the file appears when it is complete.

    Raises:
        FormatError: The metadata of a face cannot be stored.
        StorageError: Disk full, read-only or gone.
    """
    values = {
        name: ((entry.height, entry.width, 3), record_to_dict(entry.record))
        for name, entry in entries.items()
    }
    with replacing(path) as temporary, temporary.open("wb") as stream:
        try:
            pickle_writer.dump(values, stream, protocol=4)
        except (TypeError, ValueError) as error:
            raise FormatError(
                f"The faces' metadata cannot be stored in {path}: {error}; use plain texts and "
                "numbers."
            ) from error


def read_backup(path: Path) -> Backup:
    """Read a backup, also DeepFaceLab's own.

    Raises:
        FormatError: It is missing or damaged as a whole.
        UnsafeFileError: It asks for more than data.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "it does not answer"
        raise FormatError(f"{path} cannot be read ({reason}); check the path.") from error
    values: object = restricted_pickle.loads(data, name=str(path))
    if not isinstance(values, dict):
        raise FormatError(f"{path} is no metadata backup; use another copy of it.")
    entries: dict[str, BackupEntry] = {}
    problems: list[str] = []
    for name, value in cast(dict[object, object], values).items():
        label = name[:100] if isinstance(name, str) else "an entry without a name"
        try:
            if isinstance(name, str):
                entries[name] = _entry(value, f"{path}: {label}")
            else:
                problems.append(f"{path}: {label} is damaged and was left out.")
        except FormatError as error:
            problems.append(str(error))
    if problems and not entries:
        raise FormatError(f"{path} holds no usable entry; use another copy of it.")
    return Backup(entries, tuple(problems))


def _entry(value: object, name: str) -> BackupEntry:
    parts = cast(Sequence[object], value) if isinstance(value, (tuple, list)) else ()
    if len(parts) != 2 or not isinstance(parts[1], dict):
        raise FormatError(f"{name} is damaged and was left out.")
    shape = cast(Sequence[object], parts[0]) if isinstance(parts[0], (tuple, list)) else ()
    sides: list[int] = []
    for side in shape[:2]:
        if not isinstance(side, int) or not 0 < side <= _LONGEST_SIDE:
            raise FormatError(f"{name} has a picture size out of all reason and was left out.")
        sides.append(side)
    if len(sides) != 2:
        raise FormatError(f"{name} does not say how large its picture was and was left out.")
    return BackupEntry(
        width=sides[1],
        height=sides[0],
        record=record_from_dict(cast(dict[str, Any], parts[1]), name),
    )
