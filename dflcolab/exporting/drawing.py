"""Walks through a model's networks and draws them on a canvas, block by block.

The blocks are those that training runs (`dflcolab.models`), so an export cannot differ from them in
structure; tests compare the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dflcolab.arrays import Array
from dflcolab.exporting.canvas import Canvas, Drawn
from dflcolab.models.amp.network import Amp
from dflcolab.models.autoencoder import Block, Decoder, Encoder, Inter
from dflcolab.models.layers import Activation, Conv, Dense, Down, Residual, Up, x_cos_x
from dflcolab.models.saehd.network import Saehd
from dflcolab.models.xseg.layers import NormedConv, blur_kernel
from dflcolab.models.xseg.network import LOWEST, STAGES, XSeg


class DrawnSwap(NamedTuple):
    """What merging needs, in the canvas' own layout."""

    dst_mask: Drawn
    swap: Drawn
    swap_mask: Drawn


@dataclass(frozen=True)
class Artist:
    """Draws with one set of weights on one canvas.

    Attributes:
        canvas: What is drawn on.
        weights: Full variable name to float32 array.
    """

    canvas: Canvas
    weights: Mapping[str, Array]

    def swap_and_dst_mask(self, model: Saehd | Amp, face: Drawn, morph: Drawn | None) -> DrawnSwap:
        """Src's face with dst's expression, and both masks.

        Args:
            model: Wiring.
            face: A face of dst.
            morph: AMP only: 0 = dst itself, 1 = src.
        """
        if isinstance(model, Amp):
            return self._amp(model, face, morph)
        code = self.encoder(model.encoder, face)
        if not model.is_liae:
            z = self.inter(model.inters["inter"], code)
            src, dst = model.decoders["decoder_src"], model.decoders["decoder_dst"]
            return DrawnSwap(self.mask(dst, z), self.picture(src, z), self.mask(src, z))
        ab = self.inter(model.inters["inter_AB"], code)
        b = self.inter(model.inters["inter_B"], code)
        decoder = model.decoders["decoder"]
        z, z_dst = self.canvas.join([ab, ab]), self.canvas.join([b, ab])
        return DrawnSwap(self.mask(decoder, z_dst), self.picture(decoder, z), self.mask(decoder, z))

    def xseg_mask(self, network: XSeg, face: Drawn) -> Drawn:
        """What XSeg takes for face, 0..1."""
        x = face
        skips: list[Drawn] = []
        for blocks, (_, _, taps) in zip(network.down, STAGES, strict=True):
            for block in blocks:
                x = self.normed(block, x)
            skips.append(x)
            x = self.canvas.blur_pool(x, blocks[-1].n_out, blur_kernel(taps))
        channels = network.down[-1][-1].n_out
        x = self.canvas.flatten(x, channels, LOWEST)
        for dense in network.dense:
            x = self.block(dense, x)
        x = self.canvas.unflatten(x, channels, LOWEST)
        for up, blocks, skip in zip(network.up, network.merge, reversed(skips), strict=True):
            x = self.canvas.join([self.normed(up, x), skip])
            for block in blocks:
                x = self.normed(block, x)
        return self.canvas.sigmoid(self.block(network.out_conv, x))

    def _amp(self, model: Amp, face: Drawn, morph: Drawn) -> DrawnSwap:
        code = self.block(model.encoder.dense1, self.encoder(model.encoder.body, face))
        maps: list[Drawn] = []
        for inter in model.inters.values():
            x = self.block(inter.dense2, code)
            maps.append(self.canvas.unflatten(x, inter.n_out, inter.size))
        src, z_dst = maps
        z = self.canvas.morph(src, z_dst, morph, model.size.inter_dims)
        decoder = model.decoder
        return DrawnSwap(self.mask(decoder, z_dst), self.picture(decoder, z), self.mask(decoder, z))

    def encoder(self, encoder: Encoder, x: Drawn) -> Drawn:
        """A picture's code."""
        for block in encoder.blocks:
            x = self.block(block, x)
        channels = _width(encoder.blocks[-1])
        size = int(np.sqrt(encoder.n_out // channels))
        x = self.canvas.flatten(x, channels, size)
        return self.canvas.pixel_norm(x) if encoder.architecture.pixel_norm else x

    def inter(self, inter: Inter, code: Drawn) -> Drawn:
        """A code's feature map."""
        x = self.block(inter.dense2, self.block(inter.dense1, code))
        size = inter.size if inter.upscale is None else inter.size // 2
        x = self.canvas.unflatten(x, inter.n_out, size)
        return x if inter.upscale is None else self.block(inter.upscale, x)

    def picture(self, decoder: Decoder, z: Drawn) -> Drawn:
        """The picture that a decoder paints, in 0..1."""
        x = z
        for block in decoder.picture:
            x = self.block(block, x)
        if not decoder.double:
            return self.canvas.sigmoid(self.block(decoder.heads[0], x))
        # Four heads as one convolution to twelve channels: the 1x1 sits in the middle of a 3x3.
        names = [head.name for head in decoder.heads]
        kernels = [self.weights[f"{name}/weight:0"] for name in names]
        kernels[0] = np.pad(kernels[0], ((1, 1), (1, 1), (0, 0), (0, 0)))
        biases = [self.weights[f"{name}/bias:0"] for name in names]
        kernel, bias = np.concatenate(kernels, axis=3), np.concatenate(biases)
        return self.canvas.sigmoid(
            self.canvas.depth_to_space(self.canvas.conv(x, f"{names[0]}s", kernel, bias))
        )

    def mask(self, decoder: Decoder, z: Drawn) -> Drawn:
        """The mask that a decoder paints, in 0..1."""
        for block in decoder.mask:
            z = self.block(block, z)
        return self.canvas.sigmoid(self.block(decoder.mask_head, z))

    def block(self, block: Block, x: Drawn) -> Drawn:
        """One block of the autoencoders."""
        if isinstance(block, Dense):
            return self.canvas.dense(x, block.name, *self._pair(block.name))
        if isinstance(block, Conv):
            kernel, bias = self._pair(block.name)
            return self.canvas.conv(x, block.name, kernel, bias, stride=block.stride)
        if isinstance(block, Down):
            return self._activation(block.activation, self.block(block.conv, x), 0.1)
        if isinstance(block, Up):
            x = self._activation(block.activation, self.block(block.conv, x), 0.1)
            return self.canvas.depth_to_space(x)
        first, second = block.convs
        inner = self._activation(block.activation, self.block(first, x), 0.2)
        return self._activation(
            block.activation, self.canvas.add(x, self.block(second, inner)), 0.2
        )

    def normed(self, block: NormedConv, x: Drawn) -> Drawn:
        """One block of XSeg: convolution, norm, threshold."""
        conv, norm, least = block.conv, block.norm, block.activation
        kernel, bias = self._pair(conv.name)
        draw = self.canvas.double_conv if block.up else self.canvas.conv
        x = draw(x, conv.name, kernel, bias)
        weight, offset = self._pair(norm.name)
        epsilon = self.weights[f"{norm.name}/eps:0"]
        x = self.canvas.response_norm(x, norm.name, weight, offset, epsilon)
        return self.canvas.at_least(x, least.name, self.weights[f"{least.name}/tau:0"])

    def _activation(self, activation: Activation, x: Drawn, slope: float) -> Drawn:
        if activation is x_cos_x:
            return self.canvas.x_cos_x(x)
        return self.canvas.leaky_relu(x, slope)

    def _pair(self, name: str) -> tuple[Array, Array]:
        return self.weights[f"{name}/weight:0"], self.weights[f"{name}/bias:0"]


def _width(block: Down | Residual) -> int:
    return block.n_out if isinstance(block, Down) else block.n_in
