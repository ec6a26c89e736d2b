# pyright: strict
"""`faceset.pak`: all faces of a folder in one file (DFL interoperability notes, section 2).

Layout: version, length of a pickled list of dictionaries, that pickle, a table of positions, then
the JPEG files one behind the other, unchanged.
"""

from __future__ import annotations

import io
import logging
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.files import replacing
from dflcolab.formats import pickle_writer, restricted_pickle
from dflcolab.formats.dfl_jpeg import Face, face_from_bytes
from dflcolab.formats.dfl_metadata import polygons_to, record_from_dict
from dflcolab.formats.jpeg_segments import end_of_picture, read_header
from dflcolab.progress import Progress

log = logging.getLogger(__name__)

PAK_NAME = "faceset.pak"
_VERSION = 1
_FACE_SAMPLE = 1  # the kind of sample; DeepFaceLab packs no other
_U64 = struct.Struct("<Q")


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


class PakReader:
    """An open pack. Threads may read from it at the same time.

    Args:
        path: The file.

    Raises:
        FormatError: The file is missing, damaged, or of an unknown version.
        UnsafeFileError: It asks for more than data, or holds names that leave its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._stream = path.open("rb")
        except OSError as error:
            raise FormatError(f"{path} cannot be opened; check the path and the drive.") from error
        try:
            self.entries = _read_entries(self._stream, path)
        except BaseException:
            self._stream.close()
            raise

    def __len__(self) -> int:
        return len(self.entries)

    def __enter__(self) -> PakReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; faces that were read can no longer be decoded."""
        self._stream.close()

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


def _read_entries(stream: BinaryIO, path: Path) -> tuple[PakEntry, ...]:
    file_size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(16)
    if len(head) < 16 or _U64.unpack_from(head)[0] != _VERSION:
        raise FormatError(f"{path} is not a faceset.pak of version 1; use another copy of it.")
    config_size: int = _U64.unpack_from(head, 8)[0]
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
    offsets[-1] = file_size - start  # the stored last entry counts from the file's beginning
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
    return tuple(entries)


def _number(value: object = 0) -> int:
    if not isinstance(value, int):
        raise FormatError("holds a damaged kind of face")
    return value


def _plain_name(value: object, path: Path) -> str:
    if (
        not isinstance(value, str)
        or not value
        or value.startswith(".")
        or any(character in value for character in "/\\\0")
    ):
        raise UnsafeFileError(
            f"{path} holds a face whose name would leave its folder; it was not opened. Delete it."
        )
    return value


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


def write_pak(path: Path, items: Sequence[PakItem], *, progress: Progress | None = None) -> None:
    """Write a pack that DeepFaceLab reads; the file appears when it is complete.

    Faces are read one at a time, so memory stays small. The kinds of face are stored as plain
    numbers, which DeepFaceLab compares in the same way as its own names.

    Args:
        path: The file, by custom called `faceset.pak`.
        items: The faces in the wanted order.
        progress: Shows the work.

    Raises:
        FormatError: A face cannot be read any more.
        StorageError: Disk full, read-only or gone.
        Interrupted: The user asked to stop; nothing was written.
    """
    progress = progress or Progress()
    configs = pickle_writer.dumps([_config_of(item) for item in items], protocol=4)
    with (
        replacing(path) as temporary,
        temporary.open("wb") as stream,
        progress.task("Packing", total=len(items), unit="faces") as task,
    ):
        stream.write(_U64.pack(_VERSION) + _U64.pack(len(configs)) + configs)
        table_at = stream.tell()
        stream.write(bytes(8 * (len(items) + 1)))
        start = stream.tell()
        offsets: list[int] = []
        for item in items:
            progress.raise_if_stopped()
            offsets.append(stream.tell() - start)
            stream.write(item.face.jpeg())
            task.advance()
        offsets.append(stream.tell())  # DeepFaceLab stores the last one from the file's beginning
        stream.seek(table_at)
        stream.write(np.array(offsets, "<u8").tobytes())


def _config_of(item: PakItem) -> dict[str, Any]:
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
