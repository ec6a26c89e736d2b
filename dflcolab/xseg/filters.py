"""Filters of a batch with a setting of its own for every face, in the graph.

What DeepFaceLab does with OpenCV to one picture after the other (interoperability notes, sections
3.8 and 6.5). Blurs and changes of size are products with a matrix per face and axis, so all faces
take the same time whatever their setting. Kernels, borders and sampling positions are OpenCV's.

Pictures are `[B, R, R, C]` float32, settings `[B]`.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

from dflcolab.arrays import Array, Tensor
from dflcolab.backend import fused, tf
from dflcolab.imaging.filters import motion_blur

LARGEST_KERNEL = 5
"""Side of the largest kernel of `filtered`."""

_HALF = LARGEST_KERNEL // 2
_ANGLES = 360


# --- Gaussian blur --------------------------------------------------------------------------------


def gaussian_blur(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Blur each face by OpenCV's Gaussian with automatic sigma; borders are mirrored.

    Args:
        pictures: `[B, R, R, C]`.
        kernels: `[B]` int32, odd, smaller than `2 R`; 1 changes nothing.
    """
    size = pictures.shape[1]
    table, (straight, first, last) = _gaussian_rows(size), _mirrored_distances(size)
    rows = tf.gather(tf.constant(table), (kernels - 1) // 2)  # [B, reach + 2]
    matrix = tf.add_n([tf.gather(rows, index, axis=1) for index in (straight, first, last)])
    return along_both(pictures, matrix)


def along_both(pictures: Tensor, matrices: Tensor) -> Tensor:
    """Each face's rows and columns replaced by mixtures of them.

    Args:
        pictures: `[B, R, R, C]`.
        matrices: `[B, R, R]`; row i holds the weights that make up row (column) i.
    """
    count, size, _, channels = pictures.shape
    flat = tf.reshape(pictures, [count, size, size * channels])
    rows = tf.reshape(tf.linalg.matmul(matrices, flat), [count, size, size, channels])
    return tf.linalg.matmul(matrices[:, None], rows)


@functools.cache
def _gaussian_rows(size: int) -> Array:
    """`[n, reach + 2]` float32: of every odd kernel, the weight at each distance; the last is 0."""
    reach = size - 1
    table = np.zeros((size, reach + 2), np.float32)
    for index in range(size):
        kernel = cv2.getGaussianKernel(2 * index + 1, 0)[:, 0]
        table[index, : index + 1] = kernel[index:]
    return table


@functools.cache
def _mirrored_distances(size: int) -> tuple[Array, Array, Array]:
    """Distances of pixel i from j, and from j mirrored at the first and at the last pixel.

    The border pixel itself is not repeated, so it has no mirror image; distances too large for any
    kernel point to the weight 0.
    """
    i, j = np.mgrid[:size, :size].astype(np.int32)
    nowhere = np.int32(size)
    first = np.where(j > 0, np.minimum(i + j, nowhere), nowhere)
    last = np.where(j < size - 1, np.minimum(2 * (size - 1) - j - i, nowhere), nowhere)
    return np.abs(i - j), first, last


# --- small kernels --------------------------------------------------------------------------------


@fused
def filtered(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Each face correlated with its own kernel `[B, 5, 5]`; borders are mirrored."""
    size = pictures.shape[1]
    around = [[0, 0], [_HALF, _HALF], [_HALF, _HALF], [0, 0]]
    padded = tf.pad(pictures, around, mode="REFLECT")
    parts = [
        padded[:, y : y + size, x : x + size] * kernels[:, y, x, None, None, None]
        for y in range(LARGEST_KERNEL)
        for x in range(LARGEST_KERNEL)
    ]
    return tf.add_n(parts)


def identity_kernels(count: int) -> Tensor:
    """Kernels that change nothing, `[B, 5, 5]`."""
    return tf.tile(tf.constant(_centred(np.ones((1, 1), np.float32)))[None], [count, 1, 1])


def sharpening_kernels(kernels: Tensor, amounts: Tensor, *, box: Tensor) -> Tensor:
    """Kernels `[B, 5, 5]` that sharpen against a blur.

    Args:
        kernels: `[B]` int32, 1..5; even ones grow by one.
        amounts: `[B]` float32. A box blur's detail is added that many times, a Gaussian's half as
            often.
        box: `[B]` bool.
    """
    index = (kernels + (1 - kernels % 2) - 1) // 2
    blurs = tf.gather(tf.constant(_small_blurs()), index)  # [B, 2, 5, 5]
    strength = tf.where(box, amounts, amounts / 2)[:, None, None]
    blur = tf.where(box[:, None, None], blurs[:, 0], blurs[:, 1])
    center = identity_kernels(kernels.shape[0])
    return center + strength * (center - blur)


def motion_kernels(sizes: Tensor, degrees: Tensor) -> Tensor:
    """Kernels `[B, 5, 5]` that blur along a line.

    Args:
        sizes: `[B]` int32, length of the line, 1..5 pixels.
        degrees: `[B]` int32, 0..359, counter-clockwise from the right.
    """
    table = tf.constant(_motion_table())
    return tf.gather_nd(table, tf.stack([sizes - 1, degrees], axis=1))


@functools.cache
def _small_blurs() -> Array:
    """`[3, 2, 5, 5]`: box and Gaussian of 1, 3 and 5 pixels."""
    found: list[list[Array]] = []
    for side in (1, 3, 5):
        row = cv2.getGaussianKernel(side, 0)
        found.append([_centred(np.full((side, side), side**-2.0)), _centred(row @ row.T)])
    return np.array(found, np.float32)


@functools.cache
def _motion_table() -> Array:
    """`[5, 360, 5, 5]`: the kernel of every length and angle, read off a single bright pixel."""
    table = np.zeros((LARGEST_KERNEL, _ANGLES, LARGEST_KERNEL, LARGEST_KERNEL), np.float32)
    dot = np.zeros((4 * _HALF + 1, 4 * _HALF + 1), np.float32)
    dot[2 * _HALF, 2 * _HALF] = 1
    for size in range(1, LARGEST_KERNEL + 1):
        for angle in range(_ANGLES):
            # A correlation shows its kernel turned by half a circle around a dot.
            shown = motion_blur(dot, size, angle)[::-1, ::-1]
            table[size - 1, angle] = shown[_HALF : 3 * _HALF + 1, _HALF : 3 * _HALF + 1]
    return table


def _centred(kernel: Array) -> Array:
    """A kernel of odd side in the middle of one of 5 x 5."""
    around = _HALF - kernel.shape[0] // 2
    return np.pad(kernel, around).astype(np.float32)


# --- coarser and back -----------------------------------------------------------------------------


def coarsened(pictures: Tensor, sides: Tensor, *, nearest: Tensor) -> Tensor:
    """Each face shrunk and enlarged again.

    Args:
        pictures: `[B, R, R, C]`.
        sides: `[B]` int32, 1..R: side of the small picture.
        nearest: `[B]` bool: take the nearest pixel instead of interpolating, both ways.
    """
    size = pictures.shape[1]
    down, up = _linear(sides, size, shrink=True), _linear(sides, size, shrink=False)
    smooth = tf.linalg.matmul(up, down)
    index = tf.range(size)
    small = (index[None] * sides[:, None]) // size
    picked = (small * size) // sides[:, None]
    rough = tf.one_hot(picked, size)
    return along_both(pictures, tf.where(nearest[:, None, None], rough, smooth))


def _linear(sides: Tensor, size: int, *, shrink: bool) -> Tensor:
    """`[B, R, R]`: bilinear weights from R to `sides` pixels, or back; rows beyond are unused."""
    small = tf.cast(sides, tf.float32)[:, None]
    index = tf.range(size, dtype=tf.float32)[None]
    zoom = size / small if shrink else small / size
    last = float(size - 1) if shrink else small - 1
    position = tf.clip_by_value((index + 0.5) * zoom - 0.5, 0.0, last)
    return tf.nn.relu(1 - tf.abs(position[:, :, None] - index[:, None]))


# --- colors ---------------------------------------------------------------------------------------


def leveled(pictures: Tensor, levels: Tensor) -> Tensor:
    """Each channel with other black and white points and another gamma; cut to 0..1.

    Args:
        pictures: `[B, R, R, 3]`.
        levels: `[5, B, 3]`: in black, in white, gamma, out black, out white; in black is below in
            white.
    """
    in_black, in_white, gamma, out_black, out_white = tf.unstack(levels[:, :, None, None])
    part = tf.clip_by_value((pictures - in_black) / (in_white - in_black), 0.0, 1.0)
    return tf.clip_by_value(part ** (1 / gamma) * (out_white - out_black) + out_black, 0.0, 1.0)


def faded_circles(size: int, centers: Tensor, inner: Tensor, fade: Tensor) -> Tensor:
    """Soft discs, `[B, R, R, 1]`: 1 inside, falling to 0 around.

    Args:
        size: Side of the picture.
        centers: `[B, 2]`, row and column in pixels.
        inner: `[B]`, radius up to which it is 1.
        fade: `[B]`, over how many pixels it falls; 0 counts as 1.
    """
    index = tf.range(size, dtype=tf.float32)
    rows = tf.square(index[None] - centers[:, :1])[:, :, None]
    columns = tf.square(index[None] - centers[:, 1:])[:, None, :]
    distance = tf.sqrt(rows + columns)
    falling = 1 - (distance - inner[:, None, None]) / tf.maximum(fade, 1.0)[:, None, None]
    return tf.expand_dims(tf.clip_by_value(falling, 0.0, 1.0), 3)
