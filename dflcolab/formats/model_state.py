# pyright: strict
"""DeepFaceLab's `<id>_data.dat`: how far a model is, its options and its losses.

A pickle of one dictionary. Only the known keys are understood; the others are kept as they are, so
that they survive a way through here. `sample_for_preview`, pictures of the people that the model
was trained on, is neither read nor written: DeepFaceLab draws fresh ones when it finds None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dflcolab.errors import FormatError
from dflcolab.files import replacing
from dflcolab.formats import pickle_writer, restricted_pickle

_DEEPEST = 8
_MOST_VALUES = 10_000
_MOST_COLUMNS = 16
_KNOWN = ("iter", "options", "loss_history", "sample_for_preview")


@dataclass(frozen=True)
class ModelState:
    """What stands in a `data.dat`.

    Attributes:
        iteration: Finished iterations; 0 means to DeepFaceLab that the model is new.
        options: Name to plain Python value, in stored order.
        losses: One row per iteration, `[N, columns]` float64; usually N = `iteration`.
        other: Further keys of the file with plain values.
        left_out: Keys and options whose values are no plain data (arrays, NaN), by name.
    """

    iteration: int
    options: Mapping[str, Any]
    losses: npt.NDArray[np.float64]
    other: Mapping[str, Any] = field(default_factory=dict[str, Any])
    left_out: tuple[str, ...] = ()


def read_model_state(path: Path) -> ModelState:
    """Read a `data.dat`.

    Raises:
        FormatError: The file is missing, damaged or holds something else.
        UnsafeFileError: The file asks for more than data.
    """
    content = _read_dict(path)
    iteration = content.get("iter", 0)
    if not _is_count(iteration):
        raise FormatError(f"{path} holds no count of iterations; use another copy of it.")
    options, options_left = _plain_entries(content.get("options") or {}, path)
    other = {key: value for key, value in content.items() if key not in _KNOWN}
    kept, other_left = _plain_entries(other, path)
    return ModelState(
        iteration=int(cast(int, iteration)),
        options=options,
        losses=_losses(content.get("loss_history") or [], path),
        other=kept,
        left_out=(*options_left, *other_left),
    )


def write_model_state(path: Path, state: ModelState) -> None:
    """Write a `data.dat` that every version of DeepFaceLab reads; atomic.

    Raises:
        StorageError: Disk full, read-only or gone.
    """
    content = {
        "iter": state.iteration,
        "options": dict(state.options),
        "loss_history": state.losses.tolist(),
        "sample_for_preview": None,
        **state.other,
    }
    with replacing(path) as temporary, temporary.open("wb") as stream:
        pickle_writer.dump(content, stream, protocol=4)


def _read_dict(path: Path) -> dict[str, object]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read; use another copy of it.") from error
    content = restricted_pickle.loads(data, name=str(path))
    return _with_text_keys(content, path)


def _with_text_keys(value: object, path: Path) -> dict[str, object]:
    keys = list(cast(dict[object, object], value)) if isinstance(value, dict) else [None]
    if not all(isinstance(key, str) for key in keys):
        raise FormatError(f"{path} is not a model file of DeepFaceLab; choose another file.")
    return cast(dict[str, object], value)


def _is_count(value: object) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and 0 <= int(cast(int, value)) < 1 << 40


def _plain_entries(values: object, path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Entries of a dictionary as plain Python values, and the names of those that are none."""
    found: dict[str, Any] = {}
    left_out: list[str] = []
    budget = [_MOST_VALUES]
    for name, value in _with_text_keys(values, path).items():
        try:
            found[name] = _plain(value, _DEEPEST, budget)
        except TypeError:
            left_out.append(name)
    return found, tuple(left_out)


def _plain(value: object, depth: int, budget: list[int]) -> Any:
    """`value` in Python's own types.

    Raises:
        TypeError: It is no plain data, or too much of it.
    """
    budget[0] -= 1
    if depth < 0 or budget[0] < 0:
        raise TypeError
    if isinstance(value, np.generic):
        value = cast(object, value.item())
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1, budget) for item in cast(Sequence[object], value)]
    if isinstance(value, dict):
        entries = cast(dict[object, object], value)
        if all(isinstance(key, str) for key in entries):
            return {key: _plain(item, depth - 1, budget) for key, item in entries.items()}
    raise TypeError


def _losses(value: object, path: Path) -> npt.NDArray[np.float64]:
    """Rows of the loss history; a row's length is checked before anything is copied."""
    rows = cast(Sequence[object], value) if isinstance(value, (list, tuple)) else [None]
    widths = {
        len(cast(Sequence[object], row)) if isinstance(row, (list, tuple)) else -1 for row in rows
    }
    if not rows:
        return np.zeros((0, 0))
    if len(widths) == 1 and 1 <= next(iter(widths)) <= _MOST_COLUMNS:
        try:
            return np.array(rows, np.float64)
        except (TypeError, ValueError):
            pass
    raise FormatError(f"{path} holds a damaged loss history; use another copy of it.")
