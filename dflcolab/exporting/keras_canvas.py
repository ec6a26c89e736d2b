"""Networks as layers of Keras' own, so that a saved file loads wherever Keras is installed.

Pictures are channel-last. What Keras has no layer for (depth to space, the flattening order of
DeepFaceLab, norms) is put together from layers and `keras.ops` that its files can hold.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dflcolab.arrays import Array
from dflcolab.backend import tf

keras: Any = tf.keras  # Keras 3, loaded as quietly as TensorFlow
_EPSILON = 1e-6


class KerasCanvas:
    """Builds the layers of one functional model (see `Canvas` for the operations).

    The weights are given to the layers once the model is built (`fill`).
    """

    def __init__(self) -> None:
        self._layers: dict[str, Any] = {}
        self._values: dict[str, list[Array]] = {}

    def fill(self) -> None:
        """Give all layers that were drawn their weights."""
        for name, layer in self._layers.items():
            layer.set_weights(self._values[name])

    def conv(self, x: Any, name: str, kernel: Array, bias: Array, *, stride: int = 1) -> Any:
        side = kernel.shape[0]
        if side > 1:
            x = keras.layers.ZeroPadding2D(side // 2)(x)
        layer = self._kept(
            name,
            lambda label: keras.layers.Conv2D(
                kernel.shape[3], side, strides=stride, padding="valid", name=label
            ),
            kernel,
            bias,
        )
        return layer(x)

    def double_conv(self, x: Any, name: str, kernel: Array, bias: Array) -> Any:
        layer = self._kept(
            name,
            lambda label: keras.layers.Conv2DTranspose(
                kernel.shape[2], kernel.shape[0], strides=2, padding="same", name=label
            ),
            kernel,
            bias,
        )
        return layer(x)

    def dense(self, x: Any, name: str, kernel: Array, bias: Array) -> Any:
        layer = self._kept(
            name, lambda label: keras.layers.Dense(kernel.shape[1], name=label), kernel, bias
        )
        return layer(x)

    def leaky_relu(self, x: Any, slope: float) -> Any:
        return keras.layers.LeakyReLU(negative_slope=slope)(x)

    def x_cos_x(self, x: Any) -> Any:
        return keras.layers.Multiply()([x, keras.ops.cos(x)])

    def sigmoid(self, x: Any) -> Any:
        return keras.layers.Activation("sigmoid")(x)

    def add(self, x: Any, y: Any) -> Any:
        return keras.layers.Add()([x, y])

    def join(self, values: list[Any]) -> Any:
        return keras.layers.Concatenate(axis=3)(values)

    def depth_to_space(self, x: Any) -> Any:
        _, height, width, channels = x.shape
        x = keras.layers.Reshape((height, width, 2, 2, channels // 4))(x)
        x = keras.layers.Permute((1, 3, 2, 4, 5))(x)
        return keras.layers.Reshape((2 * height, 2 * width, channels // 4))(x)

    def flatten(self, x: Any, channels: int, size: int) -> Any:
        return keras.layers.Flatten()(keras.layers.Permute((3, 1, 2))(x))

    def unflatten(self, x: Any, channels: int, size: int) -> Any:
        x = keras.layers.Reshape((channels, size, size))(x)
        return keras.layers.Permute((2, 3, 1))(x)

    def pixel_norm(self, x: Any) -> Any:
        mean = keras.ops.mean(keras.ops.square(x), axis=-1, keepdims=True)
        return x * keras.ops.rsqrt(mean + _EPSILON)

    def morph(self, first: Any, second: Any, value: Any, channels: int) -> Any:
        count = keras.ops.reshape(keras.ops.floor(value * float(channels)), (-1, 1, 1, 1))
        places = np.arange(channels, dtype=np.float32).reshape(1, 1, 1, channels)
        # 0.5 below: a difference of whole numbers is above 0.5 or below -0.5, whatever is rounded.
        share = keras.ops.cast(keras.ops.greater(count - places, 0.5), "float32")
        return first * share + second * (1.0 - share)

    def response_norm(self, x: Any, name: str, weight: Array, bias: Array, epsilon: Array) -> Any:
        mean = keras.ops.mean(keras.ops.square(x), axis=(1, 2), keepdims=True)
        least = float(np.abs(epsilon).reshape(-1)[0])
        normed = x * keras.ops.rsqrt(mean + least)
        return self._scaled(normed, name, weight, bias)

    def at_least(self, x: Any, name: str, threshold: Array) -> Any:
        # max(x, t) = relu(x - t) + t: the thresholds are weights of ordinary layers so.
        ones = np.ones_like(threshold)
        above = keras.layers.ReLU()(self._scaled(x, f"{name}/minus", ones, -threshold))
        return self._scaled(above, f"{name}/plus", ones, threshold)

    def blur_pool(self, x: Any, channels: int, kernel: Array) -> Any:
        side = kernel.shape[0]
        before = (side - 1) // 2
        after = side - 1 - before
        x = keras.layers.ZeroPadding2D(((before, after), (before, after)))(x)
        layer = self._kept(
            f"blur_{side}_{channels}_{x.shape[1]}",
            lambda label: keras.layers.DepthwiseConv2D(
                side, strides=2, padding="valid", use_bias=False, name=label
            ),
            np.repeat(kernel[:, :, None, None], channels, axis=2),
        )
        return layer(x)

    def _scaled(self, x: Any, name: str, weight: Array, bias: Array) -> Any:
        """`x * weight + bias` per channel: a batch norm whose statistics are those of no change."""
        channels = weight.size
        layer = self._kept(
            name,
            lambda label: keras.layers.BatchNormalization(epsilon=0.0, trainable=False, name=label),
            weight,
            bias,
            np.zeros(channels, np.float32),
            np.ones(channels, np.float32),
        )
        return layer(x, training=False)

    def _kept(self, name: str, make: Any, *values: Array) -> Any:
        """The layer of a name; made once, so that both passes through a network share it."""
        if name not in self._layers:
            self._layers[name] = make(name.replace("/", "__"))
            self._values[name] = [np.asarray(value, np.float32) for value in values]
        return self._layers[name]
