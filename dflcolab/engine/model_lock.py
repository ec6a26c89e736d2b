"""One process at a time trains a model, or puts other files in its place."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from dflcolab.errors import ModelError
from dflcolab.files import exclusive


def training_alone(model_dir: Path) -> AbstractContextManager[None]:
    """Keeps other processes from training this model, or changing it, meanwhile.

    Raises:
        ModelError: Another process trains it.
    """
    lock = model_dir.with_name(f".{model_dir.name}.lock")
    busy = ModelError(f"Another process is training {model_dir.name}; wait until it has ended.")
    return exclusive(lock, busy)
