# pyright: strict
"""Waiting for another program only as long as somebody before a page would."""

from __future__ import annotations

import time
from pathlib import Path

from dflcolab.errors import FacesetError
from dflcolab.progress import Progress

PATIENCE_S = 5.0
"""The page waits meanwhile, and the kernel does nothing else."""


class Patience(Progress):
    """Waits for another program that uses a side's faces, then says so.

    Args:
        folder: The faceset's folder.
        seconds: How long.
    """

    def __init__(self, folder: Path, *, seconds: float = PATIENCE_S) -> None:
        super().__init__()
        self._folder = folder
        self._until = time.monotonic() + seconds

    def raise_if_stopped(self, what: str = "") -> None:
        if time.monotonic() > self._until:
            raise FacesetError(
                f"Another program works on the faces in {self._folder}; wait for its end and try "
                "again."
            )
