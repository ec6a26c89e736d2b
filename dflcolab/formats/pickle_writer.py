# pyright: strict
"""Writing pickles that every version of DeepFaceLab can read.

NumPy 2 names its functions `numpy._core...` in its pickles, which the NumPy of DeepFaceLab cannot
import. So plain data and numeric arrays are written here instruction by instruction, under the old
names. Only exports to DeepFaceLab's formats are written this way.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, cast

import numpy as np

from dflcolab.arrays import Array

_DEEPEST = 50


def dumps(value: object, *, protocol: int = 4) -> bytes:
    """A pickle of plain data.

    Args:
        value: None, bool, int, float, str, bytes, list, tuple, mapping, numeric NumPy array or
            scalar, and any nesting of these.
        protocol: 3 (Python 3.6 and 3.7 write it) or 4. Both can be read by Python 3.4 and later.

    Raises:
        TypeError: `value` holds something else.
        ValueError: `value` is nested too deeply (or contains itself).
    """
    stream = io.BytesIO()
    dump(value, stream, protocol=protocol)
    return stream.getvalue()


def dump(value: object, stream: BinaryIO, *, protocol: int = 4) -> None:
    """Write a pickle to a stream; large arrays are not copied together first (see `dumps`)."""
    if protocol not in (3, 4):
        raise ValueError("DeepFaceLab's files are pickles of protocol 3 or 4")
    stream.write(b"\x80" + bytes([protocol]))
    _Writer(stream, protocol).write(value, 0)
    stream.write(b".")


def list_extension(values: Sequence[object]) -> bytes:
    """Instructions that add values to the list on top of a pickle's stack.

    They stand between the list and the end of a pickle of protocol 4 that `dumps` wrote, so a list
    can grow without being written again.

    Raises:
        TypeError: `values` hold something that is not plain data.
        ValueError: They are nested too deeply.
    """
    stream = io.BytesIO()
    writer = _Writer(stream, 4)
    stream.write(b"(")
    for value in values:
        writer.write(value, 1)
    stream.write(b"e")
    return stream.getvalue()


class _Writer:
    """Writes values to a stream; names and array types are written once and then referred to."""

    def __init__(self, stream: BinaryIO, protocol: int) -> None:
        self._emit = stream.write
        self._protocol = protocol
        self._memo: dict[str, int] = {}

    def write(self, value: Any, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("the data is nested too deeply for a pickle")
        if value is None:
            self._emit(b"N")
        elif isinstance(value, (np.ndarray, np.generic)):
            self._array(cast(Any, value))
        elif isinstance(value, bool):
            self._emit(b"\x88" if value else b"\x89")
        elif isinstance(value, int):
            self._integer(int(value))
        elif isinstance(value, float):
            self._emit(b"G" + struct.pack(">d", value))
        elif isinstance(value, str):
            text = value.encode("utf-8", "surrogatepass")
            self._emit(b"X" + struct.pack("<I", len(text)) + text)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self._bytes(memoryview(cast(bytes, value)))
        elif isinstance(value, tuple):
            self._tuple(cast(Sequence[Any], value), depth)
        elif isinstance(value, list):
            self._list(cast(Sequence[Any], value), depth)
        elif isinstance(value, Mapping):
            self._mapping(cast(Mapping[Any, Any], value), depth)
        else:
            raise TypeError(f"{type(value).__name__} is not plain data")

    def _integer(self, value: int) -> None:
        if 0 <= value < 1 << 8:
            self._emit(b"K" + bytes([value]))
        elif 0 <= value < 1 << 16:
            self._emit(b"M" + struct.pack("<H", value))
        elif -(1 << 31) <= value < 1 << 31:
            self._emit(b"J" + struct.pack("<i", value))
        else:
            size = value.bit_length() // 8 + 1
            if size > 255:
                raise ValueError("the data holds a number of absurd length")
            self._emit(b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True))

    def _bytes(self, data: memoryview) -> None:
        size = data.nbytes
        if size < 1 << 8:
            self._emit(b"C" + bytes([size]))
        elif size < 1 << 32:
            self._emit(b"B" + struct.pack("<I", size))
        elif self._protocol >= 4:
            self._emit(b"\x8e" + struct.pack("<Q", size))
        else:
            raise ValueError("a pickle of protocol 3 cannot hold more than 4 GB in one piece")
        self._emit(data)

    def _tuple(self, values: Sequence[Any], depth: int) -> None:
        if len(values) > 3:
            self._emit(b"(")
        for value in values:
            self.write(value, depth + 1)
        self._emit({0: b")", 1: b"\x85", 2: b"\x86", 3: b"\x87"}.get(len(values), b"t"))

    def _list(self, values: Sequence[Any], depth: int) -> None:
        self._emit(b"](")
        for value in values:
            self.write(value, depth + 1)
        self._emit(b"e")

    def _mapping(self, values: Mapping[Any, Any], depth: int) -> None:
        self._emit(b"}(")
        for key, value in values.items():
            self.write(key, depth + 1)
            self.write(value, depth + 1)
        self._emit(b"u")

    def _array(self, value: Array | np.generic) -> None:
        if value.dtype.kind not in "biufc":
            raise TypeError(f"arrays of {value.dtype} are not plain data")
        if isinstance(value, np.generic):
            self._name("numpy.core.multiarray", "scalar")
            self._dtype(value.dtype)
            self._bytes(memoryview(value.tobytes()))
            self._emit(b"\x86R")
            return
        self._name("numpy.core.multiarray", "_reconstruct")
        self._name("numpy", "ndarray")
        self._emit(b"K\x00\x85C\x01b\x87R(K\x01")
        self._tuple(value.shape, 0)
        self._dtype(value.dtype)
        self._emit(b"\x89")
        flat: Any = np.ascontiguousarray(value).reshape(-1)
        self._bytes(memoryview(flat.view(np.uint8)) if flat.size else memoryview(b""))
        self._emit(b"tb")

    def _dtype(self, dtype: np.dtype[Any]) -> None:
        if self._recall(f"dtype {dtype.str}"):
            return
        self._name("numpy", "dtype")
        self.write((dtype.str[1:], False, True), 0)
        self._emit(b"R")
        self.write((3, dtype.str[0], None, None, None, -1, -1, 0), 0)
        self._emit(b"b")
        self._remember(f"dtype {dtype.str}")

    def _name(self, module: str, name: str) -> None:
        key = f"name {module}.{name}"
        if self._recall(key):
            return
        if self._protocol >= 4:
            self.write(module, 0)
            self.write(name, 0)
            self._emit(b"\x93")
        else:
            self._emit(f"c{module}\n{name}\n".encode())
        self._remember(key)

    def _recall(self, key: str) -> bool:
        index = self._memo.get(key)
        if index is not None:
            self._emit(b"h" + bytes([index]))
        return index is not None

    def _remember(self, key: str) -> None:
        self._memo[key] = len(self._memo)
        self._emit(b"q" + bytes([self._memo[key]]))
