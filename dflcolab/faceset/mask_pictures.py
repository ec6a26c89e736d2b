# pyright: strict
"""Masks that other programs wrote as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.errors import FormatError
from dflcolab.files import storage_errors


def read_mask_picture(path: Path) -> npt.NDArray[np.float32]:
    """What a mask picture shows, `[H, W]`, 0..1.

    Where a part of the picture is transparent, what is not is the mask: such pictures are faces that
    were cut out, or shapes on nothing. Else it is what is bright, beside the brightest pixel, since some
    programs write 0 and 1.

    Raises:
        FormatError: It is no picture, or too large.
        StorageError: The disk does not answer.
    """
    with storage_errors(path):
        data = np.frombuffer(path.read_bytes(), np.uint8)
    try:
        picture: Any = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except cv2.error:
        picture = None
    if picture is None:
        raise FormatError(f"{path} is no picture; remove it or export it again.")
    values = np.atleast_3d(np.asarray(picture, np.float32))
    colors, plane = values[..., :3], values[..., 0]
    if colors.shape[2] == 3:
        plane = np.asarray(cv2.cvtColor(np.ascontiguousarray(colors), cv2.COLOR_BGR2GRAY))
    if values.shape[2] in (2, 4) and np.ptp(values[..., -1]) > 0:
        plane = values[..., -1]
    return np.ascontiguousarray(plane) / np.float32(max(1.0, float(plane.max())))
