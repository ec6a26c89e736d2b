# pyright: strict
"""Small pictures of faces, made once and kept in one file of the side.

The file is a convenience: damaged, locked or on a full disk it is left alone or begun anew. It never
travels to a remote (its name begins with a dot), and shows real people: treat it like their pictures.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.faceset.face_files import FaceFile
from dflcolab.widgets.gallery_pictures import Picture

FILE_NAME = ".thumbnails"
SIDE = 96
"""Pixels. As JPEG some 3 kB, so 10,000 of them take 30 MB."""

_QUALITY = 80
_REDUCED = (cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_COLOR)
_TABLE = "CREATE TABLE IF NOT EXISTS thumbnails (key TEXT PRIMARY KEY, jpeg BLOB NOT NULL)"

Reader = Callable[[Sequence[Picture]], Sequence[FaceFile | None]]


class Thumbnails:
    """The cache of one side.

    Args:
        path: The file, in a folder that exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, pictures: Sequence[Picture], read: Reader) -> list[bytes]:
        """A JPEG of at most `SIDE` pixels for each; b"" where there is no readable picture.

        Args:
            pictures: Which ones.
            read: Reads those that are not in the cache yet.
        """
        known = self._known([picture.key for picture in pictures])
        missing = [picture for picture in pictures if picture.key not in known]
        if missing:
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                fresh = list(pool.map(_made, read(missing)))
            made = {one.key: jpeg for one, jpeg in zip(missing, fresh, strict=True) if jpeg}
            self._add(made)
            known |= made
        return [known.get(picture.key, b"") for picture in pictures]

    def forget_all_but(self, keys: set[str]) -> None:
        """Drop pictures of files that are gone, once they are the greater part."""
        with suppress(sqlite3.Error), closing(self._opened()) as cache, cache:
            present = [row[0] for row in cache.execute("SELECT key FROM thumbnails")]
            gone = [(key,) for key in present if key not in keys]
            if 2 * len(gone) > len(present):
                cache.executemany("DELETE FROM thumbnails WHERE key = ?", gone)

    def _known(self, keys: Sequence[str]) -> dict[str, bytes]:
        try:
            with closing(self._opened()) as cache:
                ask = "SELECT jpeg FROM thumbnails WHERE key = ?"
                rows = [(key, cache.execute(ask, (key,)).fetchone()) for key in keys]
            return {key: row[0] for key, row in rows if row is not None}
        except sqlite3.OperationalError:  # locked, or a disk that takes nothing
            return {}
        except sqlite3.DatabaseError:  # damaged, or a file of something else
            with suppress(OSError):
                self._path.unlink()
            return {}

    def _add(self, made: dict[str, bytes]) -> None:
        with suppress(sqlite3.Error), closing(self._opened()) as cache, cache:
            cache.executemany("INSERT OR REPLACE INTO thumbnails VALUES (?, ?)", made.items())

    def _opened(self) -> sqlite3.Connection:
        cache = sqlite3.connect(self._path, timeout=1.0)
        try:
            cache.execute("PRAGMA synchronous = OFF")  # what a power cut damages is made anew
            cache.execute(_TABLE)
        except sqlite3.Error:
            cache.close()
            raise
        return cache


def _made(face: FaceFile | None) -> bytes:
    """The small picture of a face file; the decoder leaves out pixels that nobody would see."""
    if face is None or not face.data:
        return b""
    data = np.frombuffer(face.data, np.uint8)
    picture: Any = None
    for flags in _REDUCED:
        with suppress(cv2.error):
            picture = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION)
        if picture is None:
            return b""
        if min(picture.shape[:2]) >= SIDE:
            break
    return _encoded(cast(Image, picture))


def _encoded(picture: Image) -> bytes:
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
