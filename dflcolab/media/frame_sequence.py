# pyright: strict
"""Frames as picture files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from dflcolab.arrays import Array, Image
from dflcolab.errors import MediaError
from dflcolab.files import list_files, natural_key, write_bytes

FRAME_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Picture files that count as frames, in lower case."""

_LARGEST_UINT16 = 65535
# OpenCV 4.11 has no choice of filter yet.
_PNG_FILTER_UP = [
    getattr(cv2, name)
    for name in ("IMWRITE_PNG_FILTER", "IMWRITE_PNG_FILTER_UP")
    if hasattr(cv2, "IMWRITE_PNG_FILTER_UP")
]


def list_frames(folder: Path) -> list[Path]:
    """Frame pictures of a folder in natural order of their names; [] if the folder is missing."""
    return sorted(list_files(folder, FRAME_SUFFIXES), key=natural_key)


def read_image(path: Path) -> Image:
    """A picture as BGR `[H, W, 3]`, uint8.

    Grey pictures get three equal channels, an alpha channel is dropped, 16-bit pictures are rounded
    to 8 bits. A camera's rotation note is followed.

    Raises:
        MediaError: The file is missing, damaged or not a picture; names it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}); check the file.") from error
    return decode_image(data, name=str(path))


def read_ahead(paths: Sequence[Path], *, n_threads: int = 2) -> Iterator[Image]:
    """The pictures in order, a few of them decoded in advance by other threads.

    Raises:
        MediaError: As `read_image`, when its turn comes.
    """
    with ThreadPoolExecutor(n_threads, "picture-reader") as pool:
        waiting: deque[Future[Image]] = deque()
        try:
            for path in paths:
                waiting.append(pool.submit(read_image, path))
                if len(waiting) > 2 * n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def decode_image(data: bytes, *, name: str) -> Image:
    """Like `read_image`, for the bytes of a file.

    Args:
        data: Content of a picture file.
        name: What to call it in errors.

    Raises:
        MediaError: Not a picture, or damaged.
    """
    if not _is_whole(data):
        raise MediaError(f"{name} is damaged or no picture; delete it or make it again.")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    try:
        image = cast("Array | None", cv2.imdecode(np.frombuffer(data, np.uint8), flags))
    except cv2.error:
        image = None
    if image is None:
        raise MediaError(f"{name} is damaged or no picture; delete it or make it again.")
    if image.dtype == np.uint16:
        return ((image.astype(np.uint32) * 255 + _LARGEST_UINT16 // 2) // _LARGEST_UINT16).astype(
            np.uint8
        )
    if image.dtype != np.uint8:  # floating-point TIFF: 0..1
        return (np.clip(np.nan_to_num(image), 0, 1) * 255 + 0.5).astype(np.uint8)
    return image


def _is_whole(data: bytes) -> bool:
    """False for a PNG or JPEG that is cut off: OpenCV would fill the rest with grey, silently."""
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND") > 0
    if data.startswith(b"\xff\xd8"):
        return data.find(b"\xff\xd9", _start_of_scan(data)) > 0
    return bool(data)


def _start_of_scan(jpeg: bytes) -> int:
    """Where a JPEG's picture data begin: behind the segments that may hold a whole thumbnail."""
    place = 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF and jpeg[place + 1] != 0xDA:
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return place


def encode_image(image: Image, suffix: str, *, quality: int = 95, compression: int = 1) -> bytes:
    """A picture as the content of a file.

    Args:
        image: BGR `[H, W, 3]` or grey `[H, W]` / `[H, W, 1]`, uint8.
        suffix: ".png", ".jpg", ".webp" …
        quality: Of JPEG and WebP, 1..100.
        compression: Of PNG, 0..9; 1 is the fastest.

    Raises:
        MediaError: The suffix is none that can be written.
    """
    suffix = suffix.lower()
    options: list[int] = []
    if suffix == ".png":
        options = [cv2.IMWRITE_PNG_COMPRESSION, compression]
        if compression == 1:
            # One filter for all rows instead of a trial of each, and runs instead of matches:
            # half the time at about the same size.
            options += [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE, *_PNG_FILTER_UP]
    elif suffix in (".jpg", ".jpeg"):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    elif suffix == ".webp":
        options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    try:
        done, data = cv2.imencode(suffix, image, options)
    except cv2.error as error:
        raise MediaError(
            f"Pictures cannot be written as {suffix!r}; choose .png or .jpg."
        ) from error
    if not done:
        raise MediaError(f"Pictures cannot be written as {suffix!r}; choose .png or .jpg.")
    return data.tobytes()


def write_image(path: Path, image: Image, quality: int = 95, *, durable: bool = False) -> None:
    """Write a picture atomically, in the format of the path's suffix.

    Args:
        path: Where to; the folder must exist.
        image: BGR `[H, W, 3]` or grey, uint8.
        quality: Of JPEG and WebP, 1..100; PNG is always exact.
        durable: Flush to the disk before going on (slow; frames can be made again).

    Raises:
        MediaError: The suffix is none that can be written.
        StorageError: Disk full, read-only or gone.
    """
    write_bytes(path, encode_image(image, path.suffix, quality=quality), durable=durable)
