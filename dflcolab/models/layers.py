"""The building blocks of DeepFaceLab's networks, as descriptions that can be applied.

A block knows the names and shapes of its weights and is called with a `Weights` lookup, so the
same network runs on variables, on constants, in float32 or in half precision. Names are DFL's, so
its files need no translation. Formulas: DFL interoperability notes, sections 2.0 and 2.1.

Pictures are `[B, H, W, C]`. Dense layers see the channel-first order that DFL's weights expect.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from dflcolab.arrays import Tensor
from dflcolab.backend import tf

Shapes: TypeAlias = dict[str, tuple[int, ...]]
"""Variable name (`encoder/down1/downs_0/conv1/weight:0`) to shape."""

Activation: TypeAlias = Callable[[Tensor, float], Tensor]
"""Function of a tensor and the slope below zero."""


class Part(Protocol):
    """A block or network: it has a scope and knows its weights."""

    @property
    def name(self) -> str:
        """First part of the names of its weights."""
        ...

    def shapes(self) -> Shapes:
        """Full name to shape of all its weights, in DFL's order."""
        ...


def shapes_of(parts: Iterable[Part]) -> Shapes:
    """Names and shapes of the weights of several parts."""
    found: Shapes = {}
    for part in parts:
        found |= part.shapes()
    return found


_WEIGHTS_PER_POSITION = 2000
_USUAL_BATCH = 8


class Weights:
    """The weights of a model in the type the networks compute in.

    Args:
        values: Variables or tensors by full name; they stay as they are.
        dtype: Type to compute in.

    Attributes:
        dtype: As given.
        tensors: The values in that type.
    """

    def __init__(self, values: Mapping[str, Tensor], dtype: tf.DType = tf.float32) -> None:
        self.dtype = dtype
        self.tensors = {name: tf.cast(value, dtype) for name, value in values.items()}

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]


def leaky_relu(x: Tensor, alpha: float) -> Tensor:
    """`max(x, alpha * x)`, with a gradient that needs the result only.

    The sign of the result is that of `x`, so `x` need not be kept for the way back. That saves its
    memory and lets TensorFlow compute convolution, bias and activation as one operation.
    """

    @tf.custom_gradient
    def with_gradient(inner: Tensor) -> tuple[Tensor, object]:
        y = tf.nn.leaky_relu(inner, alpha)

        def gradient(upstream: Tensor) -> Tensor:
            return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=y, alpha=alpha)

        return y, gradient

    return with_gradient(x)


def x_cos_x(x: Tensor, alpha: float) -> Tensor:  # noqa: ARG001 - an Activation
    """`x * cos(x)`: what the letter `c` puts in the place of every leaky ReLU."""
    return x * tf.cos(x)


def depth_to_space(x: Tensor) -> Tensor:
    """`[B, H, W, 4C]` to `[B, 2H, 2W, C]`; channel `(2 dy + dx) C + c` goes to pixel (dy, dx)."""
    return tf.nn.depth_to_space(x, 2)


def flatten(x: Tensor) -> Tensor:
    """`[B, H, W, C]` to `[B, C*H*W]` in channel-first order."""
    _, height, width, channels = x.shape
    return tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [-1, channels * height * width])


def unflatten(x: Tensor, height: int, width: int, channels: int) -> Tensor:
    """The way back of `flatten`."""
    return tf.transpose(tf.reshape(x, [-1, channels, height, width]), [0, 2, 3, 1])


def pixel_norm(x: Tensor) -> Tensor:
    """Scale each code to unit mean square, in float32."""
    wide = tf.cast(x, tf.float32)
    norm = tf.math.rsqrt(tf.reduce_mean(tf.square(wide), axis=-1, keepdims=True) + 1e-6)
    return tf.cast(wide * norm, x.dtype)


@dataclass(frozen=True)
class Conv:
    """Convolution with zero padding `(kernel // 2)` on all four sides, and a bias."""

    name: str
    n_in: int
    n_out: int
    kernel: int = 3
    stride: int = 1

    def shapes(self) -> Shapes:
        return {
            f"{self.name}/weight:0": (self.kernel, self.kernel, self.n_in, self.n_out),
            f"{self.name}/bias:0": (self.n_out,),
        }

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        kernel, bias = weights[f"{self.name}/weight:0"], weights[f"{self.name}/bias:0"]
        if self._is_product(x):
            return _conv_as_product(x, kernel, bias)
        padding = "SAME"
        if self.stride == 2:
            # TensorFlow's SAME pads one side less than DFL does. On even sizes the last row and
            # column of DFL's padding meet no odd kernel, so they are left out.
            before = self.kernel // 2
            unused = self.kernel % 2
            after = [before - unused * ((size + 1) % 2) for size in x.shape[1:3]]
            x = tf.pad(x, [[0, 0], [before, after[0]], [before, after[1]], [0, 0]])
            padding = "VALID"
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, self.stride, padding), bias)

    def _is_product(self, x: Tensor) -> bool:
        """True where one large matrix product is faster: many weights, few positions, no GPU.

        oneDNN reorders the weights of a convolution at every call and sums filter gradients with
        little parallelism, which costs more than the convolution where positions are few. Measured
        by `benchmarks/bench_step.py`: two to eight times faster for 4x4 and 8x8 maps.
        """
        positions = (x.shape[0] or _USUAL_BATCH) * x.shape[1] * x.shape[2]
        n_weights = self.kernel**2 * self.n_in * self.n_out
        return self.stride == 1 and n_weights >= _WEIGHTS_PER_POSITION * positions and not _gpus()


