# pyright: strict
"""Sliced optimal transport: colors moved, pixel by pixel, to those of another picture.

DeepFaceLab's `sot` and `mix` (interoperability notes, section 7), after Rabin, Peyré, Delon and
Bernot, "Wasserstein barycenter and its application to texture mixing" (2011). The way of each pixel is
smoothed over some 20 pixels at the end, which is why it may be computed on a grid of pixels and
enlarged: at 224 pixels that is an eleventh of the work. The directions are the same in every call,
so a video does not flicker by them.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image, Mask
from dflcolab.imaging.sampling import masked, spread_pixels

_STEPS = 10
_DIRECTIONS = 30
"""Directions of one step, as DeepFaceLab's merger has them (its sampler has 5)."""
_SIGMA_SPACE, _SIGMA_COLOR = 16.0, 5.0
"""Of the bilateral filter that smooths the change: pixels, and units of the colors."""
_GRIDS = ((256, 64), (1 << 30, 128))
"""Largest side of a picture, and side of the grid that it gets at most."""
_SAME_LIGHT = 100
"""L of 8-bit Lab that all pixels are given to compare their tints alone."""

Colors = npt.NDArray[np.float32]


def sliced_transport(
    source: FloatImage,
    target: FloatImage,
    *,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
) -> FloatImage:
    """The source with the target's colors, as `sot` brings them.

    Args:
        source: The picture to change, `[H, W, 3]` BGR in 0..1.
        target: The picture whose colors are wanted; any size.
        source_mask: `[H, W, 1]`; pixels below 0.5 count as black. All pixels are changed; near the
            border of the mask less, since black stays black there.
        target_mask: The same for `target`.
    """
    change = _smooth_change(masked(source, source_mask), masked(target, target_mask))
    return np.clip(source + change, np.float32(0.0), np.float32(1.0))


def mixed_transport(
    source: FloatImage,
    target: FloatImage,
    *,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
) -> FloatImage:
    """Lightness by mean and spread, tints by transport (`mix`).

    Arguments as for `sliced_transport`.
    """
    lab, counted, wanted = (
        _lab(picture)
        for picture in (source, masked(source, source_mask), masked(target, target_mask))
    )
    tints = [_to_float(_at_same_light(picture)) for picture in (counted, wanted)]
    change = _smooth_change(tints[0], tints[1])
    tinted = np.clip(_to_float(_at_same_light(lab)) + change, 0, 255).astype(np.uint8)
    result = cv2.cvtColor(tinted, cv2.COLOR_BGR2LAB).astype(np.uint8, copy=False)
    result[..., 0] = _matched_light(lab[..., 0], counted[..., 0], wanted[..., 0])
    return cv2.cvtColor(result, cv2.COLOR_LAB2BGR).astype(np.float32) / np.float32(255.0)


def _smooth_change(source: FloatImage, target: FloatImage) -> FloatImage:
    """What to add to each pixel of the source, `[H, W, 3]`."""
    height, width = source.shape[:2]
    most = next(side for largest, side in _GRIDS if max(height, width) <= largest)
    rows, columns = min(height, most), min(width, most)
    start = spread_pixels(source, rows, columns)
    aim = spread_pixels(target, rows, columns)
    change = (_transported(start.reshape(-1, 3), aim.reshape(-1, 3))).reshape(start.shape) - start
    sigma = _SIGMA_SPACE * ((rows * columns) / (height * width)) ** 0.5
    # OpenCV's own choice of the diameter for a sigma, so that nothing is cut off on the grid.
    diameter = round(sigma * 1.5) * 2 + 1
    smooth = cv2.bilateralFilter(change, diameter, _SIGMA_COLOR, sigma)
    if (rows, columns) != (height, width):
        smooth = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
    return smooth.astype(np.float32, copy=False)


def _transported(source: Colors, target: Colors) -> Colors:
    """The source's colors moved to the target's; `[P, 3]` both."""
    moving = source.copy()
    for lines in _directions():  # [30, 3]
        along = lines @ moving.T  # [30, P]
        aim = np.sort(lines @ target.T, axis=1)
        order = np.argsort(along, axis=1)
        moves = np.empty_like(along)
        # What has the n-th place in the source gets the n-th place of the target.
        np.put_along_axis(moves, order, aim - np.take_along_axis(along, order, axis=1), axis=1)
        moving += moves.T @ lines / np.float32(_DIRECTIONS)
    return moving


@functools.cache
def _directions() -> Colors:
    """Unit vectors `[10, 30, 3]`, always the same."""
    drawn = np.random.default_rng(5).normal(size=(_STEPS, _DIRECTIONS, 3))
    return (drawn / np.linalg.norm(drawn, axis=2, keepdims=True)).astype(np.float32)


def _lab(picture: FloatImage) -> Image:
    """8-bit Lab."""
    as_bytes = np.clip(picture * np.float32(255.0), 0, 255).astype(np.uint8)
    return cv2.cvtColor(as_bytes, cv2.COLOR_BGR2LAB).astype(np.uint8, copy=False)


def _at_same_light(lab: Image) -> Image:
    """The picture as BGR with the same lightness everywhere."""
    flat = lab.copy()
    flat[..., 0] = _SAME_LIGHT
    return cv2.cvtColor(flat, cv2.COLOR_LAB2BGR).astype(np.uint8, copy=False)


def _to_float(picture: Image) -> FloatImage:
    """The same numbers, 0..255: the bilateral filter counts in them."""
    return picture.astype(np.float32)


def _matched_light(
    light: npt.NDArray[np.uint8],
    counted: npt.NDArray[np.uint8],
    wanted: npt.NDArray[np.uint8],
) -> npt.NDArray[np.uint8]:
    """Lightness moved as `counted` must be to get mean and spread of `wanted`."""
    mean, std = (float(v[0, 0]) for v in cv2.meanStdDev(counted))
    new_mean, new_std = (float(v[0, 0]) for v in cv2.meanStdDev(wanted))
    ridge = 1e-5 * 255.0**2  # as `linear` has it for values 0..1
    gain = ((new_std**2 + ridge) / (std**2 + ridge)) ** 0.5
    table = np.clip((np.arange(256) - mean) * gain + new_mean, 0.0, 255.0)
    return table.astype(np.uint8)[light]
