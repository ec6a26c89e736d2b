# pyright: strict
"""`faceset.pak`: all faces of a folder in one file (DFL interoperability notes, section 2).

Layout: version, length of a pickled list of dictionaries, that pickle, a table of positions, then
the JPEG files one behind the other, unchanged. Packs written here leave room in the pickle, so that
faces can be added without writing the pack again (`pak_append`).
"""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.files import replacing
from dflcolab.formats.dfl_jpeg import Face, face_from_bytes
from dflcolab.formats.dfl_metadata import polygons_to, record_from_dict
from dflcolab.formats.jpeg_segments import end_of_picture, read_header
from dflcolab.formats.pak_head import PakEntry, read_entries, write_head, write_table
from dflcolab.formats.pak_redo import locked, recover
from dflcolab.progress import Progress

__all__ = ["PAK_NAME", "PakEntry", "PakItem", "PakReader", "config_of", "verify_pak", "write_pak"]

PAK_NAME = "faceset.pak"
_FACE_SAMPLE = 1  # the kind of sample; DeepFaceLab packs no other


class PakReader:
    """An open pack. Threads may read from it at the same time. It closes with its last face at the latest.

    A change of the pack that was interrupted is finished first.

    Args:
        path: The file.

    Raises:
        FormatError: The file is missing, damaged, or of an unknown version.
        UnsafeFileError: It asks for more than data, or holds names that leave its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        recover(path)
        try:
            self._stream = path.open("rb")
        except OSError as error:
            raise FormatError(f"{path} cannot be opened; check the path and the drive.") from error
        try:
            with locked(self._stream, shared=True):
                self.layout, self.entries = read_entries(self._stream, path)
        except BaseException:
            self._stream.close()
            raise
        self._end = weakref.finalize(self, self._stream.close)

    def __len__(self) -> int:
        return len(self.entries)

    def __enter__(self) -> PakReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; faces that were read can no longer be decoded."""
        self._end()

    @property
    def names(self) -> list[str]:
        """`person/name` or `name` of every face, in the pack's order."""
        return [entry.path for entry in self.entries]

    @property
    def persons(self) -> list[str]:
        """The persons' names, each once, in the pack's order; empty for a plain pack."""
        return list(dict.fromkeys(entry.person for entry in self.entries if entry.person))

    def jpeg(self, index: int) -> bytes:
        """The JPEG file of a face, as it was packed.

        Raises:
            FormatError: The drive does not answer.
        """
        entry = self.entries[index]
        try:
            with self._lock:
                self._stream.seek(entry.offset)
                return self._stream.read(entry.size)
        except (OSError, ValueError) as error:
            raise FormatError(f"{self.path} cannot be read any more; open it again.") from error

    def read(self, index: int) -> Face:
        """A face. Where both say something, the pack's own copy of the metadata counts.

        Raises:
            FormatError: The face is damaged.
            UnsafeFileError: Its metadata asks for more than data.
        """
        entry = self.entries[index]
        name = f"{self.path}: {entry.path}"
        data = self.jpeg(index)
        packed = _record_of(entry, name)
        header = read_header(io.BytesIO(data), name)
        if end_of_picture(data, header.scan_offset) < 0:
            raise FormatError(f"{name} is truncated; unpack another copy of the pack.")
        record = packed
        try:
            own = face_from_bytes(data, name).record
        except UnsafeFileError:
            raise
        except FormatError:
            own = None
        if own is not None:
            record = own.replace(
                face_type=packed.face_type or own.face_type,
                landmarks=packed.landmarks,
                source_filename=packed.source_filename or own.source_filename,
                eyebrows_expand_mod=packed.eyebrows_expand_mod,
                polygons=packed.polygons,
                xseg_mask=packed.xseg_mask,
            )
        return Face(name, record, header.width, header.height, lambda: self.jpeg(index))


def _record_of(entry: PakEntry, name: str) -> FaceRecord:
    """The metadata from the pack's configuration."""
    config = entry.config
    values = {
        key: config.get(key)
        for key in (
            "face_type",
            "landmarks",
            "source_filename",
            "eyebrows_expand_mod",
            "seg_ie_polys",
        )
    }
    values["xseg_mask"] = config.get("xseg_mask_compressed")
    return record_from_dict(values, name)


@dataclass(frozen=True)
class PakItem:
    """A face to be packed.

    Attributes:
        name: File name without folder.
        face: The face.
        person: Name of the person's folder, or None.
    """

    name: str
    face: Face
    person: str | None = None


def write_pak(
    path: Path,
    items: Sequence[PakItem],
    *,
    room: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a pack that DeepFaceLab reads; the file appears when it is complete.

    Faces are read one at a time, so memory stays small. The kinds of face are stored as plain
    numbers, which DeepFaceLab compares in the same way as its own names.

    Args:
        path: The file, by custom called `faceset.pak`.
        items: The faces in the wanted order.
        room: Bytes to keep free in the head for faces that are added later; None: for half as many
            faces again.
        progress: Shows the work.

    Raises:
        FormatError: A face cannot be read any more.
        StorageError: Disk full, read-only or gone.
        Interrupted: The user asked to stop; nothing was written.
    """
    progress = progress or Progress()
    with (
        replacing(path) as temporary,
        temporary.open("wb") as stream,
        progress.task("Packing", total=len(items), unit="faces") as task,
    ):
        start = write_head(stream, [config_of(item) for item in items], room=room)
        offsets: list[int] = []
        for item in items:
            progress.raise_if_stopped()
            offsets.append(stream.tell() - start)
            stream.write(item.face.jpeg())
            task.advance()
        write_table(stream, offsets, start)


def config_of(item: PakItem) -> dict[str, Any]:
    """A pack's own copy of a face's metadata, in DeepFaceLab's order of keys."""
    record = item.face.record
    mask = record.xseg_mask
    return {
        "sample_type": _FACE_SAMPLE,
        "filename": item.name,
        "face_type": record.assumed_face_type.code,
        "shape": (item.face.height, item.face.width, 3),
        "landmarks": record.landmarks.astype(np.float64).tolist(),
        "seg_ie_polys": polygons_to(record.polygons),
        "xseg_mask": None,
        "xseg_mask_compressed": None if mask is None else np.frombuffer(mask, np.uint8),
        "eyebrows_expand_mod": float(record.eyebrows_expand_mod),
        "source_filename": record.source_filename or item.name,
        "person_name": item.person,
    }


def verify_pak(path: Path, items: Sequence[PakItem], load: Callable[[PakItem], bytes]) -> None:
    """Read a pack back and compare every picture with its original.

    Args:
        path: The pack.
        items: What it should hold, in order.
        load: Reads the original of an item.

    Raises:
        FormatError: The pack differs; the loose files must stay.
    """
    with PakReader(path) as reader:
        same = len(reader) == len(items) and all(
            reader.jpeg(i) == load(item) for i, item in enumerate(items)
        )
    if not same:
        raise FormatError(f"{path} did not verify after writing; pack again on another disk.")
