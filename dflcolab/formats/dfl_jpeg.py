# pyright: strict
"""Face files: JPEG pictures that carry a face's metadata in their APP15 segment.

Reading metadata reads the head of a file only; the picture is decoded on request. Writing
metadata never compresses the picture again, and a file is replaced as a whole or not at all.
"""

from __future__ import annotations

import functools
import io
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import cv2
import numpy as np

from dflcolab.arrays import Image, Mask
from dflcolab.errors import FormatError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.files import write_bytes
from dflcolab.formats import pickle_writer, restricted_pickle
from dflcolab.formats.dfl_metadata import record_from_dict, record_to_dict
from dflcolab.formats.jpeg_segments import (
    APP15,
    LARGEST_PAYLOAD,
    JpegHeader,
    end_of_picture,
    read_header,
    with_app15,
)
from dflcolab.formats.xseg_masks import decode_xseg_mask, encode_xseg_mask, shrink_xseg_mask

__all__ = [
    "Face",
    "decode_xseg_mask",
    "embed",
    "encode_xseg_mask",
    "read_face",
    "read_record",
    "read_record_bytes",
    "record_of",
    "replace_record",
    "write_face",
]

log = logging.getLogger(__name__)
SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Face:
    """One face: its metadata, its size, and the way to its picture.

    Attributes:
        name: File name or path, for messages.
        record: The metadata.
        width: Pixels.
        height: Pixels.
    """

    name: str
    record: FaceRecord
    width: int
    height: int
    _load: Callable[[], bytes] = field(repr=False)

    def jpeg(self) -> bytes:
        """The whole file as it is.

        Raises:
            FormatError: It cannot be read any more.
        """
        try:
            return self._load()
        except OSError as error:
            raise _unreadable(self.name, error) from error

    def decode(self) -> Image:
        """The picture, `[height, width, 3]`, uint8, BGR; a grey picture gets three channels.

        Raises:
            FormatError: The picture is damaged.
        """
        return decode_picture(self.jpeg(), self.name)

    def decode_mask(self) -> Mask | None:
        """The stored mask at its own size, `[h, w, 1]`, float32; None if there is none.

        Raises:
            FormatError: The mask is damaged.
        """
        if self.record.xseg_mask is None:
            return None
        return decode_xseg_mask(self.record.xseg_mask, name=self.name)


