# pyright: strict
"""The head of a `faceset.pak`: what it holds, where each face lies, and room for more.

Version, length of a pickled list of dictionaries, that pickle, a table of positions. Packs written
here end their pickle with a value that is thrown away when it is read: faces that are added later
use its place, so that nothing behind it has to move.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.formats import pickle_writer, restricted_pickle

VERSION = 1
U64 = struct.Struct("<Q")

_BYTES, _POP_AND_STOP = b"\x8e", b"0."
_ROOM_MARK = b"dflcolab room 1\n"
_TRAILER_SIZE = 24
SMALLEST_ROOM = 9 + _TRAILER_SIZE + 2
"""Bytes of a pickle's end with no room left in it: an empty value, which is thrown away."""

_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]")
_LEAST_ROOM, _MOST_ROOM = 64 << 10, 1 << 30


@dataclass(frozen=True)
class PakEntry:
    """Where one face lies in a pack.

    Attributes:
        name: File name without folder.
        person: Name of the person's folder, or None.
        offset: Position of the JPEG file in the pack.
        size: Its length in bytes.
        config: The pack's own copy of the metadata, unchecked.
    """

    name: str
    person: str | None
    offset: int
    size: int
    config: dict[str, Any]

    @property
    def path(self) -> str:
        """`person/name`, or `name`."""
        return f"{self.person}/{self.name}" if self.person else self.name


@dataclass(frozen=True)
class PakLayout:
    """Where the parts of a pack lie.

    Attributes:
        config_size: Length of the pickle.
        data_start: Where the first JPEG file begins.
        data_end: Where the last one ends; bytes behind it belong to nobody.
        missing: Bytes by which the file is shorter than it was when it was packed.
    """

    config_size: int
    data_start: int
    data_end: int
    missing: int = 0


def read_entries(
    stream: BinaryIO, path: Path, *, file_size: int | None = None
) -> tuple[PakLayout, tuple[PakEntry, ...]]:
    """Read the head of a pack and check it.

    Args:
        stream: The pack, or a file in memory that holds its head, open for reading.
        path: What to call it in errors.
        file_size: Size of the pack where `stream` holds its head only.

    Raises:
        FormatError: It is damaged, or of an unknown version.
        UnsafeFileError: It asks for more than data, or holds names that leave its folder.
    """
    if file_size is None:
        file_size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(16)
    if len(head) < 16 or U64.unpack_from(head)[0] != VERSION:
        raise FormatError(f"{path} is not a faceset.pak of version 1; use another copy of it.")
    config_size: int = U64.unpack_from(head, 8)[0]
    if config_size > file_size - 16:
        raise FormatError(f"{path} is truncated; use another copy of it.")
    configs: object = restricted_pickle.loads(
        stream.read(config_size),
        name=str(path),
        extra_globals={
            ("samplelib.Sample", "SampleType"): _number,
            ("facelib.FaceType", "FaceType"): _number,
        },
    )
    if not isinstance(configs, list):
        raise FormatError(f"{path} is damaged; use another copy of it.")
    items = cast(list[object], configs)
    table = stream.read(8 * (len(items) + 1))
    start = stream.tell()
    if len(table) < 8 * (len(items) + 1):
        raise FormatError(f"{path} is truncated; use another copy of it.")
    offsets: list[int] = np.frombuffer(table, "<u8").tolist()
    missing = max(0, offsets[-1] - file_size)
    offsets[-1] = _end_of_data(offsets, start, file_size) - start
    entries: list[PakEntry] = []
    for i, config in enumerate(items):
        if not isinstance(config, dict) or not 0 <= offsets[i] <= offsets[i + 1] <= offsets[-1]:
            raise FormatError(f"{path} is damaged or truncated; use another copy of it.")
        values = cast(dict[str, Any], config)
        person = values.get("person_name")
        entries.append(
            PakEntry(
                name=_plain_name(values.get("filename"), path),
                person=None if person is None else _plain_name(person, path),
                offset=start + offsets[i],
                size=offsets[i + 1] - offsets[i],
                config=values,
            )
        )
    return PakLayout(config_size, start, start + offsets[-1], missing), tuple(entries)


