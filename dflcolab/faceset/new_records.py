# pyright: strict
"""Other metadata for many faces of a side, whether they are loose files or packed.

Loose files are replaced one by one. A pack is written anew beside the old one, which goes when the
new one is complete; its pictures are not compressed again.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from dflcolab.errors import FormatError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.formats.dfl_jpeg import Face, embed, replace_record
from dflcolab.formats.faceset_pak import PAK_NAME, PakItem, PakReader, write_pak
from dflcolab.progress import Progress


def write_records(
    folder: Path, records: Mapping[Path, FaceRecord], *, progress: Progress
) -> tuple[int, list[str]]:
    """Give faces other metadata.

    Args:
        folder: The `aligned` folder. Nobody else may change it meanwhile (see `folder_lock`).
        records: By the face's path, as `face_source` names it; in a pack that of its unpacked file.
        progress: Shows the work and carries the wish to stop.

    Returns:
        How many were written, and a sentence for each that was not: its picture is damaged, or the
        metadata does not fit into the file.

    Raises:
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop; loose files that are done stay so, a pack is as before.
    """
    pak = folder / PAK_NAME
    if pak.is_file():
        return _packed(pak, {p.relative_to(folder).as_posix(): r for p, r in records.items()},
                       progress)  # fmt: skip
    written = 0
    problems: list[str] = []
    with progress.task("Writing face files", total=len(records), unit="faces") as task:
        for path, record in records.items():
            progress.raise_if_stopped()
            try:
                replace_record(path, record)
                written += 1
            except FormatError as error:
                problems.append(str(error))
            task.advance()
    return written, problems


def _packed(
    pak: Path, records: Mapping[str, FaceRecord], progress: Progress
) -> tuple[int, list[str]]:
    items: list[PakItem] = []
    problems: list[str] = []
    written = 0
    with PakReader(pak) as reader:
        for index, name in enumerate(reader.names):
            progress.raise_if_stopped()
            face, record = reader.read(index), records.get(name)
            if record is not None:
                try:
                    embed(face.jpeg(), record, name=name)
                except FormatError as error:
                    problems.append(str(error))
                else:
                    load = functools.partial(_embedded, face, record, name)
                    face = Face(face.name, record, face.width, face.height, load)
                    written += 1
            person, _, own = name.rpartition("/")
            items.append(PakItem(own, face, person or None))
        if written:
            write_pak(pak, items, progress=progress)
    return written, problems


def _embedded(face: Face, record: FaceRecord, name: str) -> bytes:
    return embed(face.jpeg(), record, name=name)
