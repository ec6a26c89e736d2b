"""The preview of mask training: faces with the drawn mask and with the learned one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image, Mask
from dflcolab.training.preview import to_picture

_GREEN = np.array([0, 1, 0], np.float32)


def overlay(picture: FloatImage, mask: Mask) -> FloatImage:
    """A picture `[H, W, 3]` with all that the mask `[H, W, 1]` leaves out in green."""
    return (picture * mask + 0.5 * (picture + _GREEN) * (1 - mask)).astype(np.float32)


def draw_masks(faces: npt.NDArray[np.uint8], predicted: Mask, *, labelled: list[bool]) -> Image:
    """A row per face: the drawn mask, the learned one, and the picture under the learned one.

    Args:
        faces: `[N, R, R, 4]`, BGR and drawn mask.
        predicted: `[N, R, R, 1]` in 0..1.
        labelled: Which faces have a drawn mask; of others the picture itself is shown.

    Returns:
        `[N R, 3 R, 3]`.
    """
    rows: list[FloatImage] = []
    for face, mask, drawn in zip(faces.astype(np.float32) / 255, predicted, labelled, strict=True):
        picture = face[..., :3]
        first = overlay(picture, face[..., 3:]) if drawn else picture
        grey = np.repeat(mask, 3, axis=2)
        rows.append(np.concatenate([first, grey, overlay(picture, mask)], axis=1))
    return to_picture(np.concatenate(rows, axis=0))
