"""FaceEnhancer: DeepFaceLab's network that paints a face four times as large.

A U-Net on 192 x 192 tiles whose decoder goes on to 384 and 768 pixels; at each size it adds a
correction to the enlarged picture. DFL interoperability notes, MODELS section 2.7. The weights come
with DeepFaceLab (`FaceEnhancer.npy`); nothing of them is shipped here.
"""

from __future__ import annotations

import itertools

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.models.layers import Conv, Shapes, Weights, leaky_relu, shapes_of

SCOPE = "FaceEnhancer"
TILE = 192
"""Side of the pictures that it takes."""

_SLOPE = 0.1
_WIDTHS = (64, 112, 192, 336, 512)
_DECODED = (512, 512, 288, 160, 96)
_SCALARS = {"dense1": 0.2, "dense2": 1.0}
"""Two inputs that DeepFaceLab never varies; each shifts the first layer."""


class FaceEnhancer:
    """The network, as a description that is applied to weights."""

    def __init__(self) -> None:
        self._conv1 = _conv("conv1", 3, 64)
        encoder_inputs = (64, *_WIDTHS[:-1])
        self._encoder = [
            _pair(f"e{i}", n_in, n_out)
            for i, (n_in, n_out) in enumerate(zip(encoder_inputs, _WIDTHS, strict=True))
        ]
        self._center = [_conv(f"center_conv{i}", 512, 512) for i in range(4)]
        decoder_inputs = (512, *_DECODED[:-1])
        self._decoder = [
            _pair(f"d{i}", n_in + _WIDTHS[i], n_out)
            for i, n_in, n_out in zip(range(4, -1, -1), decoder_inputs, _DECODED, strict=True)
        ]
        self._larger = [_pair("dec2x", 96, 96), _pair("dec4x", 96, 72)]
        self._outputs = [
            [_conv(f"{name}_conv0", width, width // 2), _conv(f"{name}_conv1", width // 2, 3)]
            for name, width in (("out1x", 96), ("out2x", 96), ("out4x", 72))
        ]

    def shapes(self) -> Shapes:
        """Full name to shape of all its weights, in DFL's order."""
        dense = {f"{SCOPE}/{name}/weight:0": (1, 64) for name in _SCALARS}
        groups = [*self._encoder, self._center, *self._decoder]
        ends = zip(self._outputs, [[], *self._larger], strict=True)
        tail = [part for output, larger in ends for part in (*larger, *output)]
        return {
            **self._conv1.shapes(),
            **dense,
            **shapes_of([*itertools.chain.from_iterable(groups), *tail]),
        }

    def __call__(self, weights: Weights, tiles: Tensor) -> Tensor:
        """Tiles `[B, 192, 192, 3]` four times as large, `[B, 768, 768, 3]`; values may leave 0..1."""
        x = self._conv1(weights, tiles)
        for name, value in _SCALARS.items():
            x += weights[f"{SCOPE}/{name}/weight:0"] * value
        x = leaky_relu(x, _SLOPE)
        kept: list[Tensor] = []
        for pair in self._encoder:
            x = _chain(weights, pair, x)
            kept.append(x)
            x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
        x = _chain(weights, self._center, x)
        for pair in self._decoder:
            x = _chain(weights, pair, tf.concat([_doubled(x), kept.pop()], axis=3))
        picture = tiles + self._correction(weights, 0, x)
        for i, pair in enumerate(self._larger, 1):
            x = _doubled(_chain(weights, pair, x))
            picture = _doubled(picture) + self._correction(weights, i, x)
        return picture

    def _correction(self, weights: Weights, index: int, x: Tensor) -> Tensor:
        first, last = self._outputs[index]
        return tf.tanh(last(weights, leaky_relu(first(weights, x), _SLOPE)))


def _conv(name: str, n_in: int, n_out: int) -> Conv:
    return Conv(f"{SCOPE}/{name}", n_in, n_out)


def _pair(name: str, n_in: int, n_out: int) -> list[Conv]:
    return [_conv(f"{name}_conv0", n_in, n_out), _conv(f"{name}_conv1", n_out, n_out)]


def _chain(weights: Weights, parts: list[Conv], x: Tensor) -> Tensor:
    for part in parts:
        x = leaky_relu(part(weights, x), _SLOPE)
    return x


def _doubled(x: Tensor) -> Tensor:
    """Twice as large, bilinear; TensorFlow 1 samples without the shift by half a pixel."""
    _, height, width, _ = x.shape
    return tf.raw_ops.ResizeBilinear(images=x, size=[2 * height, 2 * width])
