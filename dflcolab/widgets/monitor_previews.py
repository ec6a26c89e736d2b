# pyright: strict
"""The previews of a training: the kept ones, and the one that was made last."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.pipeline.training_history import read_previews
from dflcolab.runtime.show import MAX_PICTURE_BYTES, small_jpeg


class Previews:
    """Pictures by place: kept ones in order, the newest one last.

    Args:
        history_dir: Where kept previews are.
        newest: File of the newest picture; each one replaces the one before.
    """

    def __init__(self, history_dir: Path, newest: Path) -> None:
        self._history_dir = history_dir
        self._newest = newest
        self._newest_iteration: int | None = None
        self._kept: list[tuple[int, Path]] = []

    def look(self, newest_iteration: int | None) -> None:
        """Take notice of new pictures.

        Args:
            newest_iteration: Of the newest picture; None before there is one.
        """
        self._newest_iteration = newest_iteration
        kept = read_previews(self._history_dir)
        # The newest one may have been kept: it is shown once.
        self._kept = [entry for entry in kept if entry[0] != newest_iteration]

    def __len__(self) -> int:
        return len(self._kept) + (self._newest_iteration is not None)

    def show(self, place: int) -> tuple[bytes, str]:
        """A JPEG of at most 150 kB, and what stands below it; nothing where a file has gone."""
        if place >= len(self._kept):
            path, caption = self._newest, f"Iteration {self._newest_iteration:,}, the newest one"
        else:
            iteration, path = self._kept[place]
            caption = f"Iteration {iteration:,}"
        try:
            data = path.read_bytes()
        except OSError:
            return b"", ""
        return _fitting(data), caption


def _fitting(data: bytes) -> bytes:
    """The picture, compressed more where it is too large for a page."""
    if len(data) <= MAX_PICTURE_BYTES:
        return data
    picture: Image | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # pyright: ignore[reportAssignmentType]
    return b"" if picture is None else small_jpeg(picture)
