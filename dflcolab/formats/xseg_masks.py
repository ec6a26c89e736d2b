# pyright: strict
"""Masks inside face files: small PNG or JPEG pictures (DFL interoperability notes, section 1.3)."""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Mask
from dflcolab.errors import FormatError
from dflcolab.formats.jpeg_segments import read_header

LARGEST_MASK = 50_000
"""Bytes a stored mask may take; the rest of the segment is for landmarks and outlines."""

_LONGEST_SIDE = 8192
_LONGEST_EMPTY = 1200  # bytes


def encode_xseg_mask(mask: npt.NDArray[Any]) -> bytes:
    """A mask as PNG, or as the best JPEG within `LARGEST_MASK` bytes if the PNG is longer.

    Args:
        mask: `[H, W]` or `[H, W, C]`, values 0..1; only the first channel is kept. Values are cut
            (not rounded) to 8 bits, as DeepFaceLab does.
    """
    plane = mask[..., 0] if mask.ndim == 3 else mask
    values = np.clip(plane.astype(np.float32) * np.float32(255.0), 0, 255).astype(np.uint8)
    return _encode_within(values, LARGEST_MASK)


def decode_xseg_mask(data: bytes, *, name: str = "The mask") -> Mask:
    """The mask of an encoded picture. `[H, W, 1]`, float32, 0..1.

    Raises:
        FormatError: `data` is no PNG or JPEG picture of a sensible size.
    """
    _check_size(data, name)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        picture = None
    if picture is None:
        raise FormatError(f"{name} holds a mask that is no picture; remove the mask or the file.")
    plane = picture[..., :1] if picture.ndim == 3 else picture[..., None]
    return plane.astype(np.float32) / np.float32(255.0)


def is_empty_mask(data: bytes) -> bool:
    """True if an encoded mask holds no pixel of face: those above one half.

    Long data is not decoded: an empty mask of up to 512 x 512 pixels takes 1,102 bytes as PNG.
    """
    if len(data) > _LONGEST_EMPTY:
        return False
    try:
        return not bool((decode_xseg_mask(data) > 0.5).any())
    except FormatError:
        return False  # whoever needs it says so


def shrink_xseg_mask(data: bytes, limit: int, *, name: str = "The mask") -> bytes:
    """The mask again in at most `limit` bytes: coarser, then smaller.

    Raises:
        FormatError: Not even the smallest form fits.
    """
    values = (decode_xseg_mask(data, name=name)[..., 0] * 255).round().astype(np.uint8)
    while min(values.shape) >= 16:
        encoded = _encode_within(values, limit, lowest_quality=60)
        if len(encoded) <= limit:
            return encoded
        height, width = values.shape
        values = np.asarray(
            cv2.resize(values, (width // 2, height // 2), interpolation=cv2.INTER_AREA),
            dtype=np.uint8,
        )
    raise FormatError(f"{name} has no room for its mask; draw its outlines with fewer points.")


def _encode_within(values: npt.NDArray[np.uint8], limit: int, *, lowest_quality: int = 0) -> bytes:
    encoded = cv2.imencode(".png", values)[1].tobytes()
    quality = 100
    while len(encoded) > limit and quality >= lowest_quality:
        encoded = cv2.imencode(".jpg", values, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        quality -= 1
    return encoded


def _check_size(data: bytes, name: str) -> None:
    """Refuse pictures whose header promises more pixels than a mask can have."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
    else:
        header = read_header(io.BytesIO(data), f"The mask in {name}")
        width, height = header.width, header.height
    if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE):
        raise FormatError(f"{name} holds a mask of absurd size; remove the mask or the file.")
