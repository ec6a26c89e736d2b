# pyright: strict
"""The colors of the new face, brought near those of the frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage
from dflcolab.imaging.color_transfer import linear, monge_kantorovich, reinhard
from dflcolab.merging.config import ColorTransferMode

Area = npt.NDArray[np.bool_]
"""`[H, W]`, True where the face is."""


def transfer_color(
    mode: ColorTransferMode, source: FloatImage, target: FloatImage, area: Area
) -> FloatImage:
    """The source with the target's colors.

    Args:
        mode: Which transfer. `rct` counts the pixels outside of the area as black, as
            DeepFaceLab's does; `mkl-m` sees both pictures black outside; the others see all.
        source: The face to change, `[H, W, 3]` in 0..1.
        target: The crop of the frame, same size.
        area: Where the face is.
    """
    if mode is ColorTransferMode.RCT:
        mask = area[..., None].astype(np.float32)
        return reinhard(source, target, source_mask=mask, target_mask=mask)
    if mode is ColorTransferMode.LCT:
        return linear(source, target)
    if mode is ColorTransferMode.MKL:
        return monge_kantorovich(source, target)
    if mode is ColorTransferMode.MKL_M:
        inside = area[..., None].astype(np.float32)
        return monge_kantorovich(source * inside, target * inside)
    return source


def match_histogram(
    source: FloatImage, target: FloatImage, *, threshold: int, area: Area | None
) -> FloatImage:
    """The source with the target's distribution of values, channel by channel.

    DFL interoperability notes, section 7 ("hist match").

    Args:
        source: The face to change, `[H, W, 3]`.
        target: The crop of the frame, same size.
        threshold: 0..255; below 255 the top end of the source is mapped lower, which darkens.
        area: Where the face is; outside both pictures count as white. None compares everything.
    """
    if area is not None:
        outside = ~area[..., None]
        white = np.float32(1.0)
        source = np.where(outside, white, source)
        target = np.where(outside, white, target)
    matched = [
        _matched(source[..., i], target[..., i], float(threshold)) for i in range(source.shape[2])
    ]
    return np.stack(matched, axis=2)


def _matched(
    source: npt.NDArray[np.float32], target: npt.NDArray[np.float32], threshold: float
) -> npt.NDArray[np.float32]:
    _, places, counts = np.unique(source, return_inverse=True, return_counts=True)
    target_values, target_counts = np.unique(target, return_counts=True)
    share = threshold * np.cumsum(counts) / source.size
    target_share = 255.0 * np.cumsum(target_counts) / target.size
    mapped = np.interp(share, target_share, target_values)
    return mapped[places.reshape(source.shape)].astype(np.float32)
