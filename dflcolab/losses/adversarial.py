"""Losses of the discriminators and of the networks that they teach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dflcolab.arrays import Tensor
from dflcolab.backend import tf

Axes = Literal["height_width", "channel_height"]


def binary_cross_entropy(wanted: float, logits: Tensor) -> Tensor:
    """Mean cross entropy of logits against one constant, `[B]`, float32.

    Args:
        wanted: 1 for "real", 0 for "made".
        logits: `[B, h, w, 1]`.
    """
    logits = tf.cast(logits, tf.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), wanted), logits)
    return tf.reduce_mean(entropy, axis=[1, 2, 3])


def fooling_loss(made: Sequence[Tensor]) -> Tensor:
    """What a generator pays for being recognised, `[B]`: the sum over the discriminator's outputs.

    Args:
        made: Logits of what it made.
    """
    return tf.add_n([binary_cross_entropy(1.0, logits) for logits in made])


def telling_loss(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """What a discriminator pays for its mistakes, `[B]`: the sum over its outputs, halved.

    Args:
        real: Logits of what is real.
        made: Logits of what was made.
    """
    mistakes = [binary_cross_entropy(1.0, logits) for logits in real]
    mistakes += [binary_cross_entropy(0.0, logits) for logits in made]
    return 0.5 * tf.add_n(mistakes)


def total_variation(pictures: Tensor, *, axes: Axes = "height_width") -> Tensor:
    """Sum of squared differences between neighbours, `[B]`, float32: how restless a picture is.

    Args:
        pictures: `[B, H, W, C]`.
        axes: Which neighbours. On GPUs DeepFaceLab takes channel and height, by mistake.
    """
    x = tf.cast(pictures, tf.float32)
    along_height = tf.square(x[:, 1:] - x[:, :-1])
    if axes == "height_width":
        other = tf.square(x[:, :, 1:] - x[:, :, :-1])
    else:
        other = tf.square(x[..., 1:] - x[..., :-1])
    return tf.reduce_sum(along_height, axis=[1, 2, 3]) + tf.reduce_sum(other, axis=[1, 2, 3])
