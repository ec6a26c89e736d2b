# pyright: strict
"""The container of a JPEG file: its segments, its size, its end. Pixels are never touched.

Reading is tolerant: fill bytes, missing JFIF segments, restart intervals and data behind the end
are all accepted. Writing puts a file into the narrow form that DeepFaceLab's own reader demands
(DFL interoperability notes, section 1.1).
"""

from __future__ import annotations

import io
import logging
import struct
from dataclasses import dataclass
from typing import BinaryIO

from dflcolab.errors import FormatError

log = logging.getLogger(__name__)

APP0, APP14, APP15, DRI, SOS = 0xE0, 0xEE, 0xEF, 0xDD, 0xDA
LARGEST_PAYLOAD = 65533
"""Bytes that fit in one segment beside its length field."""

_LARGEST_HEADER = 16 << 20
_MOST_SEGMENTS = 4096
_MOST_PIXELS = 150_000_000
_JFIF = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_READ_BY_DFL = frozenset((0xC0, 0xC2))  # baseline and progressive
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment before the picture data."""

    marker: int
    payload: bytes

    def encode(self) -> bytes:
        """The segment as it stands in a file."""
        return struct.pack(">BBH", 0xFF, self.marker, len(self.payload) + 2) + self.payload


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """Everything before the first scan.

    Attributes:
        segments: All segments in order.
        scan_offset: Where the first scan's marker stands in the file.
        width: Pixels.
        height: Pixels.
    """

    segments: tuple[Segment, ...]
    scan_offset: int
    width: int
    height: int

    def last(self, marker: int) -> bytes | None:
        """Payload of the last segment with this marker."""
        found = [segment.payload for segment in self.segments if segment.marker == marker]
        return found[-1] if found else None


def read_header(stream: BinaryIO, name: str) -> JpegHeader:
    """Read up to the first scan, and no further.

    Args:
        stream: A file open for reading, at its beginning.
        name: What to call it in errors.

    Raises:
        FormatError: This is no JPEG file, or it ends before its picture begins.
    """
    if stream.read(2) != b"\xff\xd8":
        raise FormatError(f"{name} is not a JPEG picture; remove it or convert it to JPEG.")
    segments: list[Segment] = []
    size: tuple[int, int] | None = None
    position = 2
    while True:
        if stream.read(1) != b"\xff":
            raise _damaged(name)
        marker, position = 0xFF, position + 1
        while marker == 0xFF:
            byte = stream.read(1)
            if not byte:
                raise _damaged(name)
            marker, position = byte[0], position + 1
        if marker in _ALONE:
            continue
        if marker == SOS:
            break
        raw_length = stream.read(2)
        length = struct.unpack(">H", raw_length)[0] if len(raw_length) == 2 else 0
        payload = stream.read(length - 2) if length >= 2 else b""
        if length < 2 or len(payload) != length - 2 or len(segments) >= _MOST_SEGMENTS:
            raise _damaged(name)
        position += length
        if position > _LARGEST_HEADER:
            raise _damaged(name)
        segments.append(Segment(marker, payload))
        if marker in _SIZES and len(payload) >= 6:
            height, width = struct.unpack_from(">HH", payload, 1)
            size = width, height
    if size is None or not (0 < size[0] * size[1] <= _MOST_PIXELS):
        raise _damaged(name)
    return JpegHeader(tuple(segments), position - 2, *size)


def _damaged(name: str) -> FormatError:
    return FormatError(f"{name} is damaged or truncated; use another copy of it.")


def end_of_picture(data: bytes, scan_offset: int) -> int:
    """Position just behind the end marker of the picture, or -1 if the file is truncated.

    Walks over the scans, so that an end marker inside of a segment (a thumbnail) does not count.
    """
    position = scan_offset
    while True:
        # Behind a scan's header comes data in which FF is followed by 00 or a restart marker.
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            return -1
        marker = data[position + 1]
        if marker == 0xD9:
            return position + 2
        if marker == 0xFF:
            position += 1
        elif marker == 0x00 or marker in _ALONE:
            position += 2
        elif position + 4 > len(data):
            return -1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")


def with_app15(jpeg: bytes, payload: bytes, name: str) -> bytes:
    """The same picture with `payload` as its only APP15 segment, in DeepFaceLab's order.

    The JFIF segment comes first (one is made if there is none), APP15 directly behind the last
    APPn segment, nothing behind the end marker. Scan data stay as they are, byte for byte.

    Args:
        jpeg: A JPEG file.
        payload: At most `LARGEST_PAYLOAD` bytes.
        name: What to call the file in errors.

    Raises:
        FormatError: `jpeg` is damaged, or `payload` too long.
    """
    if len(payload) > LARGEST_PAYLOAD:
        raise FormatError(
            f"The metadata of {name} takes {len(payload)} bytes and {LARGEST_PAYLOAD} fit in a face "
            "file; draw its mask with fewer points."
        )
    header = read_header(io.BytesIO(jpeg), name)
    end = end_of_picture(jpeg, header.scan_offset)
    if end < 0:
        raise _damaged(name)
    kept = [segment for segment in header.segments if segment.marker != APP15]
    kept = _with_jfif_first(kept)
    kept = [s for s in kept if s.marker != DRI or any(s.payload)]
    if found := _obstacles(kept, jpeg[header.scan_offset : end]):
        log.warning(
            "%s %s, so DeepFaceLab itself cannot read it; `dflcolab resize` to its present size "
            "writes its picture anew.",
            name,
            " and ".join(found),
        )
    last_app = max((i for i, s in enumerate(kept) if 0xE0 <= s.marker <= 0xEF), default=-1)
    kept.insert(last_app + 1, Segment(APP15, payload))
    return b"".join(
        (b"\xff\xd8", *(segment.encode() for segment in kept), jpeg[header.scan_offset : end])
    )


def obstacles(jpeg: bytes, name: str) -> list[str]:
    """What keeps DeepFaceLab from reading a picture, even after `with_app15`; mostly nothing.

    Only compressing the picture again would help: its data depend on these properties.

    Args:
        jpeg: A JPEG file.
        name: What to call it in errors.

    Returns:
        Parts of sentences: "has restart markers".

    Raises:
        FormatError: `jpeg` is damaged.
    """
    header = read_header(io.BytesIO(jpeg), name)
    end = end_of_picture(jpeg, header.scan_offset)
    if end < 0:
        raise _damaged(name)
    return _obstacles(_with_jfif_first(list(header.segments)), jpeg[header.scan_offset : end])


def _obstacles(segments: list[Segment], scans: bytes) -> list[str]:
    found: list[str] = []
    if any(s.marker == DRI and any(s.payload) for s in segments):
        found.append("has restart markers")
    if not any(s.marker == APP0 and s.payload.startswith(b"JFIF\x00") for s in segments):
        found.append("is an RGB JPEG")
    if not any(s.marker in _READ_BY_DFL for s in segments):
        found.append("is of a rare kind of JPEG")
    if scans.find(b"\xff\xd9") != len(scans) - 2:
        found.append("has an end marker inside of its tables")
    return found


def _with_jfif_first(segments: list[Segment]) -> list[Segment]:
    jfif = [s for s in segments if s.marker == APP0 and s.payload.startswith(b"JFIF\x00")]
    others = [s for s in segments if s.marker != APP0]
    if jfif:
        return [jfif[0], *others]
    if _is_rgb(others):
        return segments  # JFIF would say that the channels are YCbCr and change the colors
    return [Segment(APP0, _JFIF), *others]


def _is_rgb(segments: list[Segment]) -> bool:
    for segment in segments:
        if segment.marker == APP14 and segment.payload.startswith(b"Adobe"):
            return len(segment.payload) >= 12 and segment.payload[11] == 0
    sizes = [s.payload for s in segments if s.marker in _SIZES]
    return bool(sizes) and sizes[-1][6:15:3] == b"RGB"
