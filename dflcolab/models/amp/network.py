"""AMP: one encoder, an inter per person, one decoder, and a morph between the two inters.

The inters are one dense layer each; of the code that the decoder gets, some channels come from
src's inter and the others from dst's. Wiring as in the DFL interoperability notes, section 2.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from dflcolab.arrays import Tensor
from dflcolab.backend import per_face, tf
from dflcolab.models.amp.options import AmpOptions
from dflcolab.models.architecture import Architecture
from dflcolab.models.autoencoder import Decoder, Encoder, Face
from dflcolab.models.layers import Dense, Shapes, Weights, shapes_of, unflatten

_ARCHITECTURE = Architecture("amp", pixel_norm=True, double=True, deep=True)


@dataclass(frozen=True)
class AmpSize:
    """The numbers that shape the model (see `AmpOptions` for their meaning)."""

    resolution: int
    ae_dims: int
    inter_dims: int
    e_dims: int
    d_dims: int
    d_mask_dims: int
    morph_factor: float

    @classmethod
    def of(cls, options: AmpOptions) -> AmpSize:
        """The size that the options ask for."""
        return cls(
            resolution=options.resolution,
            ae_dims=options.ae_dims,
            inter_dims=options.inter_dims,
            e_dims=options.e_dims,
            d_dims=options.d_dims,
            d_mask_dims=options.d_mask_dims,
            morph_factor=options.morph_factor,
        )


class AmpEncoder:
    """Picture `[B, R, R, 3]` to code `[B, ae_dims]`: SAEHD's deep encoder and a dense layer."""

    def __init__(self, name: str, *, resolution: int, e_dims: int, ae_dims: int) -> None:
        self.name = name
        self.body = Encoder(name, _ARCHITECTURE, resolution=resolution, e_dims=e_dims)
        self.dense1 = Dense(f"{name}/dense1", self.body.n_out, ae_dims)

    def shapes(self) -> Shapes:
        return shapes_of([self.body, self.dense1])

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        return self.dense1(weights, self.body(weights, x))


class AmpInter:
    """Code `[B, ae_dims]` to feature map `[B, size, size, inter_dims]`."""

    def __init__(self, name: str, *, size: int, ae_dims: int, inter_dims: int) -> None:
        self.name = name
        self.size = size
        self.n_out = inter_dims
        self.dense2 = Dense(f"{name}/dense2", ae_dims, size**2 * inter_dims)

    def shapes(self) -> Shapes:
        return self.dense2.shapes()

    def __call__(self, weights: Weights, code: Tensor) -> Tensor:
        return unflatten(self.dense2(weights, code), self.size, self.size, self.n_out)


class Amp:
    """The wiring of one model; holds no weights itself.

    Args:
        size: Widths, and the share of channels that src has for itself.
    """

    def __init__(self, size: AmpSize) -> None:
        self.size = size
        self.resolution = size.resolution
        self.encoder = AmpEncoder(
            "encoder", resolution=size.resolution, e_dims=size.e_dims, ae_dims=size.ae_dims
        )
        self.inters = {
            name: AmpInter(
                name,
                size=size.resolution // 32,
                ae_dims=size.ae_dims,
                inter_dims=size.inter_dims,
            )
            for name in ("inter_src", "inter_dst")
        }
        self.decoder = Decoder(
            "decoder",
            _ARCHITECTURE,
            n_in=size.inter_dims,
            d_dims=size.d_dims,
            d_mask_dims=size.d_mask_dims,
        )

    @property
    def networks(self) -> dict[str, AmpEncoder | AmpInter | Decoder]:
        """The parts by DFL's file names, in DFL's order."""
        return {"encoder": self.encoder, **self.inters, "decoder": self.decoder}

    def shapes(self) -> Shapes:
        """Full variable name to shape, over all parts."""
        return shapes_of(self.networks.values())

    def reconstruct(
        self, weights: Weights, src: Tensor, dst: Tensor, channels: Tensor
    ) -> tuple[Face, Face]:
        """Src -> src through mixed inters and dst -> dst, as one pass through what both share.

        Args:
            weights: The model's weights.
            src: Faces `[B, R, R, 3]`, BGR in 0..1; any float type.
            dst: The same number of faces.
            channels: `[B, inter_dims]`, 1 where src's inter gives the channel of src's code and 0
                where dst's does (see `random_channels`).
        """
        code = self._encode(weights, tf.concat([src, dst], axis=0))
        code_src = tf.split(code, 2, axis=0)[0]
        from_src = self.inters["inter_src"](weights, code_src)
        from_dst, z_dst = tf.split(self.inters["inter_dst"](weights, code), 2, axis=0)
        share = tf.cast(channels, from_src.dtype)[:, None, None, :]
        z_src = share * from_src + (1 - share) * from_dst
        pictures, masks = self.decoder(weights, tf.concat([z_src, z_dst], axis=0))
        (picture_src, picture_dst), (mask_src, mask_dst) = tf.split(pictures, 2), tf.split(masks, 2)
        return Face(picture_src, mask_src), Face(picture_dst, mask_dst)

    def random_channels(self, count: int, seed: Tensor) -> Tensor:
        """Which channels src's inter gives: exactly `int(inter_dims * morph_factor)` ones per face.

        Args:
            count: Number of faces.
            seed: Two integers.

        Returns:
            `[count, inter_dims]`, float32.
        """
        width = self.size.inter_dims
        ones = int(width * self.size.morph_factor)
        drawn = per_face(lambda n: tf.random.stateless_uniform([n, width], seed), count)
        ranks = tf.argsort(tf.argsort(drawn, axis=1), axis=1)
        return tf.cast(ranks < ones, tf.float32)

    def swap(self, weights: Weights, dst: Tensor, *, morph: float | Tensor = 1.0) -> Face:
        """Dst's face morphed towards src: 0 = dst itself, 1 = src with dst's expression."""
        code = self._encode(weights, dst)
        from_dst = self.inters["inter_dst"](weights, code)
        return self.decoder(weights, self._morphed(weights, code, from_dst, morph))

    def swap_and_dst(
        self, weights: Weights, dst: Tensor, *, morph: float | Tensor = 1.0
    ) -> tuple[Face, Face]:
        """The swap and dst's own reconstruction, as merging and previews need both."""
        code = self._encode(weights, dst)
        z_dst = self.inters["inter_dst"](weights, code)
        z = self._morphed(weights, code, z_dst, morph)
        pictures, masks = self.decoder(weights, tf.concat([z, z_dst], axis=0))
        (picture, picture_dst), (mask, mask_dst) = tf.split(pictures, 2), tf.split(masks, 2)
        return Face(picture, mask), Face(picture_dst, mask_dst)

    def _morphed(
        self, weights: Weights, code: Tensor, from_dst: Tensor, morph: float | Tensor
    ) -> Tensor:
        """The first `int(inter_dims * morph)` channels from src's inter, the others from dst's.

        `morph` is one number, or one a face, `[B]`.
        """
        width = self.size.inter_dims
        count = tf.cast(tf.cast(morph, tf.float32) * width, tf.int32)
        from_src = self.inters["inter_src"](weights, code)
        count = tf.reshape(count, [-1, *[1] * (len(from_src.shape) - 1)])
        return tf.where(tf.range(width) < count, from_src, from_dst)

    def _encode(self, weights: Weights, pictures: Tensor) -> Tensor:
        return self.encoder(weights, tf.cast(pictures, weights.dtype))
