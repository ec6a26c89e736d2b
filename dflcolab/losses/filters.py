"""Gaussian filters as matrix products, which are faster than depthwise kernels and as exact.

A separable filter over rows and columns is `F x F^T` with a banded matrix F; it is built once per
size and lives in the graph as a constant. Everything here is float32.
"""

from __future__ import annotations

import functools

import numpy as np

from dflcolab.arrays import Array, Tensor
from dflcolab.backend import tf


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with zeros outside of the picture (DFL interoperability notes, section 3.1).

    Args:
        x: `[B, H, W, C]`; computed in float32.
        sigma: Standard deviation in pixels, above 0; may be fractional. The kernel has
            `max(3, int(4 sigma))` taps, one more when that is even.

    Returns:
        Same shape as `x`, float32.
    """
    taps = _blur_taps(sigma)
    return separable(
        x, same_matrix(x.shape[1], taps.tobytes()), same_matrix(x.shape[2], taps.tobytes())
    )


def separable(x: Tensor, rows: Array, columns: Array) -> Tensor:
    """Apply `rows` `[H', H]` along the height and `columns` `[W', W]` along the width.

    Returns:
        `[B, H', W', C]`, float32.
    """
    _, height, width, channels = x.shape
    x = tf.cast(x, tf.float32)
    y = tf.linalg.matmul(rows, tf.reshape(x, [-1, height, width * channels]))
    y = tf.reshape(y, [-1, width, channels])
    y = tf.linalg.matmul(columns, y)
    return tf.reshape(y, [-1, rows.shape[0], columns.shape[0], channels])


@functools.lru_cache(maxsize=64)
def same_matrix(size: int, taps: bytes) -> Array:
    """Band matrix `[size, size]` of an odd filter, given as float64 bytes, with zero padding."""
    kernel = np.frombuffer(taps)
    half = len(kernel) // 2
    padded = np.zeros((size, size + 2 * half))
    for i in range(size):
        padded[i, i : i + len(kernel)] = kernel
    return padded[:, half : half + size].astype(np.float32)


@functools.lru_cache(maxsize=64)
def valid_matrix(size: int, taps: bytes) -> Array:
    """Band matrix `[size - taps + 1, size]` of a filter that stays inside of the picture."""
    kernel = np.frombuffer(taps)
    matrix = np.zeros((size - len(kernel) + 1, size))
    for i in range(len(matrix)):
        matrix[i, i : i + len(kernel)] = kernel
    return matrix.astype(np.float32)


def gaussian_taps(n_taps: int, sigma: float) -> Array:
    """`n_taps` values of a centred Gaussian, float64, sum 1."""
    offsets = np.arange(n_taps) - (n_taps - 1) / 2
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    return taps / taps.sum()


def _blur_taps(sigma: float) -> Array:
    n_taps = max(3, int(4 * sigma))
    return gaussian_taps(n_taps + 1 - n_taps % 2, sigma)
