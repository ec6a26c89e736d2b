"""Safetensors files, written in one pass with their SHA-256 and without a second copy in memory.

The format is an 8-byte little-endian length, a JSON header, then the raw arrays. Reading is left to
the `safetensors` package.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from dflcolab.arrays import Array
from dflcolab.errors import CheckpointError
from dflcolab.files import storage_errors

_TYPES = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64", "int32": "I32"}


def write_tensors(path: Path, arrays: Mapping[str, Array]) -> tuple[int, str]:
    """Write arrays to a new file and force it to the disk.

    Args:
        path: New file; its name should be temporary or in a folder that does not count yet.
        arrays: Name to numeric array.

    Returns:
        Size in bytes and hex SHA-256.

    Raises:
        StorageError: Disk full, read-only or gone.
    """
    header: dict[str, object] = {}
    offset = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": _TYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    size = 0
    with storage_errors(path), path.open("wb") as stream:
        for piece in (len(text).to_bytes(8, "little"), text):
            stream.write(piece)
            digest.update(piece)
            size += len(piece)
        for array in arrays.values():
            piece = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            stream.write(piece)
            digest.update(piece)
            size += len(piece)
        stream.flush()
        os.fsync(stream.fileno())
    return size, digest.hexdigest()


def read_tensors(path: Path) -> dict[str, Array]:
    """All arrays of a safetensors file.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is missing or damaged ({error}); use another checkpoint."
        ) from error