def _conv_as_product(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Convolution at stride 1: the neighbourhoods side by side, times the kernel as a matrix."""
    side, _, n_in, n_out = kernel.shape
    _, height, width, _ = x.shape
    columns = _neighbourhoods(side)(x)
    columns = tf.reshape(columns, [-1, side * side * n_in])
    y = tf.linalg.matmul(columns, tf.reshape(kernel, [-1, n_out]))
    return tf.reshape(tf.nn.bias_add(y, bias), [-1, height, width, n_out])


def _neighbourhoods(side: int) -> Callable[[Tensor], Tensor]:
    """Function from `[B, H, W, C]` to `[B, H, W, side * side * C]`, rows of kernels first.

    Its gradient is written out, since that of TensorFlow's slices is slow on CPUs.
    """
    pad = side // 2
    taps = [(i, j) for i in range(side) for j in range(side)]

    @tf.custom_gradient
    def gather(x: Tensor) -> tuple[Tensor, object]:
        _, height, width, channels = x.shape
        padded = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        pieces = [tf.slice(padded, [0, i, j, 0], [-1, height, width, -1]) for i, j in taps]

        def gradient(upstream: Tensor) -> Tensor:
            parts = tf.split(upstream, len(taps), axis=3)
            moved = [
                tf.pad(part, [[0, 0], [i, 2 * pad - i], [j, 2 * pad - j], [0, 0]])
                for part, (i, j) in zip(parts, taps, strict=True)
            ]
            return tf.slice(tf.add_n(moved), [0, pad, pad, 0], [-1, height, width, channels])

        return tf.concat(pieces, axis=3), gradient

    return gather


@functools.cache
def _gpus() -> int:
    return len(tf.config.list_physical_devices("GPU"))


@dataclass(frozen=True)
class ConvTranspose:
    """Transposed 3x3 convolution to `stride` times the size, and a bias; kernels are HWOI."""

    name: str
    n_in: int
    n_out: int
    kernel: int = 3
    stride: int = 2

    def shapes(self) -> Shapes:
        return {
            f"{self.name}/weight:0": (self.kernel, self.kernel, self.n_out, self.n_in),
            f"{self.name}/bias:0": (self.n_out,),
        }

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        kernel, bias = weights[f"{self.name}/weight:0"], weights[f"{self.name}/bias:0"]
        count = x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]
        height, width = (self.stride * size for size in x.shape[1:3])
        shape: Any = [count, height, width, self.n_out]
        return tf.nn.bias_add(tf.nn.conv2d_transpose(x, kernel, shape, self.stride, "SAME"), bias)


@dataclass(frozen=True)
class Dense:
    """Fully connected layer with a bias."""

    name: str
    n_in: int
    n_out: int

    def shapes(self) -> Shapes:
        return {
            f"{self.name}/weight:0": (self.n_in, self.n_out),
            f"{self.name}/bias:0": (self.n_out,),
        }

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        y = tf.linalg.matmul(x, weights[f"{self.name}/weight:0"])
        return tf.nn.bias_add(y, weights[f"{self.name}/bias:0"])


@dataclass(frozen=True)
class Down:
    """Half the size: 5x5 convolution at stride 2, slope 0.1."""

    name: str
    n_in: int
    n_out: int
    activation: Activation

    @property
    def conv(self) -> Conv:
        return Conv(f"{self.name}/conv1", self.n_in, self.n_out, kernel=5, stride=2)

    def shapes(self) -> Shapes:
        return self.conv.shapes()

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        return self.activation(self.conv(weights, x), 0.1)


@dataclass(frozen=True)
class Up:
    """Double the size: 3x3 convolution to four times the channels, slope 0.1, depth to space."""

    name: str
    n_in: int
    n_out: int
    activation: Activation

    @property
    def conv(self) -> Conv:
        return Conv(f"{self.name}/conv1", self.n_in, 4 * self.n_out)

    def shapes(self) -> Shapes:
        return self.conv.shapes()

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        return depth_to_space(self.activation(self.conv(weights, x), 0.1))


@dataclass(frozen=True)
class Residual:
    """Two 3x3 convolutions around which the input is added, slope 0.2."""

    name: str
    n_in: int
    activation: Activation

    @property
    def convs(self) -> tuple[Conv, Conv]:
        return (
            Conv(f"{self.name}/conv1", self.n_in, self.n_in),
            Conv(f"{self.name}/conv2", self.n_in, self.n_in),
        )

    def shapes(self) -> Shapes:
        first, second = self.convs
        return first.shapes() | second.shapes()

    def __call__(self, weights: Weights, x: Tensor) -> Tensor:
        first, second = self.convs
        y = second(weights, self.activation(first(weights, x), 0.2))
        return self.activation(x + y, 0.2)
