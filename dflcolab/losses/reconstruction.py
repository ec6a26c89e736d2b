"""The reconstruction loss of all models that swap faces, and what prepares its targets."""

from __future__ import annotations

from typing import NamedTuple

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.losses.dssim import dssim
from dflcolab.losses.filters import gaussian_blur

_EYES_MOUTH_WEIGHT = 300.0
_WINDOWS = (11.6, 23.2)
_TWO_SCALES_FROM = 256


class ReconstructionParts(NamedTuple):
    """The parts of the loss as they enter it, each `[B]`, float32.

    Attributes:
        dssim: `10 DSSIM` of the pictures.
        square: `10 mean square` of the pictures.
        eyes_mouth: `300 mean absolute` inside eyes and mouth; None without that priority.
        mask: `10 mean square` of the masks.
    """

    dssim: Tensor
    square: Tensor
    eyes_mouth: Tensor | None
    mask: Tensor

    @property
    def total(self) -> Tensor:
        """The loss, `[B]`."""
        picture = self.dssim + self.square
        return (picture if self.eyes_mouth is None else picture + self.eyes_mouth) + self.mask


def reconstruction_parts(
    target: Tensor,
    mask: Tensor,
    eyes_mouth: Tensor,
    picture: Tensor,
    picture_mask: Tensor,
    *,
    masked_training: bool,
    eyes_mouth_prio: bool,
    two_scales: bool = False,
    soft: Tensor | None = None,
) -> ReconstructionParts:
    """How far painted faces are from their targets (DFL interoperability notes, section 3.3).

    `10 DSSIM + 10 mean square` of the (soft-masked) pictures, `10 mean square` of the masks against
    the unblurred mask, and with priority `300 mean absolute` inside eyes and mouth. From 256 pixels
    on, DSSIM is the mean of two window sizes.

    Args:
        target: Faces to paint, `[B, R, R, 3]` in 0..1.
        mask: Mask to paint, `[B, R, R, 1]`.
        eyes_mouth: Soft region of eyes and mouth, `[B, R, R, 1]`.
        picture: What the decoder painted, `[B, R, R, 3]`.
        picture_mask: The mask it painted, `[B, R, R, 1]`.
        masked_training: Compare the inside of the soft mask only.
        eyes_mouth_prio: Add the eyes-and-mouth term.
        two_scales: Two window sizes below 256 pixels as well, as AMP has it.
        soft: The soft mask, where it is another than `soft_mask(mask)` or known already.

    Returns:
        One value per face and part, float32.
    """
    resolution = target.shape[1]
    compared, painted = target, picture
    if masked_training:
        soft = soft_mask(mask) if soft is None else soft
        compared, painted = target * soft, picture * soft
    if two_scales or resolution >= _TWO_SCALES_FROM:
        dissimilarity = two_scale_dssim(compared, painted)
    else:
        dissimilarity = one_scale_dssim(compared, painted)
    priority = None
    if eyes_mouth_prio:
        difference = tf.abs(target * eyes_mouth - picture * eyes_mouth)
        priority = _EYES_MOUTH_WEIGHT * tf.reduce_mean(difference, axis=[1, 2, 3])
    return ReconstructionParts(
        dssim=10 * dissimilarity,
        square=10 * mean_square(compared, painted),
        eyes_mouth=priority,
        mask=10 * mean_square(mask, picture_mask),
    )


def one_scale_dssim(a: Tensor, b: Tensor) -> Tensor:
    """DSSIM with a window of a twelfth of the picture, `[B]`, mean over the channels."""
    return tf.reduce_mean(dssim(a, b, int(a.shape[1] / _WINDOWS[0])), axis=1)


def two_scale_dssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean of DSSIM with windows of a twelfth and half of that, `[B]`."""
    both = [dssim(a, b, int(a.shape[1] / divisor)) for divisor in _WINDOWS]
    return tf.reduce_mean(tf.add_n(both) / 2, axis=1)


def mean_square(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference, `[B]`."""
    return tf.reduce_mean(tf.square(a - b), axis=[1, 2, 3])


def soft_mask(mask: Tensor) -> Tensor:
    """The mask with an edge that fades outwards: full inside, half-blurred outside.

    Args:
        mask: `[B, R, R, 1]` in 0..1.

    Returns:
        `2 clip(G(mask, max(1, R // 32)), 0, 0.5)`, float32.
    """
    return 2 * tf.clip_by_value(gaussian_blur(mask, max(1, mask.shape[1] // 32)), 0.0, 0.5)


def blur_out_mask(target: Tensor, mask: Tensor) -> Tensor:
    """The target with what lies outside of the mask blurred, without light leaking out of the face.

    DFL interoperability notes, section 3.2: outside, `G(T (1 - M)) / (1 - G(M))` with sigma R/128.

    Args:
        target: `[B, R, R, 3]` in 0..1.
        mask: `[B, R, R, 1]` in 0..1.
    """
    sigma = target.shape[1] / 128
    outside = 1 - mask
    share = 1 - gaussian_blur(mask, sigma)
    share = tf.where(tf.equal(share, 0.0), tf.ones_like(share), share)
    return target * mask + outside * gaussian_blur(target * outside, sigma) / share
