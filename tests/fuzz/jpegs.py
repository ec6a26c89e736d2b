"""Damaged and hostile JPEG files."""

from __future__ import annotations

import io
import random
import struct

from dflcolab.errors import FormatError
from dflcolab.formats.jpeg_segments import APP15, LARGEST_PAYLOAD, Segment, read_header
from tests.fuzz.material import DAMAGES, faces, payloads
from tests.fuzz.pickles import random_pickle
from tests.fuzz.records import record_pickle

_SIZES = (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_SIDES = (0, 1, 2, 7, 8, 255, 4096, 12_000, 20_000, 32_767, 65_500, 65_535)


def _parts(data: bytes) -> tuple[list[Segment], bytes]:
    header = read_header(io.BytesIO(data), "face")
    return list(header.segments), data[header.scan_offset :]


def _joined(segments: list[Segment] | list[bytes], scan: bytes) -> bytes:
    encoded = [s if isinstance(s, bytes) else s.encode() for s in segments]
    return b"".join((b"\xff\xd8", *encoded, scan))


def with_payload(payload: bytes, base: bytes) -> bytes:
    """A face file whose metadata is `payload`, cut to what fits."""
    segments, scan = _parts(base)
    kept = [segment for segment in segments if segment.marker != APP15]
    return _joined([*kept, Segment(APP15, payload[:LARGEST_PAYLOAD])], scan)


def _frame_at(segments: list[Segment]) -> int:
    return next(i for i, segment in enumerate(segments) if segment.marker in _SIZES)


def segments_changed(rng: random.Random, base: bytes) -> bytes:
    """Segments doubled, removed, swapped, emptied, of wrong length, or by the thousand."""
    segments, scan = _parts(base)
    at = rng.randrange(len(segments))
    raw = [segment.encode() for segment in segments]
    match rng.randrange(9):
        case 0:
            raw.insert(rng.randrange(len(raw) + 1), raw[at])
        case 1:
            del raw[at]
        case 2:
            other = rng.randrange(len(raw))
            raw[at], raw[other] = raw[other], raw[at]
        case 3:
            raw[at] = (
                raw[at][:2] + struct.pack(">H", rng.choice([0, 1, 2, 3, 0xFFFF])) + raw[at][4:]
            )
        case 4:
            raw[at] = Segment(segments[at].marker, b"").encode()
        case 5:
            raw[at] = b"\xff" * rng.randint(1, 5000) + raw[at]
        case 6:
            storm = rng.choice([b"\xff\xe1\x00\x02", b"\xff\x01", b"\xff\xd8", b"\xff\xd0",
                                b"\xff\xfe\x00\x02", b"\xff\xc4\x00\x02", b"\xff\xdb\x00\x02"])  # fmt: skip
            raw.insert(at, storm * rng.choice([1, 100, 5000]))
        case 7:
            raw[at] = bytes([0xFF, rng.randrange(256)]) + raw[at][2:]
        case _:
            raw.insert(at, Segment(0xDD, struct.pack(">H", rng.choice([0, 1, 65_535]))).encode())
    return _joined(raw, scan)


def duplicate_metadata(rng: random.Random, base: bytes) -> bytes:
    """Several APP15 segments that contradict each other, before and behind the frame header."""
    segments, scan = _parts(base)
    for _ in range(rng.randint(1, 4)):
        payload = rng.choice(
            [rng.choice(payloads()), b"", b"N.", random_pickle(rng, payloads())[1]]
        )
        segments.insert(rng.randrange(len(segments) + 1), Segment(APP15, payload[:LARGEST_PAYLOAD]))
    return _joined(segments, scan)


def sizes_changed(rng: random.Random, base: bytes) -> bytes:
    """A frame header that declares another size, depth, kind or number of channels."""
    segments, scan = _parts(base)
    at = _frame_at(segments)
    marker, payload = segments[at].marker, bytearray(segments[at].payload)
    match rng.randrange(5):
        case 0:
            payload[1:5] = struct.pack(">HH", rng.choice(_SIDES), rng.choice(_SIDES))
        case 1:
            payload[0] = rng.choice([0, 1, 2, 8, 12, 16, 255])
        case 2:
            payload[5] = rng.choice([0, 1, 2, 3, 4, 5, 255])
        case 3:
            marker = rng.choice(_SIZES)
        case _:
            payload[6:] = rng.randbytes(rng.randint(0, 12))
    segments[at] = Segment(marker, bytes(payload))
    if rng.random() < 0.2:
        segments.append(Segment(marker, bytes(payload)))
    return _joined(segments, scan)


def exif(rng: random.Random, base: bytes) -> bytes:
    """EXIF blocks: rotations (which a face must not follow), circles, broken pointers."""
    order = rng.choice([b"II*\x00", b"MM\x00*", b"XX"])
    pack = "<" if order.startswith(b"I") else ">"
    entries = b"".join(
        struct.pack(pack + "HHIHH", tag, kind, count, value & 0xFFFF, 0)
        for tag, kind, count, value in [
            (0x0112, rng.choice([3, 4, 255]), rng.choice([1, 0, 1 << 31]), rng.randrange(10)),
            (0x8769, 4, 1, rng.choice([8, 0, 0xFFFF])),
        ]
    )
    first = rng.choice([8, 0, 0xFFFFFFF0])
    body = order + struct.pack(pack + "IH", first, rng.choice([2, 0, 65_535])) + entries
    segments, scan = _parts(base)
    segments.insert(rng.randrange(2), Segment(0xE1, b"Exif\0\0" + body + rng.randbytes(9)))
    return _joined(segments, scan)


def scan_changed(rng: random.Random, base: bytes) -> bytes:
    """Compressed data damaged, without end, with scans by the thousand, or with an end inside."""
    segments, scan = _parts(base)
    middle = rng.randrange(2, len(scan))
    other = rng.choice(
        [
            scan[:-2],
            scan[:middle],
            scan[:middle] + b"\xff\xd9" + scan[middle:],
            scan[:middle] + b"\xff\xd9",
            scan[:14] + rng.randbytes(200) + b"\xff\xd9",
            scan[:14] * rng.choice([2, 500, 3000]) + b"\xff\xd9",
            scan + scan,
            scan + rng.randbytes(rng.choice([1, 1000, 100_000])),
            b"\xff\xda" + struct.pack(">H", rng.choice([0, 2, 0xFFFF])) + scan[4:],
            scan[:-2] + b"\xff" * rng.randint(1, 50),
            scan[:middle] + b"\xff\xd3" * 300 + scan[middle:],
        ]
    )
    return _joined(segments, other)


def random_jpeg(rng: random.Random) -> tuple[str, bytes]:
    """A JPEG file and what is wrong with it."""
    base = rng.choice(faces())
    makers = {
        "segments": segments_changed,
        "two metadata": duplicate_metadata,
        "sizes": sizes_changed,
        "EXIF": exif,
        "scan": scan_changed,
    }
    kind = rng.choice([*makers, "bytes", "bytes", "absurd metadata", "absurd metadata",
                       "absurd metadata", "hostile metadata", "hostile metadata"])  # fmt: skip
    try:
        match kind:
            case "bytes":
                return kind, rng.choice(DAMAGES)(rng, base)
            case "absurd metadata":
                return kind, with_payload(record_pickle(rng), base)
            case "hostile metadata":
                why, payload = random_pickle(rng, payloads())
                return f"metadata: {why}", with_payload(payload, base)
            case _:
                return kind, makers[kind](rng, base)
    except (FormatError, StopIteration):  # a base file without frame header; take another
        return random_jpeg(rng)
