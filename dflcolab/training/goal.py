"""What a decoder is to paint, and the two small terms that keep GAN training calm."""

from __future__ import annotations

from typing import NamedTuple

from dflcolab.arrays import Tensor
from dflcolab.losses.adversarial import total_variation
from dflcolab.losses.reconstruction import blur_out_mask, mean_square, soft_mask
from dflcolab.training.augment import Sampled

SMOOTHNESS = 1e-6
_OUTSIDE = 0.02


class Goal(NamedTuple):
    """What one side is to paint: picture `[B, R, R, 3]`, mask and soft mask `[B, R, R, 1]`."""

    target: Tensor
    mask: Tensor
    soft: Tensor


def goal_of(side: Sampled, *, blurred_outside: bool) -> Goal:
    """The goal of one side; with `blurred_outside` the target is blurred outside of the mask."""
    target = blur_out_mask(side.target, side.mask) if blurred_outside else side.target
    return Goal(target, side.mask, soft_mask(side.mask))


def calm_loss(picture: Tensor, goal: Goal, *, tv_axes_of_gpu: bool) -> Tensor:
    """Against restless pictures and changes outside of the mask while a GAN teaches, `[B]`."""
    outside = 1 - goal.soft
    difference = mean_square(picture * outside, goal.target * outside)
    return SMOOTHNESS * smoothness(picture, tv_axes_of_gpu=tv_axes_of_gpu) + _OUTSIDE * difference


def smoothness(picture: Tensor, *, tv_axes_of_gpu: bool) -> Tensor:
    """Total variation along the axes that the option names, `[B]`."""
    return total_variation(picture, axes="channel_height" if tv_axes_of_gpu else "height_width")
