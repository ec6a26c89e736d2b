# pyright: strict
"""Reading DeepFaceLab's pickles without running anything that stands in them.

Python's own unpickler imports and calls what a file names. This one is an interpreter for the small
part of the language that plain data needs: numbers, texts, bytes, lists, tuples, dictionaries and
numeric NumPy arrays. Everything else is refused by name. It never imports a module, calls only
functions of this file (and of `extra_globals`), and allocates no more than a small multiple of the
file's own size. The other direction is `pickle_writer`.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from typing import Any

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.formats.pickle_arrays import ArrayShell, DtypeShell, Name, make_array
from dflcolab.formats.pickle_machine import Machine


def _reconstruct(kind: object, *_: object) -> ArrayShell:
    if not (isinstance(kind, Name) and kind.full == "numpy.ndarray"):
        raise UnsafeFileError("builds a class of array that is not NumPy's own")
    return ArrayShell()


def _scalar(dtype: object, data: object) -> Any:
    return make_array(data, dtype, (), "C")[()]


def _frombuffer(data: object, dtype: object, shape: object, order: object) -> Any:
    return make_array(data, dtype, shape, order)


def _dtype(code: object, *_: object) -> DtypeShell:
    return DtypeShell(code)


_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
    struct.error,
)
_ALLOWED: dict[tuple[str, str], Callable[..., Any] | None] = {
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): None,
}
for _package in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_package}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_package}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_package}.numeric", "_frombuffer"] = _frombuffer


def loads(
    data: bytes | mmap.mmap,
    *,
    name: str,
    extra_globals: Mapping[tuple[str, str], Callable[..., Any]] | None = None,
) -> Any:
    """The plain data that a pickle holds.

    Args:
        data: A pickle of protocol 0 to 5; bytes behind its end are ignored.
        name: What to call the file in errors.
        extra_globals: More functions that the pickle may call, by module and name. They get
            whatever arguments stand in the file, and must check them.

    Returns:
        None, bool, int, float, str, bytes, list, tuple, dict, read-only NumPy arrays and NumPy
        scalars. Values may be shared or contain themselves: walk them with a limit.

    Raises:
        UnsafeFileError: The pickle asks for a class or function that is not allowed.
        FormatError: The pickle is damaged or truncated.
    """
    try:
        return Machine(data, {**_ALLOWED, **(extra_globals or {})}).run()
    except UnsafeFileError as error:
        raise UnsafeFileError(f"{name} {error}; it was not opened. Delete it.") from error
    except FormatError as error:
        raise FormatError(f"{name} {error}; use another copy of it.") from error
    except _DAMAGE as error:
        raise FormatError(f"{name} is damaged; use another copy of it.") from error
