# pyright: strict
# pyright: reportUnknownMemberType=false
# SciPy has no annotations.
"""Poisson's equation on a rectangle, solved at once by sine transforms."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
from scipy import fft  # pyright: ignore[reportMissingTypeStubs]


def solve_poisson(laplacian: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The picture with a given Laplacian that is zero all around.

    The sum of a pixel's four neighbors less four times the pixel is what `laplacian` says, and
    neighbors outside of the picture are zero. Waves of sines that vanish there keep their shape
    under this sum, so that each is only divided by its own factor.

    Args:
        laplacian: `[h, w, channels]`, float32; its memory may be used up.

    Returns:
        `[h, w, channels]`, float32. For values of pictures up to 1,000 pixels wide, the error is
        below 0.01 of 255.
    """
    height, width = laplacian.shape[:2]
    # A transform and its inverse multiply by this, when neither is scaled.
    scale = np.float64(4.0 * (height + 1) * (width + 1))
    factors = _factors(height)[:, None] + _factors(width)
    waves = cast(
        npt.NDArray[np.float32], fft.dstn(laplacian, type=1, axes=(0, 1), overwrite_x=True)
    )
    waves *= (1.0 / (scale * factors)).astype(np.float32)[..., None]
    return cast(npt.NDArray[np.float32], fft.dstn(waves, type=1, axes=(0, 1), overwrite_x=True))


def _factors(length: int) -> npt.NDArray[np.float64]:
    """What the sum of two neighbors less twice the pixel makes of each wave along an axis."""
    return 2.0 * np.cos(np.pi * np.arange(1, length + 1) / (length + 1)) - 2.0
