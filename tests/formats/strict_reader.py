"""A reader as narrow as DeepFaceLab's own (interoperability notes, 1.1 and 1.2), for our files.

Written from the notes alone and without any part of the package, so that both cannot be wrong in
the same way. It refuses whatever DeepFaceLab refuses, and a bit more.
"""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np


class Refused(Exception):
    """DeepFaceLab would not read this file."""


class _OldNumpyOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.zeros(1).__reduce__()[0]
        if (module, name) == ("numpy.core.multiarray", "scalar"):
            return np.float64(1).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise Refused(f"{module}.{name}")


def unpickle(payload: bytes) -> Any:
    """What old NumPy and Python 3.6 or later read; the pickle ends where its bytes end."""
    if payload[:2] not in (b"\x80\x03", b"\x80\x04"):
        raise Refused("protocol")
    stream = io.BytesIO(payload)
    value = _OldNumpyOnly(stream).load()
    if stream.tell() != len(payload):
        raise Refused("bytes behind the pickle")
    return value


def strict_face(data: bytes) -> tuple[tuple[int, int], dict[str, Any]]:
    """Size (height, width) and dictionary of a face file."""
    if data[:2] != b"\xff\xd8":
        raise Refused("no JPEG")
    segments, scan = _segments(data)
    end = data.find(b"\xff\xd9", scan)
    if end < 0 or end + 2 != len(data):
        raise Refused("the end is not where the first end marker is")
    markers = [marker for marker, _ in segments]
    apps = [marker for marker in markers if 0xE0 <= marker <= 0xEF]
    if 0xDD in markers:
        raise Refused("restart interval")
    if any(marker == 0xE0 and payload[:5] != b"JFIF\0" for marker, payload in segments):
        raise Refused("APP0 is not JFIF")
    if markers[0] != 0xE0 or apps.count(0xE0) != 1 or apps.count(0xEF) != 1 or apps[-1] != 0xEF:
        raise Refused("APP segments")
    sizes = [payload for marker, payload in segments if marker in (0xC0, 0xC2)]
    if len(sizes) != 1:
        raise Refused("no size")
    values = unpickle(next(payload for marker, payload in segments if marker == 0xEF))
    _check_types(values)
    return struct.unpack_from(">HH", sizes[0], 1), values


def _segments(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Markers and payloads up to the first scan, and where its data begin."""
    place, found = 2, []
    while not found or found[-1][0] != 0xDA:
        if data[place] != 0xFF or data[place + 1] in (0xFF, 0x00):
            raise Refused(f"no marker at {place}")
        (length,) = struct.unpack_from(">H", data, place + 2)
        payload = data[place + 4 : place + 2 + length]
        if len(payload) != length - 2:
            raise Refused("segment too short")
        found.append((data[place + 1], payload))
        place += 2 + length
    return found, place


def strict_file(path: Path) -> tuple[tuple[int, int], dict[str, Any]]:
    """As `strict_face`; only files called .jpg are faces."""
    if path.suffix != ".jpg":
        raise Refused("suffix")
    return strict_face(path.read_bytes())


def _check_types(values: Any) -> None:
    """Types that DeepFaceLab's tools take for granted (1.2)."""
    if not isinstance(values, dict) or not values or any(v is None for v in values.values()):
        raise Refused("dictionary")
    if np.shape(values["landmarks"]) != (68, 2):
        raise Refused("landmarks")
    if not isinstance(values.get("face_type", ""), str):
        raise Refused("face_type")
    rect = values.get("source_rect")
    if rect is not None and not (isinstance(rect, np.ndarray) and rect.shape == (4,)):
        raise Refused("source_rect")
    mask = values.get("xseg_mask")
    if mask is not None and not (isinstance(mask, np.ndarray) and mask.dtype == np.uint8):
        raise Refused("xseg_mask")
    for polygon in values.get("seg_ie_polys", {"polys": []})["polys"]:
        if polygon["type"] not in (0, 1) or np.ndim(polygon["pts"]) != 2:
            raise Refused("seg_ie_polys")
