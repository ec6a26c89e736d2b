"""How well single faces are painted, measured in the graph so that few numbers leave the device."""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.training.augment import Sampled
from dflcolab.training.objective import Compared

SMALL = 32
"""Side of the small pictures from which `variety` is told."""

_IN_MASK = 0.5


def face_measures(side: Sampled, compared: Compared) -> dict[str, Tensor]:
    """Measures of the faces of one side, each with one entry per face.

    Args:
        side: What was painted.
        compared: How.

    Returns:
        `[B]` float32: `loss` (what training lowers, without styles and GAN), its parts `dssim`,
        `square`, `mask` and, with that priority, `eyes_mouth`; `inside`, the mean square of the
        picture inside of the mask; `mask_iou` of the masks cut at a half. Both are NaN for a face
        whose mask is empty. `color_target` and `color_painted` `[B, 3]`, mean BGR inside of the
        mask; `small_target`, `small_painted` `[B, 32, 32, 3]` and `small_mask` `[B, 32, 32, 1]`.
    """
    parts, (picture, painted_mask) = compared.parts, compared.face
    target, mask = side.target, side.mask
    measured = {"loss": parts.total, "dssim": parts.dssim, "square": parts.square}
    if parts.eyes_mouth is not None:
        measured["eyes_mouth"] = parts.eyes_mouth
    measured["mask"] = parts.mask
    square = tf.reduce_mean(tf.square(target - picture), axis=3, keepdims=True)
    measured["inside"] = _mean_inside(square, mask)[:, 0]
    measured["mask_iou"] = _intersection_over_union(mask, painted_mask)
    for name, values in (("target", target), ("painted", picture)):
        measured[f"color_{name}"] = _mean_inside(values, mask)
        measured[f"small_{name}"] = _small(values)
    measured["small_mask"] = _small(mask)
    return measured


def _mean_inside(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `[B, R, R, C]` weighted by the mask, `[B, C]`; NaN where the mask is empty."""
    return tf.reduce_sum(values * mask, axis=[1, 2]) / tf.reduce_sum(mask, axis=[1, 2])


def _intersection_over_union(a: Tensor, b: Tensor) -> Tensor:
    """Of masks `[B, R, R, 1]`, `[B]`; NaN where `a` is empty."""
    in_a, in_b = a > _IN_MASK, b > _IN_MASK
    both = tf.reduce_sum(tf.cast(in_a & in_b, tf.float32), axis=[1, 2, 3])
    either = tf.reduce_sum(tf.cast(in_a | in_b, tf.float32), axis=[1, 2, 3])
    empty = ~tf.reduce_any(in_a, axis=[1, 2, 3])
    return tf.where(empty, float("nan"), tf.math.divide_no_nan(both, either))


def _small(pictures: Tensor) -> Tensor:
    return tf.image.resize(pictures, [SMALL, SMALL], method="area")
