# pyright: strict
"""NumPy arrays while their pickle is being read, and names that a pickle refers to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from dflcolab.arrays import Array
from dflcolab.errors import FormatError, UnsafeFileError

_PLAIN_TYPE = re.compile(r"[<>|=]?[biufc][0-9]{1,2}")


class Name:
    """A class or function that a pickle refers to; never the thing itself."""

    __slots__ = ("build", "full")

    def __init__(self, full: str, build: Callable[..., Any] | None) -> None:
        self.full = full
        self.build = build


class DtypeShell:
    """A NumPy type while its pickle is being read."""

    __slots__ = ("value",)

    def __init__(self, code: object) -> None:
        # Longer descriptions are a language of their own, which NumPy hands to Python's compiler.
        if not isinstance(code, str) or not _PLAIN_TYPE.fullmatch(code):
            raise UnsafeFileError("asks for arrays of things that are not plain numbers")
        self.value = np.dtype(code)

    def set_state(self, state: object) -> None:
        parts = cast(Sequence[Any], state) if isinstance(state, tuple) else ()
        order = parts[1] if len(parts) >= 8 else None
        if order not in ("<", ">", "|", "="):
            raise FormatError("holds an array type with a damaged description")
        self.value = self.value.newbyteorder(order)


class ArrayShell:
    """A NumPy array while its pickle is being read; `value` stays None until its data came."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Array | None = None

    def set_state(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(cast(Sequence[Any], state)) == 5):
            raise FormatError("holds an array whose state is not the five values NumPy writes")
        _, shape, dtype, fortran, data = cast(Sequence[Any], state)
        self.value = make_array(data, dtype, shape, "F" if fortran else "C")


def make_array(data: object, dtype: object, shape: object, order: object) -> Any:
    """An array over bytes of the file; nothing is copied, so a file cannot ask for much memory."""
    if not isinstance(dtype, DtypeShell) or not isinstance(data, bytes):
        raise FormatError("holds an array without numbers")
    sizes = cast(Sequence[Any], shape) if isinstance(shape, tuple) else (None,)
    if not all(type(n) is int and n >= 0 for n in sizes):
        raise FormatError("holds an array with a damaged shape")
    flat = np.frombuffer(data, dtype.value) if data else np.empty(0, dtype.value)
    return flat.reshape(tuple(sizes), order="F" if order == "F" else "C")


def unwrapped(item: Any) -> Any:
    """The array behind a shell; other values as they are."""
    if isinstance(item, ArrayShell):
        if item.value is None:
            raise FormatError("holds an array without numbers")
        return item.value
    return item
