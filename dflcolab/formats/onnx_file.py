# pyright: strict
"""Writing ONNX files: a graph of nodes, its weights and a few texts, as protocol-buffer bytes.

Only what an export needs, and by hand: the `onnx` package asks for a newer `protobuf` than the one
that Colab's TensorFlow works with, and the format is a handful of numbered fields. Field numbers
are those of the public `onnx.proto`; each is named where it is written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.arrays import Array
from dflcolab.errors import ModelError
from dflcolab.files import replacing

IR_VERSION = 7
"""Version of the container that goes with operator sets 12 and 13."""

LARGEST = (1 << 31) - 1
"""A protocol-buffer file ends at 2 GB."""

_TYPES = {"float32": 1, "int64": 7, "bool": 9, "float16": 10}
_Pieces = list[Any]  # bytes and memory views, in order: weights are never copied together


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        operator: Name of the ONNX operator.
        inputs: Names of values; "" for one that is left out.
        outputs: Names of values.
        attributes: int, float, text or a list of ints each.
    """

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, int | float | str | Sequence[int]] = field(
        default_factory=dict[str, int | float | str | Sequence[int]]
    )


@dataclass(frozen=True)
class Value:
    """A float32 input or output of the graph.

    Attributes:
        name: As callers know it.
        shape: A number or the name of a size that callers choose, for each axis.
    """

    name: str
    shape: Sequence[int | str]


@dataclass(frozen=True)
class OnnxModel:
    """A whole file.

    Attributes:
        nodes: In an order in which they can run.
        inputs: Of the graph.
        outputs: Of the graph, in order.
        weights: Name to array.
        opset: Version of the operators.
        name: Name of the graph.
        producer: Name and version of the software that wrote it.
        metadata: Further texts by name.
    """

    nodes: Sequence[Node]
    inputs: Sequence[Value]
    outputs: Sequence[Value]
    weights: Mapping[str, Array]
    opset: int
    name: str
    producer: tuple[str, str]
    metadata: Mapping[str, str]


def write_onnx(path: Path, model: OnnxModel) -> None:
    """Write the file; atomic.

    Raises:
        ModelError: It would be larger than the format allows.
        StorageError: Disk full, read-only or gone.
    """
    pieces = _model(model)
    size = _size(pieces)
    if size > LARGEST:
        raise ModelError(
            f"{path.name} would have {size / 1e9:.1f} GB, and ONNX files end at 2 GB; export a "
            "smaller model, or use --format dfl or keras."
        )
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(pieces)


def _model(model: OnnxModel) -> _Pieces:
    software, version = model.producer
    found = [
        *_integer(1, IR_VERSION),
        *_text(2, software),
        *_text(3, version),
        *_message(7, _graph(model)),
        *_message(8, [*_text(1, ""), *_integer(2, model.opset)]),
    ]
    for key, text in model.metadata.items():
        found += _message(14, [*_text(1, key), *_text(2, text)])
    return found


def _graph(model: OnnxModel) -> _Pieces:
    found: _Pieces = []
    for index, node in enumerate(model.nodes):
        found += _message(1, _node(node, f"{node.operator}_{index}"))
    found += _text(2, model.name)
    for name, array in model.weights.items():
        found += _message(5, _tensor(name, array))
    for number, values in ((11, model.inputs), (12, model.outputs)):
        for value in values:
            found += _message(number, _value(value))
    return found


def _node(node: Node, name: str) -> _Pieces:
    found: _Pieces = []
    for number, names in ((1, node.inputs), (2, node.outputs)):
        for value in names:
            found += _text(number, value)
    found += [*_text(3, name), *_text(4, node.operator)]
    for key, value in node.attributes.items():
        found += _message(5, _attribute(key, value))
    return found


def _attribute(name: str, value: int | float | str | Sequence[int]) -> _Pieces:
    """Name (1), value (2 float, 3 int, 4 text, 8 ints) and its type (20)."""
    if isinstance(value, float):
        return [*_text(1, name), _key(2, 5) + struct.pack("<f", value), *_integer(20, 1)]
    if isinstance(value, int):
        return [*_text(1, name), *_integer(3, value), *_integer(20, 2)]
    if isinstance(value, str):
        return [*_text(1, name), *_text(4, value), *_integer(20, 3)]
    numbers = [piece for item in value for piece in _integer(8, item)]
    return [*_text(1, name), *numbers, *_integer(20, 7)]


def _tensor(name: str, array: Array) -> _Pieces:
    """Sizes (1), type (2), name (8) and little-endian bytes (9)."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    sizes = [piece for size in array.shape for piece in _integer(1, size)]
    raw: Any = little.reshape(-1).view(np.uint8).data if little.size else b""
    return [
        *sizes,
        *_integer(2, _TYPES[array.dtype.name]),
        *_text(8, name),
        *_message(9, [raw]),
    ]


def _value(value: Value) -> _Pieces:
    """Name (1) and type (2): a tensor (1) of an element type (1) and a shape (2)."""
    sizes: _Pieces = []
    for size in value.shape:
        sizes += _message(1, _text(2, size) if isinstance(size, str) else _integer(1, size))
    tensor = [*_integer(1, _TYPES["float32"]), *_message(2, sizes)]
    return [*_text(1, value.name), *_message(2, _message(1, tensor))]


def _integer(number: int, value: int) -> _Pieces:
    return [_key(number, 0) + _varint(value & 0xFFFFFFFFFFFFFFFF)]


def _text(number: int, text: str) -> _Pieces:
    return _message(number, [text.encode()])


def _message(number: int, pieces: _Pieces) -> _Pieces:
    """Bytes with their length before them."""
    return [_key(number, 2) + _varint(_size(pieces)), *pieces]


def _size(pieces: Iterable[Any]) -> int:
    return sum(memoryview(piece).nbytes for piece in pieces)


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
