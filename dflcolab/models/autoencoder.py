"""Encoder, inter and decoder of the SAEHD family (DFL interoperability notes, section 2.1).

Each part lists its blocks once, in the order of DFL's files; shapes and computation both follow
from that list. Letters: `d` = four interleaved heads at double size, `t` = deeper.
"""

from __future__ import annotations

from typing import NamedTuple

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.models.architecture import Architecture
from dflcolab.models.layers import (
    Activation,
    Conv,
    Dense,
    Down,
    Residual,
    Shapes,
    Up,
    Weights,
    depth_to_space,
    flatten,
    leaky_relu,
    pixel_norm,
    shapes_of,
    unflatten,
    x_cos_x,
)


class Face(NamedTuple):
    """What a decoder paints: picture `[B, R, R, 3]` and mask `[B, R, R, 1]`, float32 in 0..1."""

    picture: Tensor
    mask: Tensor


Block = Conv | Dense | Down | Residual | Up


def activation_of(architecture: Architecture) -> Activation:
    """The activation that the architecture's letters ask for."""
    return x_cos_x if architecture.cosine else leaky_relu


class Encoder:
    """Picture `[B, R, R, 3]` to code `[B, n_out]`.

    Args:
        name: Scope of the weights ("encoder").
        architecture: Uses `deep`, `pixel_norm`, `cosine`.
        resolution: R.
        e_dims: Channels after the first step.
    """

    def __init__(
        self, name: str, architecture: Architecture, *, resolution: int, e_dims: int
    ) -> None:
        act = activation_of(architecture)
        e = e_dims
        self.name = name
        self.architecture = architecture
        self.blocks: list[Down | Residual]
        if architecture.deep:
            self.blocks = [
                Down(f"{name}/down1", 3, e, act),
                Residual(f"{name}/res1", e, act),
                Down(f"{name}/down2", e, 2 * e, act),
                Down(f"{name}/down3", 2 * e, 4 * e, act),
                Down(f"{name}/down4", 4 * e, 8 * e, act),
                Down(f"{name}/down5", 8 * e, 8 * e, act),
                Residual(f"{name}/res5", 8 * e, act),
            ]
        else:
            widths = (3, e, 2 * e, 4 * e, 8 * e)
            self.blocks = [
                Down(f"{name}/down1/downs_{i}", widths[i], widths[i + 1], act) for i in range(4)
            ]
        size = resolution // (32 if architecture.deep else 16)
        self.n_out = 8 * e * size * size

    def shapes(self) -> Shapes:
        return shapes_of(self.blocks)

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(weights, x)
        x = flatten(x)
        return pixel_norm(x) if self.architecture.pixel_norm else x


class Inter:
    """Code `[B, n_in]` to feature map `[B, size, size, n_out]`: the bottleneck.

    Args:
        name: Scope of the weights ("inter", "inter_AB", "inter_B").
        architecture: Uses `deep`, `double`, `cosine`.
        resolution: R.
        n_in: Length of the encoder's code.
        ae_dims: Width of the bottleneck.
        n_out: Channels that come out.
    """

    def __init__(
        self,
        name: str,
        architecture: Architecture,
        *,
        resolution: int,
        n_in: int,
        ae_dims: int,
        n_out: int,
    ) -> None:
        self.name = name
        self._start = resolution // (32 if architecture.double else 16)
        self.n_out = n_out
        self.size = self._start if architecture.deep else 2 * self._start
        self.dense1 = Dense(f"{name}/dense1", n_in, ae_dims)
        self.dense2 = Dense(f"{name}/dense2", ae_dims, self._start**2 * n_out)
        act = activation_of(architecture)
        self.upscale = None if architecture.deep else Up(f"{name}/upscale1", n_out, n_out, act)

    def shapes(self) -> Shapes:
        blocks: list[Block] = [self.dense1, self.dense2]
        return shapes_of([*blocks, self.upscale] if self.upscale else blocks)

    def __call__(self, weights: Weights, code: Tensor) -> Tensor:
        x = self.dense2(weights, self.dense1(weights, code))
        x = unflatten(x, self._start, self._start, self.n_out)
        return self.upscale(weights, x) if self.upscale else x


class Decoder:
    """Feature map `[B, h, h, n_in]` to picture `[B, R, R, 3]` and mask `[B, R, R, 1]`, float32.

    Args:
        name: Scope of the weights ("decoder", "decoder_src", "decoder_dst").
        architecture: Uses `deep`, `double`, `cosine`.
        n_in: Channels of the feature map.
        d_dims: Width of the picture branch.
        d_mask_dims: Width of the mask branch.
    """

    def __init__(
        self, name: str, architecture: Architecture, *, n_in: int, d_dims: int, d_mask_dims: int
    ) -> None:
        self.name = name
        act = activation_of(architecture)
        factors = (8, 8, 4, 2) if architecture.deep else (8, 4, 2)
        self.double = architecture.double
        self._is_amp = architecture.family == "amp"
        self.picture: list[Up | Residual] = []
        width = n_in
        for i, factor in enumerate(factors):
            self.picture += [
                Up(f"{name}/upscale{i}", width, factor * d_dims, act),
                Residual(f"{name}/res{i}", factor * d_dims, act),
            ]
            width = factor * d_dims
        self.mask: list[Up] = []
        mask_width = n_in
        for i, factor in enumerate((*factors, 1) if architecture.double else factors):
            self.mask.append(Up(f"{name}/upscalem{i}", mask_width, factor * d_mask_dims, act))
            mask_width = factor * d_mask_dims
        self.heads = [Conv(f"{name}/out_conv", width, 3, kernel=1)]
        if self.double:
            self.heads += [Conv(f"{name}/out_conv{i}", width, 3) for i in (1, 2, 3)]
        self.mask_head = Conv(f"{name}/out_convm", mask_width, 1, kernel=1)

    def shapes(self) -> Shapes:
        # The order of DFL's files, in which AMP differs from the others.
        ups, residuals = self.picture[::2], self.picture[1::2]
        common = len(ups)
        if self._is_amp:
            ends = [*self.mask, self.mask_head, *self.heads]
        else:
            ends = [*self.mask[:common], *self.heads, *self.mask[common:], self.mask_head]
        return shapes_of([*ups, *residuals, *ends])

    def __call__(self, weights: Weights, z: Tensor) -> Face:
        x = z
        for block in self.picture:
            x = block(weights, x)
        logits = depth_to_space(self._four_heads(weights, x)) if self.double else None
        if logits is None:
            logits = self.heads[0](weights, x)
        m = z
        for block in self.mask:
            m = block(weights, m)
        mask_logits = self.mask_head(weights, m)
        return Face(
            tf.sigmoid(tf.cast(logits, tf.float32)),
            tf.sigmoid(tf.cast(mask_logits, tf.float32)),
        )

    def _four_heads(self, weights: Weights, x: Tensor) -> Tensor:
        """The four convolutions to 3 channels as one to 12: the 1x1 sits in the middle of a 3x3."""
        kernels = [weights[f"{head.name}/weight:0"] for head in self.heads]
        kernels[0] = tf.pad(kernels[0], [[1, 1], [1, 1], [0, 0], [0, 0]])
        biases = [weights[f"{head.name}/bias:0"] for head in self.heads]
        y = tf.nn.conv2d(x, tf.concat(kernels, axis=3), 1, "SAME")
        return tf.nn.bias_add(y, tf.concat(biases, axis=0))
