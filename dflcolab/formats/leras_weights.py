# pyright: strict
"""DeepFaceLab's weight files: `<net>.npy`, which are pickles of one dictionary, not NumPy files.

A key is the path of a variable without the leading name of the network, and ends with `:0`; a
value is a float32 array, or the int64 scalar `iters:0` of an optimizer.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dflcolab.errors import FormatError
from dflcolab.files import replacing
from dflcolab.formats import pickle_writer, restricted_pickle


def read_weights(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of a weight file, in stored order; the arrays are read-only.

    Scalars come as arrays without dimensions.

    Raises:
        FormatError: The file is missing, damaged or holds something else.
        UnsafeFileError: The file asks for more than data.
    """
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            content = restricted_pickle.loads(data, name=str(path))
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise FormatError(f"{path} cannot be read; use another copy of it.") from error
    if not isinstance(content, dict):
        raise FormatError(f"{path} is not a weight file of DeepFaceLab; choose another file.")
    found: dict[str, npt.NDArray[Any]] = {}
    for key, value in cast(dict[object, object], content).items():
        if not isinstance(key, str) or not isinstance(value, (np.ndarray, np.generic, int, float)):
            raise FormatError(f"{path} is not a weight file of DeepFaceLab; choose another file.")
        array = np.asarray(value)
        found[key] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return found


def write_weights(path: Path, weights: Mapping[str, npt.NDArray[Any] | np.generic]) -> None:
    """Write a weight file that every version of DeepFaceLab reads; atomic.

    Args:
        path: The file; its folder must exist.
        weights: Key (ending with `:0`) to numeric array; arrays without dimensions are written as
            scalars, which is what DeepFaceLab keeps its step counter in.

    Raises:
        StorageError: Disk full, read-only or gone.
    """
    content = {
        key: value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
        for key, value in weights.items()
    }
    with replacing(path) as temporary, temporary.open("wb") as stream:
        pickle_writer.dump(content, stream, protocol=4)
