# pyright: strict
"""Give one picture the colors of another, by moments: mean, spread, covariance.

All work on float pictures `[H, W, 3]`, BGR, 0..1, and follow DFL interoperability notes, section 7.
The two pictures may differ in size. `distribution_transfer` and `sliced_transport` look at more than
moments.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Mask
from dflcolab.imaging.sampling import masked

_TINY = float(np.finfo(np.float32).eps)
LAB_RANGES = ((0.0, 100.0), (-127.0, 127.0), (-127.0, 127.0))
"""What changed Lab colors are cut to."""

Moments: TypeAlias = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Mean and spread of the colors of one picture, or of many along the first axes."""

Maps: TypeAlias = npt.NDArray[np.float64]
"""Affine maps of colors, `[..., 3, 4]`."""


def reinhard(
    source: FloatImage,
    target: FloatImage,
    *,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
) -> FloatImage:
    """Mean and spread of each Lab channel of `target` given to `source` (DeepFaceLab's `rct`).

    A mask does not leave pixels out: those below 0.5 count as Lab (0, 0, 0), so both pictures look
    darker and more contrasted to the statistics. All pixels of `source` are changed.

    Args:
        source: The picture to change.
        target: The picture whose colors are wanted.
        source_mask: `[H, W, 1]` over `source`.
        target_mask: `[H, W, 1]` over `target`.
    """
    lab: npt.NDArray[Any] = cv2.cvtColor(source, cv2.COLOR_BGR2LAB)
    target_lab = cv2.cvtColor(target, cv2.COLOR_BGR2LAB)
    change = reinhard_map(
        _lab_statistics(lab, source_mask), _lab_statistics(target_lab, target_mask)
    )
    moved = cv2.transform(lab, change.astype(np.float32))
    for channel, (low, high) in enumerate(LAB_RANGES):
        np.clip(moved[..., channel], low, high, out=moved[..., channel])
    return _cut(cv2.cvtColor(moved, cv2.COLOR_LAB2BGR))


def linear(
    source: FloatImage,
    target: FloatImage,
    *,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
) -> FloatImage:
    """Mean and covariance of `target`'s colors given to `source` (DeepFaceLab's `lct`).

    With masks, pixels below 0.5 count as black. All pixels of `source` are changed.
    """
    moments = [
        color_moments(masked(picture, mask))
        for picture, mask in ((source, source_mask), (target, target_mask))
    ]
    return _affine(source, linear_map(moments[0], moments[1]))


def monge_kantorovich(
    source: FloatImage,
    target: FloatImage,
    *,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
) -> FloatImage:
    """As `linear`, moving every color as little as possible (DeepFaceLab's `mkl`).

    With masks (`mkl-m`), pixels below 0.5 count as black. All pixels of `source` are changed.
    """
    moments: list[Moments] = []
    for picture in (masked(source, source_mask), masked(target, target_mask)):
        mean, covariance = color_moments(picture)
        n = picture.shape[0] * picture.shape[1]
        moments.append((mean, covariance * (n / max(n - 1, 1))))
    return _affine(source, monge_kantorovich_map(*moments))


def reinhard_map(source: Moments, target: Moments) -> Maps:
    """The map `[..., 3, 4]` of Lab colors that gives `source` the mean and spread of `target`.

    Args:
        source: Mean and standard deviation of each Lab channel, `[..., 3]` each.
        target: The same.
    """
    (source_mean, source_std), (target_mean, target_std) = source, target
    # A flat channel has no spread to scale; it takes the wanted mean.
    gain = np.where(source_std > _TINY, target_std / np.maximum(source_std, _TINY), 0.0)
    return _with_shift(gain[..., None] * np.eye(3), source_mean, target_mean)


def linear_map(source: Moments, target: Moments) -> Maps:
    """The map `[..., 3, 4]` of BGR colors of `linear`.

    Args:
        source: Mean `[..., 3]` and covariance `[..., 3, 3]`, divided by the number of pixels.
        target: The same.
    """
    (source_mean, source_cov), (target_mean, target_cov) = source, target
    ridge = 1e-5 * np.eye(3)
    root_source = _power(source_cov + ridge, 0.5)
    root_target = _power(target_cov + ridge, 0.5)
    return _with_shift(root_target @ np.linalg.inv(root_source), source_mean, target_mean)


def monge_kantorovich_map(source: Moments, target: Moments) -> Maps:
    """The map `[..., 3, 4]` of BGR colors of `monge_kantorovich`, arguments as for `linear_map`.

    Covariances of pictures of one size may be divided by the number of pixels or one less.
    """
    (source_mean, source_cov), (target_mean, target_cov) = source, target
    values, vectors = np.linalg.eigh(source_cov)
    spread = np.sqrt(np.maximum(values, np.finfo(np.float64).eps))[..., None, :]
    outer = vectors * spread
    middle = np.swapaxes(outer, -1, -2) @ target_cov @ outer
    inner = vectors / spread
    matrix = inner @ _power(middle, 0.5) @ np.swapaxes(inner, -1, -2)
    return _with_shift(np.swapaxes(matrix, -1, -2), source_mean, target_mean)


def color_moments(picture: FloatImage) -> Moments:
    """Mean `[3]` and covariance `[3, 3]` of the colors, divided by the number of pixels."""
    n = picture.shape[0] * picture.shape[1]
    mean = np.array(cv2.mean(picture)[:3])
    planes = np.empty((3, n), np.float32)
    for i, plane in enumerate(cv2.split(picture)):
        np.subtract(plane.reshape(-1), np.float32(mean[i]), out=planes[i])
    return mean, (planes @ planes.T).astype(np.float64) / n


def _lab_statistics(lab: npt.NDArray[Any], mask: Mask | None) -> Moments:
    """Mean and standard deviation per channel, masked pixels counted as zeros."""
    if mask is None:
        mean, std = cv2.meanStdDev(lab)
        return np.asarray(mean, np.float64)[:, 0], np.asarray(std, np.float64)[:, 0]
    inside = (mask >= 0.5).astype(np.uint8)
    share = float(inside.mean())
    mean, std = (np.asarray(v, np.float64)[:, 0] for v in cv2.meanStdDev(lab, mask=inside))
    mean_all = share * mean
    return mean_all, np.sqrt(np.maximum(share * (std**2 + mean**2) - mean_all**2, 0.0))


def _power(matrix: npt.NDArray[np.float64], exponent: float) -> npt.NDArray[np.float64]:
    """Symmetric matrices raised to a power; eigenvalues below zero (rounding) count as zero."""
    values, vectors = np.linalg.eigh(matrix)
    powers = np.maximum(values, 0.0) ** exponent
    return (vectors * powers[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def _with_shift(
    matrix: npt.NDArray[np.float64],
    mean: npt.NDArray[np.float64],
    new_mean: npt.NDArray[np.float64],
) -> Maps:
    """The map `c -> matrix (c - mean) + new_mean` as `[..., 3, 4]`."""
    shift = new_mean[..., None] - matrix @ mean[..., None]
    return np.concatenate([matrix, shift], axis=-1)


def _affine(picture: FloatImage, change: Maps) -> FloatImage:
    """Every color changed by a map `[3, 4]` and cut to 0..1."""
    return _cut(cv2.transform(picture, change.astype(np.float32)))


def _cut(picture: Any) -> FloatImage:
    """A fresh picture cut to 0..1, in place."""
    return np.clip(picture, np.float32(0.0), np.float32(1.0), out=picture)
