"""The SAEHD reconstruction loss and what prepares its targets."""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.losses.dssim import dssim
from dflcolab.losses.filters import gaussian_blur

_EYES_MOUTH_WEIGHT = 300.0


def reconstruction_loss(
    target: Tensor,
    mask: Tensor,
    eyes_mouth: Tensor,
    picture: Tensor,
    picture_mask: Tensor,
    *,
    masked_training: bool,
    eyes_mouth_prio: bool,
) -> Tensor:
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

    Returns:
        One value per face, `[B]`, float32.
    """
    resolution = target.shape[1]
    compared, painted = target, picture
    if masked_training:
        soft = soft_mask(mask)
        compared, painted = target * soft, picture * soft
    sizes = (11.6,) if resolution < 256 else (11.6, 23.2)
    loss = tf.zeros_like(target[:, 0, 0, 0])
    for divisor in sizes:
        dissimilarity = dssim(compared, painted, int(resolution / divisor))
        loss += 10 / len(sizes) * tf.reduce_mean(dissimilarity, axis=1)
    loss += 10 * tf.reduce_mean(tf.square(compared - painted), axis=[1, 2, 3])
    if eyes_mouth_prio:
        difference = tf.abs(target * eyes_mouth - picture * eyes_mouth)
        loss += _EYES_MOUTH_WEIGHT * tf.reduce_mean(difference, axis=[1, 2, 3])
    return loss + 10 * tf.reduce_mean(tf.square(mask - picture_mask), axis=[1, 2, 3])


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
