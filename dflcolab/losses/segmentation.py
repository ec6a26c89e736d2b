"""Losses of the XSeg network (DFL interoperability notes, section 3.10)."""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.losses.reconstruction import mean_square, two_scale_dssim


def mask_loss(mask: Tensor, logits: Tensor) -> Tensor:
    """Mean cross entropy of predicted masks, `[B]`, float32.

    Args:
        mask: What should come out, `[B, H, W, 1]` in 0..1.
        logits: What came out, before the sigmoid.
    """
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(
        tf.cast(mask, tf.float32), tf.cast(logits, tf.float32)
    )
    return tf.reduce_mean(entropy, axis=[1, 2, 3])


def grey_loss(faces: Tensor, logits: Tensor) -> Tensor:
    """How far the network is from redrawing faces in grey, `[B]`: its loss in pretraining.

    Args:
        faces: Its input, `[B, 256, 256, 3]`, BGR in 0..1.
        logits: Its output, `[B, 256, 256, 1]`.
    """
    grey = to_grey(tf.cast(faces, tf.float32))
    drawn = tf.sigmoid(tf.cast(logits, tf.float32))
    return 10 * two_scale_dssim(grey, drawn) + 10 * mean_square(grey, drawn)


def to_grey(faces: Tensor) -> Tensor:
    """BGR `[B, H, W, 3]` to luma `[B, H, W, 1]`."""
    return tf.reduce_sum(faces * [0.114, 0.587, 0.299], axis=3, keepdims=True)
