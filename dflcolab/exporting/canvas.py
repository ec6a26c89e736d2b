"""The operations that an exported network is drawn with, whatever file it goes into.

`drawing` walks a model once and calls these; `onnx_canvas` and `keras_canvas` turn them into nodes
and layers. Pictures have whatever layout the canvas likes; weights come in DeepFaceLab's.
"""

from __future__ import annotations

from typing import Any, Protocol

from dflcolab.arrays import Array

Drawn = Any
"""A value of the graph that is being drawn."""


class Canvas(Protocol):
    """What a file format must be able to express.

    `name` is the variable's path without the last part (`encoder/down1/downs_0/conv1`): the same
    name twice is the same weights.
    """

    def conv(self, x: Drawn, name: str, kernel: Array, bias: Array, *, stride: int = 1) -> Drawn:
        """Zero padding of `side // 2` on all four sides, convolution, bias; kernel HWIO."""
        ...

    def double_conv(self, x: Drawn, name: str, kernel: Array, bias: Array) -> Drawn:
        """Transposed convolution at stride 2 to double size, bias; kernel HWOI."""
        ...

    def dense(self, x: Drawn, name: str, kernel: Array, bias: Array) -> Drawn:
        """Matrix product and bias; kernel in-out."""
        ...

    def leaky_relu(self, x: Drawn, slope: float) -> Drawn:
        """`max(x, slope * x)`."""
        ...

    def x_cos_x(self, x: Drawn) -> Drawn:
        """`x * cos(x)`."""
        ...

    def sigmoid(self, x: Drawn) -> Drawn:
        """To 0..1."""
        ...

    def add(self, x: Drawn, y: Drawn) -> Drawn:
        """Sum of two values of one shape."""
        ...

    def join(self, values: list[Drawn]) -> Drawn:
        """Feature maps one after the other, along channels."""
        ...

    def depth_to_space(self, x: Drawn) -> Drawn:
        """Channel `(2 dy + dx) C + c` to pixel (dy, dx) of a map of double size."""
        ...

    def flatten(self, x: Drawn, channels: int, size: int) -> Drawn:
        """A `size` x `size` map to a vector in channel-first order."""
        ...

    def unflatten(self, x: Drawn, channels: int, size: int) -> Drawn:
        """The way back of `flatten`."""
        ...

    def pixel_norm(self, x: Drawn) -> Drawn:
        """Each vector over the root of its mean square (+ 1e-6)."""
        ...

    def morph(self, first: Drawn, second: Drawn, value: Drawn, channels: int) -> Drawn:
        """The first `int(channels * value)` channels of one map, the rest of the other."""
        ...

    def response_norm(
        self, x: Drawn, name: str, weight: Array, bias: Array, epsilon: Array
    ) -> Drawn:
        """`x / sqrt(mean over the picture of x^2 + |epsilon|) * weight + bias`."""
        ...

    def at_least(self, x: Drawn, name: str, threshold: Array) -> Drawn:
        """The larger of `x` and a threshold per channel."""
        ...

    def blur_pool(self, x: Drawn, channels: int, kernel: Array) -> Drawn:
        """Each channel blurred with `[F, F]` and halved; `(F - 1) // 2` zeros before, rest after."""
        ...
