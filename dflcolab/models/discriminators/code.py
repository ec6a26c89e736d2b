"""The code discriminator of true-face training: does a code come from src or from dst?

DFL interoperability notes, section 2.3; for df only.
"""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.models.layers import Conv, Shapes, Weights, leaky_relu, shapes_of

_WIDTH = 256
_SLOPE = 0.1


class CodeDiscriminator:
    """Codes `[B, r, r, n_in]`, as the inter gives them, to a map of logits `[B, h, h, 1]`.

    Args:
        name: Scope of the weights ("dis").
        n_in: Channels of the code.
        code_size: r.
    """

    def __init__(self, name: str, *, n_in: int, code_size: int) -> None:
        self.name = name
        self.convs: list[Conv] = []
        width = n_in
        for i in range(1 + code_size // 8):
            n_out = _WIDTH * min(2**i, 8)
            kernel = 4 if i == 0 else 3
            self.convs.append(Conv(f"{name}/convs_{i}", width, n_out, kernel=kernel, stride=2))
            width = n_out
        self.out_conv = Conv(f"{name}/out_conv", width, 1, kernel=1)

    def shapes(self) -> Shapes:
        return shapes_of([*self.convs, self.out_conv])

    def __call__(self, weights: Weights, codes: Tensor) -> Tensor:
        """Logits, float32; high means dst."""
        x = tf.cast(codes, weights.dtype)
        for conv in self.convs:
            x = leaky_relu(conv(weights, x), _SLOPE)
        return tf.cast(self.out_conv(weights, x), tf.float32)
