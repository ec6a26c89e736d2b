# pyright: strict
"""A model's files for another program, brought to where the user finds them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from dflcolab.errors import StorageError
from dflcolab.files import sha256_of, storage_errors

ExportFormat = Literal["dfl", "dfm", "onnx", "keras"]

NO_EXPORT = "nothing"
EXPORTS: Mapping[str, ExportFormat] = {
    "DeepFaceLab": "dfl",
    "DFM": "dfm",
    "ONNX": "onnx",
    "Keras": "keras",
}
"""What the last cell can write, as `model` takes it."""


def place_on_storage(files: Iterable[Path], folder: Path) -> Path:
    """Copy files into a folder of the storage that is not there yet, and read them back.

    Args:
        files: Files on this machine.
        folder: Where to; a number is put behind it where it exists, since names on a mounted Drive
            are not used twice.

    Returns:
        The folder.

    Raises:
        StorageError: The storage is full or offline, or gives back other bytes.
    """
    with storage_errors(folder):
        target, number = folder, 1
        while target.exists():
            number += 1
            target = folder.with_name(f"{folder.name} ({number})")
        target.mkdir(parents=True)
        for path in files:
            copied = target / path.name
            shutil.copyfile(path, copied)
            if sha256_of(copied) != sha256_of(path):
                raise StorageError(
                    f"{copied} does not read back as it was written; run the cell again."
                )
    return target
