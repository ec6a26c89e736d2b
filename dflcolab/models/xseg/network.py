"""The XSeg network: a U-Net from faces to masks (DFL interoperability notes, section 2.6)."""

from __future__ import annotations

from collections.abc import Sequence

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.models.layers import Conv, Dense, Shapes, Weights, flatten, shapes_of, unflatten
from dflcolab.models.xseg.layers import NormedConv, blur_pool

RESOLUTION = 256
_NECK = 512
STAGES = ((1, 2, 4), (2, 2, 3), (4, 2, 2), (8, 3, 2), (8, 3, 2), (8, 3, 2))
"""Of each stage down: width over the base, number of convolutions, taps of its pooling."""
_UP_WIDTHS = (1, 2, 4, 4, 4, 4)
"""Of each stage: width over the base after enlarging, before the skip is added."""
LOWEST = 4  # side of the map at the neck


class XSeg:
    """Faces `[B, 256, 256, 3]` to mask logits `[B, 256, 256, 1]`; holds no weights itself.

    Args:
        base: Width of the first layer; DFL's models have 32.
        stages: All for faces of 256 pixels, as DFL has them; the first four for 64, which benchmarks use.
    """

    name = "XSeg"
    resolution = RESOLUTION

    def __init__(self, base: int = 32, stages: Sequence[tuple[int, int, int]] = STAGES) -> None:
        self.base = base
        self._stages = stages
        self.down: list[list[NormedConv]] = []
        self.up: list[NormedConv] = []
        self.merge: list[list[NormedConv]] = []
        n_in = 3
        for stage, (factor, count, _) in enumerate(stages):
            width = factor * base
            names = [f"{self.name}/conv{stage}{i}" for i in range(1, count + 1)]
            self.down.append(_chain(names, n_in, width))
            n_in = width
        neck = LOWEST**2 * n_in
        self.dense = [
            Dense(f"{self.name}/dense1", neck, _NECK),
            Dense(f"{self.name}/dense2", _NECK, neck),
        ]
        for stage in reversed(range(len(stages))):
            factor, count, _ = stages[stage]
            width, up_width = factor * base, _UP_WIDTHS[stage] * base
            self.up.append(NormedConv(f"{self.name}/up{stage}", n_in, up_width, up=True))
            names = [f"{self.name}/uconv{stage}{i}" for i in range(count, 0, -1)]
            self.merge.append(_chain(names, up_width + width, width))
            n_in = width
        self.out_conv = Conv(f"{self.name}/out_conv", n_in, 1)

    @property
    def networks(self) -> dict[str, XSeg]:
        """The network by DFL's file name."""
        return {"XSeg_256": self}

    def shapes(self) -> Shapes:
        """Full variable name to shape."""
        down = [block for stage in self.down for block in stage]
        up = [b for up, merge in zip(self.up, self.merge, strict=True) for b in (up, *merge)]
        return shapes_of([*down, *self.dense, *up, self.out_conv])

    def __call__(self, weights: Weights, faces: Tensor, *, pretrain: bool = False) -> Tensor:
        """Mask logits, float32.

        Args:
            weights: The network's weights.
            faces: `[B, 256, 256, 3]`, BGR in 0..1; any float type.
            pretrain: Without the skips, so that everything has to pass through the neck.
        """
        x = tf.cast(faces, weights.dtype)
        skips: list[Tensor] = []
        for blocks, (_, _, taps) in zip(self.down, self._stages, strict=True):
            for block in blocks:
                x = block(weights, x)
            skips.append(tf.zeros_like(x) if pretrain else x)
            x = blur_pool(x, taps)
        _, height, width, channels = x.shape
        x = flatten(x)
        for dense in self.dense:
            x = dense(weights, x)
        x = unflatten(x, height, width, channels)
        for up, blocks, skip in zip(self.up, self.merge, reversed(skips), strict=True):
            x = tf.concat([up(weights, x), skip], axis=3)
            for block in blocks:
                x = block(weights, x)
        return tf.cast(self.out_conv(weights, x), tf.float32)


def _chain(names: list[str], n_in: int, width: int) -> list[NormedConv]:
    """Convolutions one after the other, all of one width."""
    return [NormedConv(name, n_in if i == 0 else width, width) for i, name in enumerate(names)]
