"""SAEHD: which parts a df or liae model has and how src, dst and the swap run through them.

df: one encoder, one inter, a decoder per person. liae: one encoder, two inters, one decoder; the
person is in the inters. Wiring as in the DFL interoperability notes, section 2.1.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dflcolab.arrays import Array, Tensor
from dflcolab.backend import tf
from dflcolab.models.autoencoder import Decoder, Encoder, Inter
from dflcolab.models.layers import Shapes, Weights
from dflcolab.models.options import Architecture, SaehdOptions


class Face(NamedTuple):
    """What a decoder paints: picture `[B, R, R, 3]` and mask `[B, R, R, 1]`, float32 in 0..1."""

    picture: Tensor
    mask: Tensor


@dataclass(frozen=True)
class SaehdSize:
    """The numbers that shape the weights (see `SaehdOptions` for their meaning)."""

    architecture: Architecture
    resolution: int
    ae_dims: int
    e_dims: int
    d_dims: int
    d_mask_dims: int

    @classmethod
    def of(cls, options: SaehdOptions) -> SaehdSize:
        """The size that the options ask for."""
        return cls(
            architecture=options.architecture,
            resolution=options.resolution,
            ae_dims=options.ae_dims,
            e_dims=options.e_dims,
            d_dims=options.d_dims,
            d_mask_dims=options.d_mask_dims,
        )


class Saehd:
    """The wiring of one model; holds no weights itself.

    Args:
        size: Architecture and widths.
    """

    def __init__(self, size: SaehdSize) -> None:
        self.size = size
        architecture = size.architecture
        self.is_liae = architecture.family == "liae"
        self.encoder = Encoder(
            "encoder", architecture, resolution=size.resolution, e_dims=size.e_dims
        )
        n_out = 2 * size.ae_dims if self.is_liae else size.ae_dims
        self.inters = {
            name: Inter(
                name,
                architecture,
                resolution=size.resolution,
                n_in=self.encoder.n_out,
                ae_dims=size.ae_dims,
                n_out=n_out,
            )
            for name in (("inter_AB", "inter_B") if self.is_liae else ("inter",))
        }
        self.decoders = {
            name: Decoder(
                name,
                architecture,
                n_in=2 * n_out if self.is_liae else n_out,
                d_dims=size.d_dims,
                d_mask_dims=size.d_mask_dims,
            )
            for name in (("decoder",) if self.is_liae else ("decoder_src", "decoder_dst"))
        }

    @property
    def networks(self) -> dict[str, Encoder | Inter | Decoder]:
        """The parts by DFL's file names, in DFL's order."""
        return {"encoder": self.encoder, **self.inters, **self.decoders}

    def shapes(self) -> Shapes:
        """Full variable name to shape, over all parts."""
        found: Shapes = {}
        for network in self.networks.values():
            found |= network.shapes()
        return found

    def reconstruct(self, weights: Weights, src: Tensor, dst: Tensor) -> tuple[Face, Face]:
        """Src -> src and dst -> dst, as one pass through everything that both share.

        Args:
            weights: The model's weights.
            src: Faces `[B, R, R, 3]`, BGR in 0..1; any float type.
            dst: The same number of faces, or another.
        """
        n_src, n_dst = _size(src), _size(dst)
        code = self._encode(weights, tf.concat([src, dst], axis=0))
        if not self.is_liae:
            z = self.inters["inter"](weights, code)
            z_src, z_dst = tf.split(z, [n_src, n_dst], axis=0)
            return (
                Face(*self.decoders["decoder_src"](weights, z_src)),
                Face(*self.decoders["decoder_dst"](weights, z_dst)),
            )
        ab = self.inters["inter_AB"](weights, code)
        ab_src, ab_dst = tf.split(ab, [n_src, n_dst], axis=0)
        b_dst = self.inters["inter_B"](weights, tf.split(code, [n_src, n_dst], axis=0)[1])
        z = tf.concat(
            [tf.concat([ab_src, ab_src], axis=3), tf.concat([b_dst, ab_dst], axis=3)], axis=0
        )
        pictures, masks = self.decoders["decoder"](weights, z)
        picture_src, picture_dst = tf.split(pictures, [n_src, n_dst], axis=0)
        mask_src, mask_dst = tf.split(masks, [n_src, n_dst], axis=0)
        return Face(picture_src, mask_src), Face(picture_dst, mask_dst)

    def swap(self, weights: Weights, dst: Tensor) -> Face:
        """Src's face with dst's expression."""
        code = self._encode(weights, dst)
        if not self.is_liae:
            return Face(*self.decoders["decoder_src"](weights, self.inters["inter"](weights, code)))
        ab = self.inters["inter_AB"](weights, code)
        return Face(*self.decoders["decoder"](weights, tf.concat([ab, ab], axis=3)))

    def swap_and_dst(self, weights: Weights, dst: Tensor) -> tuple[Face, Face]:
        """The swap and dst's own reconstruction, as merging and previews need both."""
        code = self._encode(weights, dst)
        if not self.is_liae:
            z = self.inters["inter"](weights, code)
            return (
                Face(*self.decoders["decoder_src"](weights, z)),
                Face(*self.decoders["decoder_dst"](weights, z)),
            )
        ab = self.inters["inter_AB"](weights, code)
        b = self.inters["inter_B"](weights, code)
        z = tf.concat([tf.concat([ab, ab], axis=3), tf.concat([b, ab], axis=3)], axis=0)
        pictures, masks = self.decoders["decoder"](weights, z)
        (picture, picture_dst), (mask, mask_dst) = tf.split(pictures, 2), tf.split(masks, 2)
        return Face(picture, mask), Face(picture_dst, mask_dst)

    def _encode(self, weights: Weights, pictures: Tensor) -> Tensor:
        return self.encoder(weights, tf.cast(pictures, weights.dtype))


def initial_weights(shapes: Mapping[str, tuple[int, ...]], *, seed: int) -> dict[str, Array]:
    """Fresh float32 weights: Glorot-uniform kernels, zero biases.

    Every variable has its own random stream, named by seed and variable, so re-drawing one part
    gives the same numbers whatever else is drawn.

    Args:
        shapes: Full variable name to shape.
        seed: Any integer.
    """
    found: dict[str, Array] = {}
    for name, shape in shapes.items():
        if name.endswith("/bias:0"):
            found[name] = np.zeros(shape, np.float32)
            continue
        receptive = int(np.prod(shape[:-2]))
        limit = np.sqrt(6.0 / (receptive * (shape[-2] + shape[-1])))
        generator = np.random.default_rng([seed & 0xFFFFFFFF, zlib.crc32(name.encode())])
        values = generator.random(shape, dtype=np.float32)
        found[name] = (values * np.float32(2 * limit) - np.float32(limit)).astype(np.float32)
    return found


def _size(batch: Tensor) -> Tensor:
    return batch.shape[0] if batch.shape[0] is not None else tf.shape(batch)[0]
