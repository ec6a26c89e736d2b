"""Lab colors in the graph, with OpenCV's definition: sRGB, white point D65, L 0..100.

OpenCV itself looks Lab up in a coarse table, which makes pictures darker by 0.1 in L; so what is
measured of pictures for the graph is measured with the formula as well.
"""

from __future__ import annotations

import numpy as np

from dflcolab.arrays import FloatImage, Image, Tensor
from dflcolab.backend import tf

_WHITE = np.array([0.950456, 1.0, 1.088754])
_XYZ_FROM_RGB = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_XYZ_FROM_BGR = (_XYZ_FROM_RGB / _WHITE[:, None])[:, ::-1].astype(np.float32)
_BGR_FROM_XYZ = np.linalg.inv(_XYZ_FROM_BGR.astype(np.float64)).astype(np.float32)
_DARK, _SLOPE, _OFFSET = (np.float32(v) for v in (0.008856, 7.787, 16 / 116))
_BYTES = np.arange(256) / 255
_LINEAR = np.where(_BYTES <= 0.04045, _BYTES / 12.92, ((_BYTES + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)


def bgr_from_bytes(pictures: Tensor) -> Tensor:
    """uint8 to float32 in 0..1."""
    return tf.cast(pictures, tf.float32) / 255


def lab_of(picture: Image) -> FloatImage:
    """A picture `[H, W, 3]` uint8, BGR, in Lab; without TensorFlow."""
    light = _LINEAR[picture] @ _XYZ_FROM_BGR.T
    root = np.where(light > _DARK, np.cbrt(light), _SLOPE * light + _OFFSET)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_from_bytes(pictures: Tensor) -> Tensor:
    """BGR `[..., 3]` uint8 to Lab float32."""
    light = tf.gather(tf.constant(_LINEAR), tf.cast(pictures, tf.int32))
    x, y, z = (_root(channel) for channel in _mixed(light, _XYZ_FROM_BGR))
    return tf.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def bgr_from_lab(lab: Tensor) -> Tensor:
    """Lab `[..., 3]` to BGR, float32, cut to 0..1."""
    y = (lab[..., 0] + 16) / 116
    roots = (y + lab[..., 1] / 500, y, y - lab[..., 2] / 200)
    xyz = tf.stack([_cube(root) for root in roots], axis=-1)
    light = tf.clip_by_value(tf.stack(_mixed(xyz, _BGR_FROM_XYZ), axis=-1), 0.0, 1.0)
    bright = 1.055 * tf.exp(tf.math.log(tf.maximum(light, 1e-4)) * (1 / 2.4)) - 0.055
    return tf.where(light <= 0.0031308, 12.92 * light, bright)


def _mixed(colors: Tensor, matrix: np.ndarray) -> list[Tensor]:
    """The three channels of `matrix` times each color."""
    parts = tf.unstack(colors, axis=-1)
    return [
        tf.add_n([part * float(weight) for part, weight in zip(parts, row, strict=True)])
        for row in matrix
    ]


def _root(light: Tensor) -> Tensor:
    root = tf.exp(tf.math.log(tf.maximum(light, _DARK)) * (1 / 3))
    return tf.where(light > _DARK, root, _SLOPE * light + _OFFSET)


def _cube(root: Tensor) -> Tensor:
    dark = (root - _OFFSET) / _SLOPE
    return tf.where(root > _SLOPE * _DARK + _OFFSET, root * root * root, dark)
