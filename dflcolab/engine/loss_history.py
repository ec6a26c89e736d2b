"""The losses of every iteration in a plain file that only grows: two float32 per iteration.

Little-endian, src then dst (the second is no number in models with one side); iteration n is at byte `8 (n - 1)`. A checkpoint notes how many entries
belong to it; what a killed run wrote beyond is cut off on resume.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dflcolab.files import storage_errors

COLUMNS = 2
_ENTRY_BYTES = 4 * COLUMNS


class LossHistory:
    """Loss history of one model.

    Args:
        path: The file; made when the first losses come.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending: list[Sequence[float]] = []

    def start_at(self, count: int) -> None:
        """Keep the first `count` entries and drop the rest; entries that are lost become NaN."""
        self._pending.clear()
        values = read_losses(self.path)
        if len(values) == count:
            return
        filled = np.full((count, COLUMNS), np.nan, "<f4")
        kept = min(count, len(values))
        filled[:kept] = values[:kept]
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("r+b" if self.path.exists() else "w+b") as stream:
                stream.truncate(kept * _ENTRY_BYTES)
                stream.seek(kept * _ENTRY_BYTES)
                stream.write(filled[kept:].tobytes())

    def append(self, losses: npt.ArrayLike) -> None:
        """Add entries `[N, 2]`, or `[N, 1]` of one side; they reach the disk at the next `flush`."""
        given = np.asarray(losses, "<f4")
        filled = np.full((len(given), COLUMNS), np.nan, "<f4")
        filled[:, : given.shape[1]] = given
        self._pending.extend(filled.tolist())

    def flush(self) -> None:
        """Write what is pending; `force` makes sure that it survives a power cut."""
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as stream:
                stream.write(np.asarray(self._pending, "<f4").tobytes())
        self._pending.clear()

    def force(self) -> None:
        """Force what was written to the disk; may run in another thread."""
        if self.path.exists():
            with storage_errors(self.path), self.path.open("rb") as stream:
                os.fsync(stream.fileno())


class UnwrittenHistory(LossHistory):
    """Of a process that leaves writing to another one."""

    def start_at(self, count: int) -> None:
        """Nothing to do."""

    def append(self, losses: npt.ArrayLike) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""


def read_losses(path: Path) -> npt.NDArray[np.float32]:
    """All complete entries, `[N, 2]`; empty when the file is missing."""
    if not path.exists():
        return np.zeros((0, COLUMNS), np.float32)
    data = path.read_bytes()
    whole = len(data) // _ENTRY_BYTES * _ENTRY_BYTES
    return np.frombuffer(data[:whole], "<f4").reshape(-1, COLUMNS)


def losses_name(*, pretraining: bool) -> str:
    """File name of the loss history of a phase."""
    return "losses-pretraining.bin" if pretraining else "losses.bin"