def _end_of_data(offsets: Sequence[int], start: int, file_size: int) -> int:
    """Where the last face ends.

    DeepFaceLab stores it from the file's beginning. Bytes may lie behind it where adding faces was
    interrupted. A value that makes no sense (or counts from the data's start, as it should have)
    means the end of the file.
    """
    last_start = start + (offsets[-2] if len(offsets) > 1 else 0)
    stored = offsets[-1]
    if start + stored != file_size and last_start <= stored <= file_size:
        return stored
    return file_size


def _number(value: object = 0) -> int:
    if not isinstance(value, int):
        raise FormatError("holds a damaged kind of face")
    return value


def is_plain_name(value: object) -> bool:
    """Whether a name can stand in a pack: one that neither leaves its folder nor hides in it.

    Line breaks and other control characters, and halves of characters, are in no name either.
    """
    return (
        isinstance(value, str)
        and value != ""
        and not value.startswith(".")
        and _NOT_IN_NAMES.search(value) is None
    )


def _plain_name(value: object, path: Path) -> str:
    if not isinstance(value, str) or not is_plain_name(value):
        raise UnsafeFileError(
            f"{path} holds a face whose name would leave its folder; it was not opened. Delete it."
        )
    return value


def write_head(stream: BinaryIO, configs: Sequence[object], *, room: int | None = None) -> int:
    """Write a pack's head with an empty table.

    The pickle ends with a value that is thrown away when it is read: the room for later faces.

    Args:
        stream: An empty file open for writing.
        configs: The dictionaries of the faces.
        room: As for `write_pak`.

    Returns:
        Where the data start, which is where the stream stands now.
    """
    pickled = pickle_writer.dumps(list(configs), protocol=4)[:-1]
    if room is None:
        room = min(max((len(pickled) + 8 * len(configs)) // 2, _LEAST_ROOM), _MOST_ROOM)
    end = room_opening(room) + bytes(room) + room_closing(room)
    stream.write(U64.pack(VERSION) + U64.pack(len(pickled) + len(end)) + pickled + end)
    stream.write(bytes(8 * (len(configs) + 1)))
    return stream.tell()


def room_opening(room: int) -> bytes:
    """The instruction that starts the value that is thrown away, of `room` bytes and a trailer."""
    return _BYTES + U64.pack(room + _TRAILER_SIZE)


def room_closing(room: int) -> bytes:
    """The trailer, by which the room is found again, and the pickle's end."""
    return _ROOM_MARK + U64.pack(room) + _POP_AND_STOP


def find_room(stream: BinaryIO, config_size: int) -> int | None:
    """Where the room begins in a pack, or None where it has none (DeepFaceLab's have none)."""
    closing_size = _TRAILER_SIZE + len(_POP_AND_STOP)
    if config_size < SMALLEST_ROOM:
        return None
    stream.seek(16 + config_size - closing_size)
    closing = stream.read(closing_size)
    if len(closing) < closing_size or not closing.startswith(_ROOM_MARK):
        return None
    room: int = U64.unpack_from(closing, len(_ROOM_MARK))[0]
    start = 16 + config_size - SMALLEST_ROOM - room
    if closing != room_closing(room) or start < 16:
        return None
    stream.seek(start)
    return start if stream.read(9) == room_opening(room) else None


def write_table(stream: BinaryIO, offsets: Sequence[int], start: int) -> None:
    """Fill in the table; the stream stands at the end of the data."""
    end = stream.tell()  # DeepFaceLab stores the last one from the file's beginning
    stream.seek(start - 8 * (len(offsets) + 1))
    stream.write(table_bytes(offsets, end))


def table_bytes(offsets: Sequence[int], end: int) -> bytes:
    """The table: where each face begins, from the data's start, and where the file ends."""
    return np.array([*offsets, end], "<u8").tobytes()
