"""What JPEG compression leaves of a picture, computed in the graph.

The lossy steps of the format: color transform, chroma at half size, 8 x 8 cosine transform, rounding
to the steps of the standard's tables at a quality, and the way back. No bytes are made, so faces with
different qualities stay on the device. Agrees with OpenCV's files to about a grey level.
"""

from __future__ import annotations

import functools

import numpy as np

from dflcolab.arrays import Array, Tensor
from dflcolab.backend import tf

BLOCK = 16
"""Pictures must be a multiple of this: a block of chroma covers 16 pixels."""

# Annex K of the standard.
_LUMA = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
], np.float32)  # fmt: skip
_CHROMA = np.full((8, 8), 99, np.float32)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

# From B, G, R to Y, Cb, Cr, and back.
_FORTH = np.array(
    [[0.114, 0.5, -0.081312], [0.587, -0.331264, -0.418688], [0.299, -0.168736, 0.5]], np.float32
)
_BACK = np.array([[1, 1, 1], [1.772, -0.344136, 0], [0, -0.714136, 1.402]], np.float32)


def compressed(pictures: Tensor, qualities: Tensor) -> Tensor:
    """Pictures as they come back from JPEG files of these qualities.

    Args:
        pictures: `[B, R, R, 3]`, BGR in 0..1; values are cut (not rounded) to 8 bits before. R is a
            multiple of 16.
        qualities: `[B]` int32, 1..100.

    Returns:
        The same shape, whole 255ths in 0..1.
    """
    size = pictures.shape[1]
    values = tf.floor(tf.clip_by_value(pictures, 0.0, 1.0) * 255)
    parts = tf.round(tf.linalg.matmul(values, tf.constant(_FORTH)))
    luma = _through(parts[..., 0] - 128, _steps(_LUMA, qualities))
    halves = tf.constant(_halving(size))
    chroma = tf.transpose(parts[..., 1:], [0, 3, 1, 2])  # [B, 2, R, R]
    small = tf.linalg.matmul(tf.linalg.matmul(halves, chroma), halves, transpose_b=True)
    count = small.shape[0]
    flat = tf.reshape(small, [2 * count, size // 2, size // 2])
    steps = tf.repeat(_steps(_CHROMA, qualities), 2, axis=0)
    coded = tf.reshape(_through(flat, steps), [count, 2, size // 2, size // 2])
    wide = tf.constant(_doubling(size))
    large = tf.round(tf.linalg.matmul(tf.linalg.matmul(wide, coded), wide, transpose_b=True))
    joined = tf.concat([luma[:, None] + 128, large], axis=1)
    back = tf.linalg.matmul(tf.transpose(joined, [0, 2, 3, 1]), tf.constant(_BACK))
    return tf.clip_by_value(tf.round(back), 0.0, 255.0) / 255


def _steps(table: Array, qualities: Tensor) -> Tensor:
    """Quantization steps `[B, 8, 8]`, scaled as libjpeg scales them."""
    quality = tf.cast(qualities, tf.float32)
    scale = tf.where(quality < 50, tf.floor(5000 / quality), 200 - 2 * quality)
    steps = tf.floor((tf.constant(table)[None] * scale[:, None, None] + 50) / 100)
    return tf.clip_by_value(steps, 1.0, 255.0)


def _through(planes: Tensor, steps: Tensor) -> Tensor:
    """Planes `[N, S, S]` in -128..127 through the cosine transform and its rounding."""
    size = planes.shape[1]
    waves = tf.constant(_waves(size))
    found = tf.linalg.matmul(tf.linalg.matmul(waves, planes), waves, transpose_b=True)
    wide = tf.tile(steps, [1, size // 8, size // 8])
    found = tf.round(found / wide) * wide
    back = tf.linalg.matmul(tf.linalg.matmul(waves, found, transpose_a=True), waves)
    return tf.clip_by_value(tf.round(back), -128.0, 127.0)


@functools.cache
def _waves(size: int) -> Array:
    """The orthonormal cosine transform of all blocks of eight at once, `[S, S]`."""
    k, x = np.mgrid[:8, :8]
    waves = np.cos((2 * x + 1) * k * np.pi / 16) / 2
    waves[0] /= np.sqrt(2)
    return np.kron(np.eye(size // 8), waves).astype(np.float32)


@functools.cache
def _halving(size: int) -> Array:
    """Means of two neighbours, `[R / 2, R]`."""
    return np.kron(np.eye(size // 2), [[0.5, 0.5]]).astype(np.float32)


@functools.cache
def _doubling(size: int) -> Array:
    """The way back, `[R, R / 2]`: three quarters of the nearer pixel, one of the farther."""
    n = size // 2
    nearer, index = np.eye(n), np.arange(n)
    matrix = np.zeros((size, n))
    matrix[::2] = 0.75 * nearer + 0.25 * nearer[np.maximum(index - 1, 0)]
    matrix[1::2] = 0.75 * nearer + 0.25 * nearer[np.minimum(index + 1, n - 1)]
    return matrix.astype(np.float32)
