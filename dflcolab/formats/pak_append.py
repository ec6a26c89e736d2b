# pyright: strict
"""Adding faces to a pack without writing it again.

The new pictures go behind the old ones, their metadata into the room that the head has (see
`pak_head`). Only packs without enough room are written again, with room for the next time.
DeepFaceLab reads the pack before and after; in between (`pak_redo`) it reads the old faces.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dflcolab.errors import FacesetError, FormatError
from dflcolab.files import replacing, storage_errors
from dflcolab.formats import pickle_writer
from dflcolab.formats.dfl_metadata import check_plain
from dflcolab.formats.faceset_pak import PakEntry, PakItem, PakReader, config_of
from dflcolab.formats.pak_head import (
    SMALLEST_ROOM,
    U64,
    PakLayout,
    find_room,
    read_entries,
    room_closing,
    room_opening,
    table_bytes,
    write_head,
    write_table,
)
from dflcolab.formats.pak_redo import Patch, Redo, commit, locked, redo_path
from dflcolab.progress import Progress


@dataclass(frozen=True)
class Appended:
    """How faces were added.

    Attributes:
        in_place: True where the old pictures stayed where they were.
        bytes_written: Bytes that went to the disk, the redo file included.
    """

    in_place: bool
    bytes_written: int


def append_to_pak(
    path: Path, items: Sequence[PakItem], *, progress: Progress | None = None
) -> Appended:
    """Add faces behind those that a pack holds.

    Args:
        path: A pack.
        items: The faces; no two of the pack's should have one name.
        progress: Shows the work.

    Raises:
        FormatError: The pack is damaged, or a face cannot be read any more; the pack is as it was.
        StorageError: Disk full, read-only or gone; the pack is as it was.
        Interrupted: The user asked to stop; the pack is as it was.
    """
    progress = progress or Progress()
    with PakReader(path) as reader, storage_errors(path), path.open("rb+") as stream:
        with locked(stream):
            _check_still(stream, reader)
            plan = _plan(stream, reader, items)
            if plan is not None:
                return _append_in_place(stream, reader, items, plan, progress)
        return _rewrite(reader, items, progress)


@dataclass(frozen=True)
class _Plan:
    """Where the new metadata go: the room's place, what is written there, what room is left."""

    room_at: int
    configs: bytes
    config_end: int
    left: int


def _plan(stream: BinaryIO, reader: PakReader, items: Sequence[PakItem]) -> _Plan | None:
    """None where the head has not enough room."""
    room_at = find_room(stream, reader.layout.config_size)
    if room_at is None:
        return None
    configs = pickle_writer.list_extension([config_of(item) for item in items])
    config_end = reader.layout.data_start - 8 * (len(reader) + len(items) + 1)
    left = config_end - room_at - len(configs) - SMALLEST_ROOM
    return None if left < 0 else _Plan(room_at, configs, config_end, left)


def _append_in_place(
    stream: BinaryIO, reader: PakReader, items: Sequence[PakItem], plan: _Plan, progress: Progress
) -> Appended:
    layout = reader.layout
    offsets = [entry.offset - layout.data_start for entry in reader.entries]
    digest = hashlib.sha256()
    try:
        stream.truncate(layout.data_end)  # what an interrupted run has left
        stream.seek(layout.data_end)
        with progress.task("Packing", total=len(items), unit="faces") as task:
            for item in items:
                progress.raise_if_stopped()
                data = item.face.jpeg()
                offsets.append(stream.tell() - layout.data_start)
                stream.write(data)
                digest.update(data)
                task.advance()
        end = stream.tell()
        stream.flush()
        os.fsync(stream.fileno())
        patches = _patches(offsets, end, plan)
        _check_head(stream, reader, items, patches, end)
    except BaseException:
        with suppress(OSError):
            stream.truncate(layout.data_end)
        raise
    commit(reader.path, stream, Redo(layout.data_end, end, digest.hexdigest(), patches))
    changed = sum(len(patch.data) for patch in patches)
    return Appended(True, end - layout.data_end + 2 * changed)


def _patches(offsets: Sequence[int], end: int, plan: _Plan) -> tuple[Patch, ...]:
    closing = room_closing(plan.left)
    return (
        Patch(plan.room_at, plan.configs + room_opening(plan.left)),
        Patch(plan.config_end - len(closing), closing + table_bytes(offsets, end)),
        Patch(8, U64.pack(plan.config_end - 16)),
    )


def _check_head(
    stream: BinaryIO,
    reader: PakReader,
    items: Sequence[PakItem],
    patches: Sequence[Patch],
    end: int,
) -> None:
    """Read the head as it will be before it is written: a pack may only pretend to have room."""
    stream.seek(0)
    head = io.BytesIO(stream.read(reader.layout.data_start))
    for patch in patches:
        head.seek(patch.offset)
        head.write(patch.data)
    config_size = patches[1].offset + len(room_closing(0)) - 16
    wanted = PakLayout(config_size, reader.layout.data_start, end)
    try:
        layout, entries = read_entries(head, reader.path, file_size=end)
    except FormatError as error:
        raise _damaged(reader.path) from error
    names = [_place(entry) for entry in reader.entries]
    names_after = [_place(entry) for entry in entries[: len(names)]]
    added = [(entry.name, entry.person) for entry in entries[len(names) :]]
    if (
        layout != wanted
        or names != names_after
        or added != [(item.name, item.person) for item in items]
    ):
        raise _damaged(reader.path)


def _place(entry: PakEntry) -> tuple[str, int, int]:
    return entry.path, entry.offset, entry.size


def _damaged(path: Path) -> FormatError:
    return FormatError(f"{path} has a damaged head, so no face was added; unpack it and pack anew.")


def _rewrite(reader: PakReader, items: Sequence[PakItem], progress: Progress) -> Appended:
    """The whole pack again, with room for the next time."""
    configs: list[object] = []
    for entry in reader.entries:
        try:
            check_plain(entry.config)
        except FormatError as error:
            raise _damaged(reader.path) from error
        configs.append(entry.config)
    configs += [config_of(item) for item in items]
    total = len(configs)
    with (
        replacing(reader.path) as temporary,
        temporary.open("wb") as stream,
        progress.task("Packing anew, with room", total=total, unit="faces") as task,
    ):
        try:
            start = write_head(stream, configs)
        except (TypeError, ValueError) as error:
            raise _damaged(reader.path) from error
        offsets: list[int] = []
        for i in range(total):
            progress.raise_if_stopped()
            n_old = len(reader)
            data = reader.jpeg(i) if i < n_old else items[i - n_old].face.jpeg()
            offsets.append(stream.tell() - start)
            stream.write(data)
            task.advance()
        write_table(stream, offsets, start)
        size = stream.seek(0, io.SEEK_END)
    return Appended(False, size)


def _check_still(stream: BinaryIO, reader: PakReader) -> None:
    """Refuse if another program has replaced or changed the pack since it was read."""
    status = os.fstat(stream.fileno())
    stream.seek(8)
    unchanged = stream.read(8) == U64.pack(reader.layout.config_size)
    if (
        not unchanged
        or status.st_size < reader.layout.data_end
        or redo_path(reader.path).exists()
        or not os.path.samestat(status, reader.path.stat())
    ):
        raise FacesetError(f"Another program is changing {reader.path}; run again when it is done.")
