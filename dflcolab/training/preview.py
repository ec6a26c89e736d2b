"""The preview: what the model paints, beside what it should paint."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image, Tensor

MOST_ROWS = 4
LARGEST_ROW = 800
Painter = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""src and dst faces `[B, R, R, 3]` to src -> src, dst -> dst and the swap."""

Pictures = npt.NDArray[np.float32]
"""Several pictures, `[N, R, R, 3]`, float32 in 0..1, BGR."""


def preview_rows(resolution: int) -> int:
    """Rows of a preview: four, fewer where faces are large."""
    return max(1, min(MOST_ROWS, LARGEST_ROW // resolution))


def draw_preview(src: npt.NDArray[np.uint8], dst: npt.NDArray[np.uint8], paint: Painter) -> Image:
    """A grid with a row per face: src, src painted, dst, dst painted, dst with the face of src.

    Args:
        src: Faces `[B, R, R, 3]` uint8, BGR.
        dst: As many of dst.
        paint: The model.

    Returns:
        `[B * R, 5 * R, 3]`, uint8, BGR.
    """
    src_float, dst_float = (side.astype(np.float32) / 255 for side in (src, dst))
    src_src, dst_dst, swap = (np.asarray(painted) for painted in paint(src_float, dst_float))
    columns = [src_float, src_src, dst_float, dst_dst, swap]
    rows = [np.concatenate([column[i] for column in columns], axis=1) for i in range(len(src))]
    return to_picture(np.concatenate(rows, axis=0))


def painted_in_parts(
    paint: Painter,
    src: npt.NDArray[np.uint8],
    dst: npt.NDArray[np.uint8],
    *,
    at_once: int,
) -> tuple[Pictures, Pictures, Pictures]:
    """What a model paints of many faces, in batches of one shape.

    Args:
        paint: The model.
        src: Faces `[N, R, R, 3]` uint8, BGR.
        dst: As many of dst.
        at_once: Faces in a batch; the last one is filled up with faces from the start.

    Returns:
        src -> src, dst -> dst and the swap, `[N, R, R, 3]` float32 in 0..1.
    """
    parts: list[list[Pictures]] = []
    for start in range(0, len(src), at_once):
        places = np.arange(start, start + at_once) % len(src)
        pair = (side[places].astype(np.float32) / 255 for side in (src, dst))
        parts.append([np.asarray(pictures) for pictures in paint(*pair)])
    src_src, dst_dst, swap = (np.concatenate(p)[: len(src)] for p in zip(*parts, strict=True))
    return src_src, dst_dst, swap


def to_picture(values: FloatImage) -> Image:
    """0..1 to 0..255, rounded; values beyond are cut."""
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)


def encode_jpeg(picture: Image, *, quality: int = 92) -> bytes:
    """The picture as a JPEG file."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
