"""The U-Net discriminator of GAN training: it judges faces as a whole and at every pixel.

DFL interoperability notes, section 2.2. The depth follows from the patch size that is asked for:
the receptive field of the innermost layer.
"""

from __future__ import annotations

import functools

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.errors import ConfigError
from dflcolab.models.layers import Conv, ConvTranspose, Shapes, Weights, leaky_relu, shapes_of

_MOST_LAYERS = 9
_WIDEST = 512
_SLOPE = 0.2


class PatchDiscriminator:
    """Faces `[B, R, R, 3]` to logits `[B, r, r, 1]` of the patches and `[B, R, R, 1]` of the pixels.

    Args:
        name: Scope of the weights: "D_src" in SAEHD, "GAN" in AMP.
        patch_size: Wanted receptive field in pixels, 3..640.
        dims: Channels of the first layer.
        resolution: R.

    Raises:
        ConfigError: R cannot be halved as often as the patch size asks for.
    """

    def __init__(self, name: str, *, patch_size: int, dims: int, resolution: int) -> None:
        self.name = name
        strides = patch_strides(patch_size)
        shrink = 2 ** strides.count(2)
        if resolution % shrink:
            raise ConfigError(
                f"gan_patch_size = {patch_size} does not fit resolution {resolution}, which must "
                f"be a multiple of {shrink} for it; choose a smaller patch, such as "
                f"{resolution // 8}."
            )
        depth = len(strides)
        width = [min(dims * 2**i, _WIDEST) for i in range(depth + 1)]
        self.convs = [
            Conv(f"{name}/convs_{i}", width[i], width[i + 1], stride=stride)
            for i, stride in enumerate(strides)
        ]
        self.upconvs = [
            ConvTranspose(
                f"{name}/upconvs_{i}",
                width[depth - i] * (1 if i == 0 else 2),
                width[depth - i - 1],
                stride=strides[depth - i - 1],
            )
            for i in range(depth)
        ]
        self.in_conv = Conv(f"{name}/in_conv", 3, width[0], kernel=1)
        self.out_conv = Conv(f"{name}/out_conv", 2 * width[0], 1, kernel=1)
        self.center_out = Conv(f"{name}/center_out", width[depth], 1, kernel=1)
        self.center_conv = Conv(f"{name}/center_conv", width[depth], width[depth], kernel=1)

    def shapes(self) -> Shapes:
        ends = [self.in_conv, self.out_conv, self.center_out, self.center_conv]
        return shapes_of([*self.convs, *self.upconvs, *ends])

    def __call__(self, weights: Weights, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Logits for patches and pixels, float32; high means real."""
        x = tf.cast(faces, weights.dtype)
        x = leaky_relu(self.in_conv(weights, x), _SLOPE)
        skips: list[Tensor] = []
        for conv in self.convs:
            skips.append(x)
            x = leaky_relu(conv(weights, x), _SLOPE)
        patches = self.center_out(weights, x)
        x = leaky_relu(self.center_conv(weights, x), _SLOPE)
        for upconv, skip in zip(self.upconvs, reversed(skips), strict=True):
            x = leaky_relu(upconv(weights, x), _SLOPE)
            x = tf.concat([skip, x], axis=3)
        pixels = self.out_conv(weights, x)
        return tf.cast(patches, tf.float32), tf.cast(pixels, tf.float32)


def patch_strides(patch_size: int) -> tuple[int, ...]:
    """Strides of the layers, first to last, whose receptive field is nearest to `patch_size`.

    The smaller field wins a tie.
    """
    plans = _plans()
    field = min(plans, key=lambda size: (abs(size - patch_size), size))
    return plans[field]


def receptive_field(strides: tuple[int, ...]) -> int:
    """Pixels that one output of 3x3 convolutions with these strides looks at."""
    field, step = 3, 1
    for stride in strides[:-1]:
        step *= stride
        field += 2 * step
    return field


@functools.cache
def _plans() -> dict[int, tuple[int, ...]]:
    """Receptive field to strides: fewest layers, then the largest sum, then the first found."""
    found: dict[int, tuple[int, ...]] = {}
    for depth in range(1, _MOST_LAYERS + 1):
        for counter in reversed(range(2 ** (depth - 1))):
            strides = (2, *(1 + (counter >> i & 1) for i in range(depth - 1)))
            field = receptive_field(strides)
            known = found.get(field)
            if known is None or (len(known) == depth and sum(known) < sum(strides)):
                found[field] = strides
    return found
