# pyright: strict
"""The colors of the new face, brought near those of the frame."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Mask
from dflcolab.imaging.color_transfer import linear, monge_kantorovich, reinhard
from dflcolab.imaging.distribution_transfer import distribution_transfer
from dflcolab.imaging.sliced_transport import mixed_transport, sliced_transport
from dflcolab.merging.options import ColorTransferMode

Area = npt.NDArray[np.bool_]
"""`[H, W]`, True where the face is."""

Plane = npt.NDArray[np.float32]
"""One channel, `[H, W]`."""


class _Masked(Protocol):
    """A transfer that may count pixels outside of masks as black."""

    def __call__(
        self,
        source: FloatImage,
        target: FloatImage,
        *,
        source_mask: Mask | None = None,
        target_mask: Mask | None = None,
    ) -> FloatImage: ...


_OF_ALL = {
    ColorTransferMode.LCT: linear,
    ColorTransferMode.MKL: monge_kantorovich,
    ColorTransferMode.IDT: distribution_transfer,
}
_INSIDE: dict[ColorTransferMode, _Masked] = {
    ColorTransferMode.RCT: reinhard,
    ColorTransferMode.MKL_M: monge_kantorovich,
    ColorTransferMode.IDT_M: distribution_transfer,
    ColorTransferMode.SOT_M: sliced_transport,
    ColorTransferMode.MIX_M: mixed_transport,
}


def transfer_color(
    mode: ColorTransferMode, source: FloatImage, target: FloatImage, area: Area
) -> FloatImage:
    """The source with the target's colors.

    `rct` and the modes with -m see both pictures black outside of the area, the others see all.
    DeepFaceLab's `-m` also leaves the face black there, which shows as a dark line along a mask with
    a hard edge; here the pixels outside change as those inside do.

    Args:
        mode: Which transfer.
        source: The face to change, `[H, W, 3]` in 0..1.
        target: The crop of the frame, same size.
        area: Where the face is.
    """
    if mode in _OF_ALL:
        return _OF_ALL[mode](source, target)
    if mode in _INSIDE:
        mask = area[..., None].astype(np.float32)
        return _INSIDE[mode](source, target, source_mask=mask, target_mask=mask)
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
        area: Where the face is; outside both pictures count as white, and what the source shows
            there changes as the same values inside do (DeepFaceLab leaves white there, a bright line
            along a hard mask). None compares everything.
    """
    counted, wanted = source, target
    if area is not None:
        outside = ~area[..., None]
        counted = np.where(outside, np.float32(1.0), source)
        wanted = np.where(outside, np.float32(1.0), target)
    matched = [
        _matched(source[..., i], counted[..., i], wanted[..., i], float(threshold))
        for i in range(source.shape[2])
    ]
    return np.stack(matched, axis=2)


def _matched(source: Plane, counted: Plane, target: Plane, threshold: float) -> Plane:
    """One channel, moved as `counted` must be to be distributed as the target."""
    values, counts = np.unique(counted, return_counts=True)
    target_values, target_counts = np.unique(target, return_counts=True)
    share = threshold * np.cumsum(counts) / counted.size
    target_share = 255.0 * np.cumsum(target_counts) / target.size
    mapped = np.interp(share, target_share, target_values)
    return np.interp(source, values, mapped).astype(np.float32)
