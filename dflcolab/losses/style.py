"""Style: how far the light and colour of two pictures are apart, whatever they show."""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.losses.filters import gaussian_blur

_VARIANCE_FLOOR = 1e-5


def style_loss(a: Tensor, b: Tensor, *, sigma: float, weight: float = 1.0) -> Tensor:
    """Squared differences of each channel's mean and deviation (DFL interoperability notes, 3.1).

    Args:
        a: `[B, H, W, C]`; computed in float32.
        b: Same shape.
        sigma: Blur of both pictures before, in pixels; 0 = none.
        weight: Factor on the result.

    Returns:
        One value per face, `[B]`: the mean over the channels.
    """
    a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    if sigma > 0:
        a, b = gaussian_blur(a, sigma), gaussian_blur(b, sigma)
    (mean_a, deviation_a), (mean_b, deviation_b) = _moments(a), _moments(b)
    distance = tf.square(mean_a - mean_b) + tf.square(deviation_a - deviation_b)
    return weight * tf.reduce_mean(distance, axis=1)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel, `[B, C]`."""
    mean, variance = tf.nn.moments(x, axes=[1, 2])
    return mean, tf.sqrt(variance + _VARIANCE_FLOOR)
