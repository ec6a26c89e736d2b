"""Layers of the XSeg network (DFL interoperability notes, section 2.6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dflcolab.arrays import Array, Tensor
from dflcolab.backend import tf
from dflcolab.models.layers import Conv, ConvTranspose, Shapes, Weights

_BINOMIAL = {2: (1, 1), 3: (1, 2, 1), 4: (1, 3, 3, 1)}


@dataclass(frozen=True)
class FilterResponseNorm:
    """Each channel of each face over its own root mean square, then scaled and shifted."""

    name: str
    channels: int

    def shapes(self) -> Shapes:
        return {
            f"{self.name}/weight:0": (self.channels,),
            f"{self.name}/bias:0": (self.channels,),
            f"{self.name}/eps:0": (1,),
        }

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        # Mean squares in float32: in float16 they overflow, and eps vanishes.
        wide = tf.cast(x, tf.float32)
        mean_square = tf.reduce_mean(tf.square(wide), axis=[1, 2], keepdims=True)
        eps = tf.abs(tf.cast(weights[f"{self.name}/eps:0"], tf.float32))
        scale = tf.math.rsqrt(mean_square + eps)
        scale *= tf.cast(weights[f"{self.name}/weight:0"], tf.float32)
        return x * tf.cast(scale, x.dtype) + weights[f"{self.name}/bias:0"]


@dataclass(frozen=True)
class ThresholdedLinear:
    """`max(x, tau)` with a learned threshold per channel."""

    name: str
    channels: int

    def shapes(self) -> Shapes:
        return {f"{self.name}/tau:0": (self.channels,)}

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        return tf.maximum(x, weights[f"{self.name}/tau:0"])


@dataclass(frozen=True)
class NormedConv:
    """3x3 convolution to the same size (or transposed, to twice the size), norm, threshold."""

    name: str
    n_in: int
    n_out: int
    up: bool = False

    @property
    def conv(self) -> Conv | ConvTranspose:
        kind = ConvTranspose if self.up else Conv
        return kind(f"{self.name}/conv", self.n_in, self.n_out)

    @property
    def norm(self) -> FilterResponseNorm:
        return FilterResponseNorm(f"{self.name}/frn", self.n_out)

    @property
    def activation(self) -> ThresholdedLinear:
        return ThresholdedLinear(f"{self.name}/tlu", self.n_out)

    def shapes(self) -> Shapes:
        return self.conv.shapes() | self.norm.shapes() | self.activation.shapes()

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        return self.activation(weights, self.norm(weights, self.conv(weights, x)))


def blur_kernel(taps: int) -> Array:
    """The binomial filter of `blur_pool`, `[taps, taps]` float32 of sum 1."""
    row = np.array(_BINOMIAL[taps], np.float64)
    return (np.outer(row, row) / row.sum() ** 2).astype(np.float32)


def blur_pool(x: Tensor, taps: int) -> Tensor:
    """Half the size after a small blur, so that no detail is lost between the pixels.

    Args:
        x: `[B, H, W, C]`.
        taps: Side of the binomial filter: 2, 3 or 4.
    """
    channels = x.shape[3]
    filters = np.repeat(blur_kernel(taps)[:, :, None, None], channels, axis=2)
    before, after = (taps - 1) // 2, taps // 2
    x = tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])
    return tf.nn.depthwise_conv2d(x, tf.cast(filters, x.dtype), [1, 2, 2, 1], "VALID")
