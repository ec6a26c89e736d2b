"""Random transform, flip, grid warp and colour shift of a batch, drawn and applied in the graph.

DeepFaceLab resamples twice: a grid warp, then an affine transform. Here both are one function of
the position, evaluated once per pixel, so a picture is interpolated a single time. The
distributions are DFL's (interoperability notes, sections 6.1 and 6.2).

Positions are pixels, x right and y down, integer values at pixel centres.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from dflcolab.arrays import Tensor
from dflcolab.backend import fused, per_face, tf

PADDING = 3
"""Pixels that faces carry around them, so that no neighbour of a sampled position is missing."""

_ROTATION_DEGREES = 10.0
USUAL_SCALE = 0.15
"""Share by which faces are enlarged or shrunk at most; Quick96 takes less."""

_SHIFT = 0.05
_FLIP_SHARE = 0.4
_NORMAL_LIMIT = 2.5
_WARP_STRENGTH = 0.24
_GRID = 9  # points of the finest warp grid per side
_CUBIC_A = -0.75  # OpenCV's cubic kernel


class Sampled(NamedTuple):
    """A batch ready for the network, float32 in 0..1.

    Attributes:
        warped: Network input, `[B, R, R, 3]`.
        target: What it should paint, `[B, R, R, 3]`.
        mask: `[B, R, R, 1]`.
        eyes_mouth: `[B, R, R, 1]`.
    """

    warped: Tensor
    target: Tensor
    mask: Tensor
    eyes_mouth: Tensor


def sample_batch(
    faces: Tensor,
    seed: Tensor,
    *,
    random_warp: bool,
    flip: bool,
    hsv_power: float = 0.0,
    scale: float = USUAL_SCALE,
) -> Sampled:
    """Draw one random view of each face.

    Args:
        faces: `[B, R + 6, R + 6, 5]` uint8: BGR (edges repeated outwards), mask and eyes-mouth mask
            (zero outwards), with `PADDING` pixels on each side.
        seed: Two integers; the same seed gives the same views.
        random_warp: Distort the network input by a random grid.
        flip: Mirror 40 % of the faces.
        hsv_power: Strength of the colour shift of the network input, 0..0.3.
        scale: Share by which faces are enlarged or shrunk at most.
    """
    count = faces.shape[0]
    size = faces.shape[1] - 2 * PADDING
    seeds = tf.unstack(tf.random.split(seed, 3))
    transforms = random_transforms(count, size, seeds[0], flip=flip, scale=scale)
    if random_warp:
        cut, warped = _cut_and_warped(faces, transforms, *random_grids(count, size, seeds[1]))
        target, masks = parted(cut)
    else:
        target, masks = parted(_cut(faces, transforms))
        warped = target
    if hsv_power > 0:
        warped = shift_colors(warped, seeds[2], hsv_power)
    return Sampled(warped=warped, target=target, mask=masks[..., :1], eyes_mouth=masks[..., 1:])


def parted(cut: Tensor) -> tuple[Tensor, Tensor]:
    """Resampled faces as pictures and masks; eyes and mouth reach 1 where there are any.

    Not fused with the resampling, which the largest value would make happen twice.
    """
    eyes_mouth = cut[..., 4:5]
    peak = tf.reduce_max(eyes_mouth, axis=[1, 2, 3], keepdims=True)
    masks = tf.concat([cut[..., 3:4], tf.math.divide_no_nan(eyes_mouth, peak)], axis=3)
    return tf.clip_by_value(cut[..., :3], 0.0, 1.0), masks


@fused
def _cut(faces: Tensor, transforms: Tensor) -> Tensor:
    """Target pictures and masks, `[B, R, R, 5]`."""
    return resample(faces, affine_positions(transforms, faces.shape[1] - 2 * PADDING))


@fused
def _cut_and_warped(
    faces: Tensor, transforms: Tensor, displacement: Tensor, cell: Tensor
) -> tuple[Tensor, Tensor]:
    """Target pictures and masks, `[B, R, R, 5]`, and warped pictures."""
    size = faces.shape[1] - 2 * PADDING
    positions = affine_positions(transforms, size)
    displaced = warp_positions(positions, (displacement, cell), size)
    warped = tf.clip_by_value(resample(dark_outside(faces[..., :3]), displaced), 0.0, 1.0)
    return resample(faces, positions), warped


def dark_outside(pictures: Tensor) -> Tensor:
    """Black around the pictures instead of repeated edges: DFL's warp looks half a pixel beyond.

    So the last row and column of its warped pictures are half dark, and what a transform brings in
    from outside at the right and below repeats that. Kept with the half pixel (`warp_positions`).
    """
    ones = tf.ones([1, *(side - 2 * PADDING for side in pictures.shape[1:3]), 1], tf.uint8)
    return pictures * tf.pad(ones, [[0, 0], [PADDING, PADDING], [PADDING, PADDING], [0, 0]])


def plain_batch(faces: Tensor) -> Sampled:
    """The faces as they are: no transform, no warp."""
    cut = tf.cast(faces[:, PADDING:-PADDING, PADDING:-PADDING], tf.float32) / 255
    return Sampled(cut[..., :3], cut[..., :3], cut[..., 3:4], cut[..., 4:5])


def random_transforms(
    count: int, size: int, seed: Tensor, *, flip: bool, scale: float = USUAL_SCALE
) -> Tensor:
    """Random affine maps from output positions to positions in the face, `[B, 2, 3]`.

    The inverse of: rotate by up to 10 degrees and scale by `1 / (1 + scale)` to `1 + scale` about
    the middle, shift by up to 5 % of the size, then mirror (40 %).
    """
    drawn = tf.unstack(per_face(lambda n: tf.random.stateless_uniform([5, n], seed), count, 1))
    angle = (2 * drawn[0] - 1) * (_ROTATION_DEGREES * math.pi / 180)
    smallest, largest = 1 / (1 + scale), 1 + scale
    factor = smallest + drawn[1] * (largest - smallest)
    shift_x = (2 * drawn[2] - 1) * (_SHIFT * size)
    shift_y = (2 * drawn[3] - 1) * (_SHIFT * size)
    mirrored = tf.cast(drawn[4] < _FLIP_SHARE, tf.float32) if flip else tf.zeros_like(angle)
    return inverse_transforms(angle, factor, shift_x, shift_y, mirrored, size)


def inverse_transforms(
    angle: Tensor, scale: Tensor, shift_x: Tensor, shift_y: Tensor, mirrored: Tensor, size: int
) -> Tensor:
    """Maps from output to input positions for given transforms, each argument `[B]`.

    Forward: counter-clockwise rotation by `angle` and scaling about `size // 2`, shift, mirror.
    """
    center = float(size // 2)
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    # Output x runs backwards in mirrored pictures: x -> size - 1 - x.
    sign, offset = 1 - 2 * mirrored, mirrored * (size - 1)
    from_x, from_y = offset - center - shift_x, -center - shift_y
    row_x = [cos * sign, -sin, cos * from_x - sin * from_y + center]
    row_y = [sin * sign, cos, sin * from_x + cos * from_y + center]
    return tf.stack([tf.stack(row_x, axis=1), tf.stack(row_y, axis=1)], axis=1)


def affine_positions(matrices: Tensor, size: int) -> Tensor:
    """Where each output pixel comes from: `[B, 2, size, size]` (x, then y)."""
    steps = tf.range(size, dtype=tf.float32)
    x, y = steps[None, None, None, :], steps[None, None, :, None]
    m = matrices[:, :, :, None, None]
    return m[:, :, 0] * x + m[:, :, 1] * y + m[:, :, 2]


def random_grids(count: int, size: int, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Random warp grids: displacement `[B, 9, 9]` in pixels and cell size `[B]` in pixels.

    The cell is a half, a quarter or an eighth of the picture; the points inside of the frame move by
    0.24 cells times a normal value cut at 2.5 deviations, twice. `displacement[b, j, i]` moves x at
    row j and column i, and y at row i and column j: DFL's y map is the transpose of its x map.
    """
    seeds = tf.unstack(tf.random.split(seed, 2))
    choice = per_face(
        lambda n: tf.random.stateless_uniform([n], seeds[0], maxval=3, dtype=tf.int32), count
    )
    cell = tf.gather([size // 2, size // 4, size // 8], choice)
    limit = 0.5 * (1 + math.erf(_NORMAL_LIMIT / math.sqrt(2)))
    drawn = per_face(
        lambda n: tf.random.stateless_uniform([2, n, _GRID, _GRID], seeds[1], 1 - limit, limit),
        count,
        axis=1,
    )
    noise = tf.math.ndtri(drawn) / _NORMAL_LIMIT
    return grid_displacement(noise[0], noise[1], cell, size), tf.cast(cell, tf.float32)


def grid_displacement(first: Tensor, second: Tensor, cell: Tensor, size: int) -> Tensor:
    """Displacement of the grid points from noise in -1..1 (see `random_grids`).

    Args:
        first: `[B, 9, 9]`; noise for row j and column i.
        second: `[B, 9, 9]`; used transposed.
        cell: `[B]` int32, pixels.
        size: Side of the picture.
    """
    points = size // cell + 1
    index = tf.range(_GRID)
    inner = tf.logical_and(index[None] >= 1, index[None] < (points - 1)[:, None])
    inside = tf.logical_and(inner[:, :, None], inner[:, None, :])
    amplitude = _WARP_STRENGTH * tf.cast(cell, tf.float32)[:, None, None]
    noise = amplitude * (first + tf.transpose(second, [0, 2, 1]))
    return tf.where(inside, noise, 0.0)


def warp_positions(positions: Tensor, grids: tuple[Tensor, Tensor], size: int) -> Tensor:
    """Send positions in the warped face on to positions in the face.

    DFL blows the grid up bilinearly around pixel centres, which also moves the whole picture by half
    a pixel; kept, so that models trained there see the same.

    Args:
        positions: `[B, 2, R, R]`.
        grids: From `random_grids`.
        size: Side of the picture.
    """
    displacement, cell = grids
    inside = tf.clip_by_value(positions, 0.0, size - 1.0)
    scaled = (inside + 0.5) / cell[:, None, None, None]
    points = tf.range(_GRID, dtype=tf.float32)
    # Bilinear weights of all grid points: hats of width one.
    hats = tf.nn.relu(1 - tf.abs(scaled[..., None] - points))  # [B, 2, R, R, 9]
    hat_x, hat_y = hats[:, 0], hats[:, 1]
    count, grid = tf.shape(positions)[0], _GRID
    both = tf.concat([tf.transpose(displacement, [0, 2, 1]), displacement], axis=2)  # [B, 9, 18]
    rows = tf.linalg.matmul(tf.reshape(hat_x, [count, -1, grid]), both)
    rows = tf.reshape(rows, [count, size, size, 2, grid])
    moved = tf.reduce_sum(rows * hat_y[:, :, :, None], axis=4)  # [B, R, R, 2]
    return inside + 0.5 + tf.transpose(moved, [0, 3, 1, 2])


def resample(faces: Tensor, positions: Tensor, *, cubic: int = 3) -> Tensor:
    """Look faces up at positions: pictures by cubic, masks by linear interpolation.

    Args:
        faces: `[B, R + 6, R + 6, C]` in 0..255, channels 0..2 a picture, the others masks.
        positions: `[B, 2, R, R]`, pixels of the face without padding. Positions outside meet the
            padding: the repeated edge for pictures, zero for masks.
        cubic: How many channels are interpolated by cubics; the others linearly.

    Returns:
        `[B, R, R, C]` float32; about 0..1 (cubic interpolation overshoots a little).
    """
    count, padded, _, channels = faces.shape
    size = padded - 2 * PADDING
    inside = tf.clip_by_value(positions, -1.0, float(size))
    corner = tf.floor(inside)
    part = inside - corner
    first = tf.cast(corner, tf.int32) + (PADDING - 1)  # first of the four neighbours, padded pixels
    # Four neighbours in a row are one record, so a pixel takes four look-ups instead of sixteen.
    starts = padded - 3
    records = tf.concat([faces[:, :, k : k + starts] for k in range(4)], axis=3)
    records = tf.reshape(records, [-1, 4 * channels])
    face_index = tf.range(count)[:, None, None] * padded
    index = (face_index + first[:, 1]) * starts + first[:, 0]
    weights_x = _interpolation_weights(part[:, 0], channels, cubic)
    weights_y = _interpolation_weights(part[:, 1], channels, cubic)
    rows: list[Tensor] = []
    for k in range(4):
        values = tf.cast(tf.gather(records, index + k * starts), tf.float32)
        parts = tf.split(values, 4, axis=3)
        row = tf.add_n([value * weight for value, weight in zip(parts, weights_x, strict=True)])
        rows.append(row * weights_y[k])
    return tf.add_n(rows) / 255


def _interpolation_weights(t: Tensor, channels: int, n_cubic: int) -> list[Tensor]:
    """Weights of four neighbours, each `[B, R, R, channels]`: some cubic, the others linear.

    `t` `[B, R, R]` is the share of the way from the second neighbour to the third.
    """
    a = _CUBIC_A
    near, far = 1 - t, t
    cubic = [
        ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
        ((a + 2) * far - (a + 3)) * far * far + 1,
        ((a + 2) * near - (a + 3)) * near * near + 1,
    ]
    cubic.append(1 - cubic[0] - cubic[1] - cubic[2])
    linear = [tf.zeros_like(t), near, far, tf.zeros_like(t)]
    masks = channels - n_cubic
    pairs = zip(cubic, linear, strict=True)
    return [tf.stack(n_cubic * [c] + masks * [m], axis=3) for c, m in pairs]


def shift_colors(pictures: Tensor, seed: Tensor, power: float) -> Tensor:
    """Turn hue and move saturation and value of each picture at random.

    DFL interoperability notes, section 6.1: hue by a whole number of degrees in +-trunc(180 power),
    saturation and value by +-power / 2.

    Args:
        pictures: `[B, R, R, 3]` BGR in 0..1.
        seed: Two integers.
        power: 0..0.3.
    """
    count = pictures.shape[0]
    seeds = tf.unstack(tf.random.split(seed, 2))
    reach = max(1, int(180 * power))
    degrees = per_face(
        lambda n: tf.random.stateless_uniform([n], seeds[0], -reach, reach + 1, dtype=tf.int32),
        count,
    )
    drawn = per_face(lambda n: tf.random.stateless_uniform([2, n], seeds[1]), count, axis=1)
    moves = (drawn - 0.5) * power
    return move_colors(pictures, tf.cast(degrees, tf.float32), moves[0], moves[1])


def move_colors(pictures: Tensor, degrees: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Pictures `[B, R, R, 3]`, BGR, with hue turned and saturation and value moved, each `[B]`."""
    hsv = tf.image.rgb_to_hsv(pictures[..., ::-1])
    hue = hsv[..., 0] + degrees[:, None, None] / 360
    hue -= tf.floor(hue)
    full = tf.clip_by_value(hsv[..., 1] + saturation[:, None, None], 0.0, 1.0)
    bright = tf.clip_by_value(hsv[..., 2] + value[:, None, None], 0.0, 1.0)
    shifted = tf.image.hsv_to_rgb(tf.stack([hue, full, bright], axis=3))
    return tf.clip_by_value(shifted[..., ::-1], 0.0, 1.0)