def decode_picture(jpeg: bytes, name: str) -> Image:
    """Decode a JPEG to BGR, `[H, W, 3]`; orientation notes of cameras are ignored as in DFL.

    Raises:
        FormatError: The picture is damaged.
    """
    try:
        picture = cv2.imdecode(
            np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:
        picture = None
    if picture is None:
        raise FormatError(f"The picture in {name} is damaged; use another copy of the file.")
    return cast(Image, picture)


def read_face(path: Path) -> Face:
    """Read a face file's metadata and check that the file is complete.

    Raises:
        FormatError: The file is damaged, truncated, or has no face metadata.
        UnsafeFileError: Its metadata asks for more than data.
    """
    try:
        with path.open("rb") as stream:
            header = read_header(stream, str(path))
            _check_end(stream, header, str(path))
            seen = os.fstat(stream.fileno())
    except OSError as error:
        raise _unreadable(str(path), error) from error
    record = _needed_record(header, str(path))
    load = functools.partial(_same_face, path, seen, record)
    return Face(str(path), record, header.width, header.height, load)


def face_from_bytes(data: bytes, name: str) -> Face:
    """As `read_face`, for a file in memory."""
    stream = io.BytesIO(data)
    header = read_header(stream, name)
    _check_end(stream, header, name)
    record = _needed_record(header, name)
    return Face(name, record, header.width, header.height, lambda: data)


def read_record(path: Path) -> FaceRecord | None:
    """The metadata of a file; None for an ordinary JPEG. Reads the head of the file only.

    Raises:
        FormatError: The file is no JPEG, or its metadata is damaged.
        UnsafeFileError: Its metadata asks for more than data.
    """
    try:
        with path.open("rb") as stream:
            return _record(read_header(stream, str(path)), str(path))
    except OSError as error:
        raise _unreadable(str(path), error) from error


def read_record_bytes(data: bytes, name: str) -> FaceRecord | None:
    """As `read_record`, for a file in memory."""
    return _record(read_header(io.BytesIO(data), name), name)


def record_of(header: JpegHeader, name: str) -> FaceRecord | None:
    """As `read_record`, for a head that was read already."""
    return _record(header, name)


def embed(jpeg: bytes, record: FaceRecord, *, name: str = "the face") -> bytes:
    """A JPEG file with the metadata in it; its pixels stay as they are.

    If the metadata would not fit in a segment (64 KB), the mask is stored coarser or smaller.

    Args:
        jpeg: A JPEG file, with or without metadata.
        record: The metadata.
        name: What to call the file in errors.

    Raises:
        FormatError: `jpeg` is damaged, or the metadata is too long even so.
    """
    payload = _pickled(record, name)
    if len(payload) > LARGEST_PAYLOAD and record.xseg_mask is not None:
        room = LARGEST_PAYLOAD - (len(payload) - len(record.xseg_mask))
        smaller = shrink_xseg_mask(record.xseg_mask, room, name=name)
        log.warning("The mask of %s was stored coarser, for lack of room in the file.", name)
        payload = _pickled(record.replace(xseg_mask=smaller), name)
    return with_app15(jpeg, payload, name)


def write_face(
    path: Path, image_bytes_jpeg: bytes, record: FaceRecord, *, durable: bool = False
) -> None:
    """Write a face file.

    Args:
        path: The file, ending with `.jpg` (DeepFaceLab reads no other ending as a face).
        image_bytes_jpeg: The picture as a JPEG file.
        record: The metadata.
        durable: True waits until the disk has it; faces can be extracted again, so the default
            does not.

    Raises:
        FormatError: The picture is damaged or the metadata too long.
        StorageError: Disk full, read-only or gone.
    """
    write_bytes(path, embed(image_bytes_jpeg, record, name=str(path)), durable=durable)


def replace_record(path: Path, record: FaceRecord) -> None:
    """Give a file other metadata; the picture is not compressed again.

    Raises:
        FormatError: The file is missing or damaged, or the metadata too long. It stays as it was.
        StorageError: Disk full, read-only or gone.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(str(path), error) from error
    write_bytes(path, embed(data, record, name=str(path)))


def _pickled(record: FaceRecord, name: str) -> bytes:
    try:
        return pickle_writer.dumps(record_to_dict(record), protocol=4)
    except (TypeError, ValueError) as error:
        raise FormatError(
            f"The metadata of {name} cannot be stored: {error}; use plain texts and numbers."
        ) from error


def _record(header: JpegHeader, name: str) -> FaceRecord | None:
    payload = header.last(APP15)
    if payload is None:
        return None
    values: object = restricted_pickle.loads(payload, name=name)
    if not isinstance(values, dict):
        raise FormatError(f"{name} has damaged face metadata; extract that face again.")
    if not values:
        return None
    return record_from_dict(cast(dict[str, Any], values), name)


def _needed_record(header: JpegHeader, name: str) -> FaceRecord:
    record = _record(header, name)
    if record is None:
        raise FormatError(
            f"{name} is an ordinary picture without face metadata; run extract to get face files."
        )
    return record


def _same_face(path: Path, seen: os.stat_result, record: FaceRecord) -> bytes:
    """The file's bytes, unless its name belongs to another face by now: a sort does that."""
    with path.open("rb") as stream:
        status, data = os.fstat(stream.fileno()), stream.read()
    if not os.path.samestat(seen, status):
        now = read_record_bytes(data, str(path))
        if now is None or not np.array_equal(now.landmarks, record.landmarks):
            raise FormatError(f"{path} is another face than before (a sort?); run again.")
    return data


def _check_end(stream: BinaryIO, header: JpegHeader, name: str) -> None:
    """A complete file ends with its end marker, or at least has one."""
    stream.seek(-2, os.SEEK_END)
    if stream.read(2) == b"\xff\xd9":
        return
    stream.seek(0)
    if end_of_picture(stream.read(), header.scan_offset) < 0:
        raise FormatError(f"{name} is truncated; use another copy of it.")


def _unreadable(name: str, error: OSError) -> FormatError:
    reason = error.strerror or "it does not answer"
    return FormatError(f"{name} cannot be read ({reason}); check the path and the drive.")
