"""Structural dissimilarity of two pictures."""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.losses.filters import gaussian_taps, separable, valid_matrix

_C1 = 0.01**2
_C2 = 0.03**2
_SIGMA = 1.5


def dssim(a: Tensor, b: Tensor, filter_size: int) -> Tensor:
    """`(1 - SSIM) / 2` per face and channel (DFL interoperability notes, section 3.1).

    SSIM compares local means, contrast and correlation in a Gaussian window of sigma 1.5; windows
    that would leave the picture are not used. Always float32: the variances are small differences
    of large numbers.

    Args:
        a: `[B, H, W, C]` in 0..1.
        b: Same shape.
        filter_size: Side of the window in pixels; DFL uses `int(R / 11.6)`.

    Returns:
        `[B, C]`, 0 for equal pictures, at most 1.
    """
    filter_size = max(1, filter_size)
    taps = gaussian_taps(filter_size, _SIGMA).tobytes()
    rows, columns = valid_matrix(a.shape[1], taps), valid_matrix(a.shape[2], taps)
    a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    channels = a.shape[3]
    # One filter pass over everything: means, mean product, mean of the squares.
    stacked = tf.concat([a, b, a * b, tf.square(a) + tf.square(b)], axis=3)
    mean_a, mean_b, mean_ab, mean_squares = tf.split(
        separable(stacked, rows, columns), 4 * [channels], axis=3
    )
    product = mean_a * mean_b
    squares = tf.square(mean_a) + tf.square(mean_b)
    luminance = (2 * product + _C1) / (squares + _C1)
    contrast = (2 * (mean_ab - product) + _C2) / (mean_squares - squares + _C2)
    return (1 - tf.reduce_mean(luminance * contrast, axis=[1, 2])) / 2
