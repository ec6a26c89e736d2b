"""SAEHD: which parts a df or liae model has and how src, dst and the swap run through them.

df: one encoder, one inter, a decoder per person. liae: one encoder, two inters, one decoder; the
person is in the inters. Wiring as in the DFL interoperability notes, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.models.architecture import Architecture
from dflcolab.models.autoencoder import Decoder, Encoder, Face, Inter
from dflcolab.models.layers import Shapes, Weights, shapes_of
from dflcolab.models.quick96 import Quick96Options
from dflcolab.models.saehd.options import SaehdOptions


class Codes(NamedTuple):
    """What decoders get, each `[B, h, h, n]`: for src -> src, dst -> dst and the swap."""

    src: Tensor
    dst: Tensor
    swap: Tensor


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
    def of(cls, options: SaehdOptions | Quick96Options) -> SaehdSize:
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
        self.resolution = size.resolution
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
        return shapes_of(self.networks.values())

    def codes(self, weights: Weights, src: Tensor, dst: Tensor) -> Codes:
        """What the decoders get, as one pass through everything that both sides share.

        Args:
            weights: The model's weights.
            src: Faces `[B, R, R, 3]`, BGR in 0..1; any float type.
            dst: The same number of faces, or another.
        """
        sizes = [_size(src), _size(dst)]
        code = self._encode(weights, tf.concat([src, dst], axis=0))
        if not self.is_liae:
            z_src, z_dst = tf.split(self.inters["inter"](weights, code), sizes, axis=0)
            return Codes(z_src, z_dst, z_dst)
        ab_src, ab_dst = tf.split(self.inters["inter_AB"](weights, code), sizes, axis=0)
        b_dst = self.inters["inter_B"](weights, tf.split(code, sizes, axis=0)[1])
        return Codes(*(tf.concat(p, axis=3) for p in _pairs(ab_src, ab_dst, b_dst)))

    def paint(
        self, weights: Weights, codes: Codes, extra: Sequence[Tensor] = ()
    ) -> tuple[Face, Face, list[Face]]:
        """Src -> src, dst -> dst, and what src's decoder makes of further codes, in few passes.

        Args:
            weights: The model's weights.
            codes: From `codes`.
            extra: More decoder inputs, each `[B', h, h, n]`.
        """
        if not self.is_liae:
            src, *more = self._decode("decoder_src", weights, [codes.src, *extra])
            return src, self.decoders["decoder_dst"](weights, codes.dst), more
        src, dst, *more = self._decode("decoder", weights, [codes.src, codes.dst, *extra])
        return src, dst, more

    def reconstruct(self, weights: Weights, src: Tensor, dst: Tensor) -> tuple[Face, Face]:
        """Src -> src and dst -> dst."""
        src_face, dst_face, _ = self.paint(weights, self.codes(weights, src, dst))
        return src_face, dst_face

    def reconstruct_src(self, weights: Weights, src: Tensor) -> Face:
        """Src -> src alone."""
        code = self._encode(weights, src)
        if not self.is_liae:
            return self.decoders["decoder_src"](weights, self.inters["inter"](weights, code))
        ab = self.inters["inter_AB"](weights, code)
        return self.decoders["decoder"](weights, tf.concat([ab, ab], axis=3))

    def swap(self, weights: Weights, dst: Tensor) -> Face:
        """Src's face with dst's expression: dst's code through the path of src."""
        return self.reconstruct_src(weights, dst)

    def swap_and_dst(self, weights: Weights, dst: Tensor) -> tuple[Face, Face]:
        """The swap and dst's own reconstruction, as merging and previews need both."""
        code = self._encode(weights, dst)
        if not self.is_liae:
            z = self.inters["inter"](weights, code)
            return (
                self.decoders["decoder_src"](weights, z),
                self.decoders["decoder_dst"](weights, z),
            )
        ab = self.inters["inter_AB"](weights, code)
        b = self.inters["inter_B"](weights, code)
        pair = [tf.concat([ab, ab], axis=3), tf.concat([b, ab], axis=3)]
        swap, dst_face = self._decode("decoder", weights, pair)
        return swap, dst_face

    def _decode(self, name: str, weights: Weights, codes: Sequence[Tensor]) -> list[Face]:
        """Faces of several codes in one pass of a decoder."""
        if len(codes) == 1:
            return [self.decoders[name](weights, codes[0])]
        sizes = [_size(code) for code in codes]
        pictures, masks = self.decoders[name](weights, tf.concat(codes, axis=0))
        parts = zip(tf.split(pictures, sizes), tf.split(masks, sizes), strict=True)
        return [Face(picture, mask) for picture, mask in parts]

    def _encode(self, weights: Weights, pictures: Tensor) -> Tensor:
        return self.encoder(weights, tf.cast(pictures, weights.dtype))


def _pairs(ab_src: Tensor, ab_dst: Tensor, b_dst: Tensor) -> list[list[Tensor]]:
    """Liae's decoder inputs for src, dst and the swap."""
    return [[ab_src, ab_src], [b_dst, ab_dst], [ab_dst, ab_dst]]


def _size(batch: Tensor) -> Tensor:
    return batch.shape[0] if batch.shape[0] is not None else tf.shape(batch)[0]
