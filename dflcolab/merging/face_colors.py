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


class _Transfer(Protocol):
    """A transfer that counts pixels outside of the masks as black, and changes all."""

    def __call__(
        self,
        source: FloatImage,
        target: FloatImage,
        *,
        source_mask: Mask | None = None,
        target_mask: Mask | None = None,
    ) -> FloatImage: ...


_TRANSFERS: dict[ColorTransferMode, _Transfer] = {
    ColorTransferMode.RCT: reinhard,
    ColorTransferMode.LCT: linear,
    ColorTransferMode.MKL: monge_kantorovich,
    ColorTransferMode.MKL_M: monge_kantorovich,
    ColorTransferMode.IDT: distribution_transfer,
    ColorTransferMode.IDT_M: distribution_transfer,
    ColorTransferMode.SOT_M: sliced_transport,
    ColorTransferMode.MIX_M: mixed_transport,
}
_OF_ALL = (ColorTransferMode.LCT, ColorTransferMode.MKL, ColorTransferMode.IDT)


def transfer_color(
    mode: ColorTransferMode,
    source: FloatImage,
    target: FloatImage,
    *,
    area: Area,
    shown: Area | None = None,
) -> FloatImage:
    """The source with the target's colors.

    `rct` and the modes with -m see both pictures black outside of the area, the others see all.
    DeepFaceLab's `-m` also leaves the face black there, which shows as a dark line along a mask with
    a hard edge; here the pixels outside change as those inside do.

    Args:
        mode: Which transfer.
        source: The face to change, `[H, W, 3]` in 0..1.
        target: The crop of the frame, same size, black beyond the frame.
        area: Where the face is, inside of the frame.
        shown: For a source taken from a frame: where it lies in it; beyond it counts as black, as
            the target is there.
    """
    if mode is ColorTransferMode.NONE:
        return source
    counted = shown if mode in _OF_ALL else area
    mask = None if counted is None else counted[..., None].astype(np.float32)
    return _TRANSFERS[mode](source, target, source_mask=mask, target_mask=mask)


def match_histogram(
    source: FloatImage,
    target: FloatImage,
    *,
    threshold: int,
    area: Area | None,
    outside: float = 1.0,
) -> FloatImage:
    """The source with the target's distribution of values, channel by channel.

    DFL interoperability notes, section 7 ("hist match").

    Args:
        source: The face to change, `[H, W, 3]`.
        target: The crop of the frame, same size.
        threshold: 0..255; below 255 the top end of the source is mapped lower, which darkens.
        area: What is compared. Elsewhere both pictures count as `outside`, and what the source shows
            there changes as the same values inside do (DeepFaceLab leaves white there, a bright line
            along a hard mask). None compares everything.
        outside: White or black.
    """
    counted, wanted = source, target
    if area is not None:
        counted, wanted = (
            np.where(area[..., None], picture, np.float32(outside)) for picture in (source, target)
        )
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
