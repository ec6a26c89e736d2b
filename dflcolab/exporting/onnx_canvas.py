"""Networks as ONNX nodes: channel-first inside, with a transpose where pictures come and go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dflcolab.arrays import Array
from dflcolab.formats.onnx_file import Node, OnnxModel, Value

_TO_CHANNELS_FIRST = [0, 3, 1, 2]
_TO_CHANNELS_LAST = [0, 2, 3, 1]
_BATCH = "batch"


class OnnxCanvas:
    """Collects the nodes of one graph (see `Canvas` for the operations).

    Args:
        opset: Version of ONNX' operators.
    """

    def __init__(self, opset: int) -> None:
        self._opset = opset
        self._nodes: list[Node] = []
        self._weights: dict[str, Array] = {}
        self._inputs: list[Value] = []
        self._outputs: list[Value] = []

    def picture_input(self, name: str, size: int, channels: int) -> str:
        """An input `[batch, size, size, channels]`."""
        self._inputs.append(Value(name, (_BATCH, size, size, channels)))
        return self._add("Transpose", [name], perm=_TO_CHANNELS_FIRST)

    def number_input(self, name: str) -> str:
        """An input of one number, `[1]`."""
        self._inputs.append(Value(name, (1,)))
        return name

    def picture_output(self, x: str, name: str, size: int, channels: int) -> None:
        """An output `[batch, size, size, channels]`; outputs keep the order of these calls."""
        self._nodes.append(Node("Transpose", [x], [name], {"perm": _TO_CHANNELS_LAST}))
        self._outputs.append(Value(name, (_BATCH, size, size, channels)))

    def finished(
        self, *, name: str, producer: tuple[str, str], metadata: dict[str, str]
    ) -> OnnxModel:
        """Everything that was drawn."""
        return OnnxModel(
            nodes=self._nodes,
            inputs=self._inputs,
            outputs=self._outputs,
            weights=self._weights,
            opset=self._opset,
            name=name,
            producer=producer,
            metadata=metadata,
        )

    def conv(self, x: str, name: str, kernel: Array, bias: Array, *, stride: int = 1) -> str:
        pad = kernel.shape[0] // 2
        inputs = [x, *self._kept(name, weight=kernel.transpose(3, 2, 0, 1), bias=bias)]
        return self._add("Conv", inputs, pads=[pad] * 4, strides=[stride] * 2)

    def double_conv(self, x: str, name: str, kernel: Array, bias: Array) -> str:
        # The full result has `side - 2` rows and columns too many; they are cut off at the end,
        # as DeepFaceLab does.
        extra = kernel.shape[0] - 2
        inputs = [x, *self._kept(name, weight=kernel.transpose(3, 2, 0, 1), bias=bias)]
        return self._add("ConvTranspose", inputs, pads=[0, 0, extra, extra], strides=[2, 2])

    def dense(self, x: str, name: str, kernel: Array, bias: Array) -> str:
        weight, offset = self._kept(name, weight=kernel, bias=bias)
        return self._add("Add", [self._add("MatMul", [x, weight]), offset])

    def leaky_relu(self, x: str, slope: float) -> str:
        return self._add("LeakyRelu", [x], alpha=slope)

    def x_cos_x(self, x: str) -> str:
        return self._add("Mul", [x, self._add("Cos", [x])])

    def sigmoid(self, x: str) -> str:
        return self._add("Sigmoid", [x])

    def add(self, x: str, y: str) -> str:
        return self._add("Add", [x, y])

    def join(self, values: list[str]) -> str:
        return self._add("Concat", values, axis=1)

    def depth_to_space(self, x: str) -> str:
        return self._add("DepthToSpace", [x], blocksize=2, mode="DCR")

    def flatten(self, x: str, channels: int, size: int) -> str:
        return self._reshape(x, [-1, channels * size * size])

    def unflatten(self, x: str, channels: int, size: int) -> str:
        return self._reshape(x, [-1, channels, size, size])

    def pixel_norm(self, x: str) -> str:
        mean = self._add("ReduceMean", [self._add("Mul", [x, x])], axes=[1], keepdims=1)
        wide = self._add("Add", [mean, self._constant("epsilon", np.array([1e-6], np.float32))])
        return self._add("Mul", [x, self._add("Reciprocal", [self._add("Sqrt", [wide])])])

    def morph(self, first: str, second: str, value: str, channels: int) -> str:
        width = self._constant("channels", np.array([channels], np.float32))
        count = self._add("Floor", [self._add("Mul", [value, width])])
        places = np.arange(channels, dtype=np.float32).reshape(1, channels, 1, 1)
        taken = self._add("Less", [self._constant("channel_numbers", places), count])
        return self._add("Where", [taken, first, second])

    def response_norm(self, x: str, name: str, weight: Array, bias: Array, epsilon: Array) -> str:
        factor, offset, least = self._kept(
            name,
            weight=weight.reshape(1, -1, 1, 1),
            bias=bias.reshape(1, -1, 1, 1),
            eps=np.abs(epsilon).reshape(1, 1, 1, 1),
        )
        square = self._add("ReduceMean", [self._add("Mul", [x, x])], axes=[2, 3], keepdims=1)
        root = self._add("Sqrt", [self._add("Add", [square, least])])
        scaled = self._add("Mul", [self._add("Div", [x, root]), factor])
        return self._add("Add", [scaled, offset])

    def at_least(self, x: str, name: str, threshold: Array) -> str:
        (least,) = self._kept(name, tau=threshold.reshape(1, -1, 1, 1))
        return self._add("Max", [x, least])

    def blur_pool(self, x: str, channels: int, kernel: Array) -> str:
        side = kernel.shape[0]
        before = (side - 1) // 2
        after = side - 1 - before
        weight = np.broadcast_to(kernel, (channels, 1, side, side)).astype(np.float32)
        inputs = [x, self._constant(f"blur_{side}_{channels}", weight)]
        pads = [before, before, after, after]
        return self._add("Conv", inputs, pads=pads, strides=[2, 2], group=channels)

    def _reshape(self, x: str, shape: Sequence[int]) -> str:
        name = "shape_" + "_".join(str(size) for size in shape).replace("-", "m")
        return self._add("Reshape", [x, self._constant(name, np.array(shape, np.int64))])

    def _kept(self, name: str, **arrays: Array) -> list[str]:
        return [self._constant(f"{name}/{kind}", array) for kind, array in arrays.items()]

    def _constant(self, name: str, array: Array) -> str:
        self._weights.setdefault(name, array)
        return name

    def _add(
        self,
        operator: str,
        inputs: Sequence[str],
        **attributes: int | float | str | Sequence[int],
    ) -> str:
        name = f"value_{len(self._nodes)}"
        self._nodes.append(Node(operator, inputs, [name], attributes))
        return name
