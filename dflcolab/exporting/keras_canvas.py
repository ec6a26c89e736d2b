"""Networks as layers of Keras' own, so that a saved file loads wherever Keras is installed.

Pictures are channel-last. What Keras has no layer for (depth to space, the flattening order of
DeepFaceLab, norms, the morph) is put together from those that it has: operations outside of layers
(`keras.ops`) can be saved too, but only new versions read them. The letter `c` needs one of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dflcolab.arrays import Array
from dflcolab.backend import tf

keras: Any = tf.keras  # Keras 3, loaded as quietly as TensorFlow
_EPSILON = 1e-6
# Plain ones: those of new Keras versions have arguments that older ones cannot read.
_ZEROS = "zeros"


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
                kernel.shape[3],
                side,
                strides=stride,
                padding="valid",
                kernel_initializer=_ZEROS,
                name=label,
            ),
            kernel,
            bias,
        )
        return layer(x)

    def double_conv(self, x: Any, name: str, kernel: Array, bias: Array) -> Any:
        layer = self._kept(
            name,
            lambda label: keras.layers.Conv2DTranspose(
                kernel.shape[2],
                kernel.shape[0],
                strides=2,
                padding="same",
                kernel_initializer=_ZEROS,
                name=label,
            ),
            kernel,
            bias,
        )
        return layer(x)

    def dense(self, x: Any, name: str, kernel: Array, bias: Array) -> Any:
        layer = self._kept(
            name,
            lambda label: keras.layers.Dense(
                kernel.shape[1], kernel_initializer=_ZEROS, name=label
            ),
            kernel,
            bias,
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
        # Of x and -x together the mean is 0 and the variance the mean square of x.
        count = x.shape[1]
        both = keras.layers.Concatenate(axis=1)([x, keras.layers.Rescaling(-1.0)(x)])
        both = keras.layers.LayerNormalization(epsilon=_EPSILON, center=False, scale=False)(both)
        both = keras.layers.Reshape((2 * count, 1))(both)
        return keras.layers.Flatten()(keras.layers.Cropping1D((0, count))(both))

    def morph(self, first: Any, second: Any, value: Any, channels: int) -> Any:
        # Channel n comes from the first where channels * value - n >= 1. A Dense layer computes
        # the difference, and a ReLU between the largest number below 1 and 1 the yes or no.
        steps = np.arange(channels, dtype=np.float32)
        distance = self.dense(value, "morph", np.full((1, channels), channels, np.float32), -steps)
        below_one = float(np.nextafter(np.float32(1), np.float32(0)))
        taken = keras.layers.ReLU(max_value=1.0, threshold=below_one)(distance)
        taken = keras.layers.Reshape((1, 1, channels))(taken)
        left = keras.layers.Rescaling(-1.0, 1.0)(taken)
        multiply = keras.layers.Multiply
        return self.add(multiply()([first, taken]), multiply()([second, left]))

    def response_norm(self, x: Any, name: str, weight: Array, bias: Array, epsilon: Array) -> Any:
        # As in pixel_norm: over a picture and its negative, each channel for itself.
        height = x.shape[1]
        both = keras.layers.Concatenate(axis=1)([x, keras.layers.Rescaling(-1.0)(x)])
        layer = self._kept(
            name,
            lambda label: keras.layers.GroupNormalization(
                groups=-1, epsilon=float(np.abs(epsilon).reshape(-1)[0]), name=label
            ),
            weight,
            bias,
        )
        return keras.layers.Cropping2D(((0, height), (0, 0)))(layer(both))

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
                side,
                strides=2,
                padding="valid",
                use_bias=False,
                depthwise_initializer=_ZEROS,
                name=label,
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
