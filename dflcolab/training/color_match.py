"""Give src faces the colors of dst faces, a batch at a time, in the graph.

The methods are those of `imaging.color_transfer` and two more, named as in DeepFaceLab
(interoperability notes, sections 6.1 and 7). What they need of a face is measured once, when it is
loaded; a step costs one pass over the pixels:

- `rct`, `lct`, `mkl`: an affine map of Lab or BGR colors, from the moments of both pictures.
- `idt`: 20 rounds on 1,024 pixels of each picture and on the nodes of a color cube, which is looked
  up for the other pixels. Histograms have 64 bins.
- `sot`: 10 steps of 5 directions on 1,024 pixels of each picture. DFL smooths the change over
  about 20 pixels, so it is known on a grid of 32 x 32 pixels as well.

So `idt` and `sot` cost the same at every resolution, but for the last pass.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Tensor
from dflcolab.backend import fused, per_face, tf
from dflcolab.imaging.color_transfer import (
    Moments,
    color_moments,
    linear_map,
    monge_kantorovich_map,
    reinhard_map,
)
from dflcolab.models.kinds import SwapModelOptions
from dflcolab.models.options import ColorTransfer
from dflcolab.training.augment import PADDING
from dflcolab.training.lab_colors import bgr_from_bytes, bgr_from_lab, lab_from_bytes, lab_of

GRID = 32
"""Pixels per side that stand for a picture in `idt` and `sot`."""

_ROUNDS, _BINS, _NODES = 20, 64, 17  # of idt
_STEPS, _DIRECTIONS = 10, 5  # of sot
# DFL's bilateral filter ends at 1.5 deviations of 16 pixels, in a circle; its range weights are
# all about 1. A normal curve of the same variance takes its place: 16 * sqrt(0.459).
_SMOOTHING = 10.84
_MAPS = {
    ColorTransfer.RCT: reinhard_map,
    ColorTransfer.LCT: linear_map,
    ColorTransfer.MKL: monge_kantorovich_map,
}


def transfers_colors(options: SwapModelOptions) -> bool:
    """True where src faces take over colors; never in pretraining, where both sides are one."""
    return options.ct_mode is not ColorTransfer.NONE and not options.pretrain


@dataclass(frozen=True)
class FaceColors:
    """What color transfer needs to know of faces.

    Attributes:
        own: Moments of the crops that the model learns from, `[N, 6, 3]` float32: mean and
            standard deviation in Lab, mean and covariance (three rows) in BGR.
        look: The same of the whole aligned pictures.
        points: 32 x 32 pixels of each whole aligned picture, `[N, 32, 32, 3]` uint8.
    """

    own: npt.NDArray[np.float32]
    look: npt.NDArray[np.float32]
    points: npt.NDArray[np.uint8]


def moments_of(picture: Image) -> npt.NDArray[np.float32]:
    """One entry of `FaceColors.own`, `[6, 3]`."""
    lab = lab_of(picture)
    mean, covariance = color_moments(picture.astype(np.float32) / np.float32(255))
    rows = [*(np.ravel(part) for part in cv2.meanStdDev(lab)), mean]
    return np.concatenate([rows, covariance]).astype(np.float32)


def points_of(picture: Image) -> Image:
    """32 x 32 pixels spread evenly over a picture, `[32, 32, 3]` uint8."""
    rows, columns = (_grid_places(side) for side in picture.shape[:2])
    return picture[rows][:, columns]


def color_change(
    mode: ColorTransfer,
    src: FaceColors,
    src_indices: npt.NDArray[np.int64],
    dst: FaceColors,
    dst_indices: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32] | npt.NDArray[np.uint8]:
    """What `match_colors` needs to give src faces the colors of dst faces.

    Returns:
        Affine maps `[B, 3, 4]` float32 for rct (of Lab colors), lct and mkl (of BGR colors);
        pixels to match `[B, 32, 32, 3]` uint8 for idt and sot.
    """
    if mode not in _MAPS:
        return dst.points[dst_indices]
    own, look = src.own[src_indices], dst.look[dst_indices]
    return _MAPS[mode](_moments(mode, own), _moments(mode, look)).astype(np.float32)


def _moments(mode: ColorTransfer, entries: npt.NDArray[np.float32]) -> Moments:
    wide = entries.astype(np.float64)
    return (wide[:, 0], wide[:, 1]) if mode is ColorTransfer.RCT else (wide[:, 2], wide[:, 3:])


def match_colors(mode: ColorTransfer, faces: Tensor, change: Tensor, seed: Tensor) -> Tensor:
    """The faces in other colors; masks stay.

    Args:
        mode: Any but none.
        faces: `[B, R + 6, R + 6, 5]` uint8, as `sample_batch` takes them.
        change: From `color_change`.
        seed: Two integers, for idt and sot.
    """
    if mode in _MAPS:
        changed = (_map_lab if mode is ColorTransfer.RCT else _map_bgr)(faces, change)
    else:
        points = tf.stack([_points(faces), tf.cast(change, tf.float32) / 255])
        points = tf.reshape(points, [2, -1, GRID * GRID, 3])
        if mode is ColorTransfer.IDT:
            changed = _look_up(faces, _distribution_cube(points[0], points[1], seed))
        else:
            changed = _add_smooth(faces, _transport(points[0], points[1], seed))
    return tf.concat([changed, faces[..., 3:]], axis=3)


def _to_bytes(pictures: Tensor) -> Tensor:
    return tf.cast(tf.clip_by_value(pictures * 255 + 0.5, 0.0, 255.0), tf.uint8)


@fused
def _map_lab(faces: Tensor, change: Tensor) -> Tensor:
    lab = _affine(lab_from_bytes(faces[..., :3]), change)
    lab = tf.clip_by_value(lab, [0.0, -127.0, -127.0], [100.0, 127.0, 127.0])
    return _to_bytes(bgr_from_lab(lab))


@fused
def _map_bgr(faces: Tensor, change: Tensor) -> Tensor:
    return _to_bytes(_affine(bgr_from_bytes(faces[..., :3]), change))


def _affine(colors: Tensor, change: Tensor) -> Tensor:
    """Every color `c` of `[B, H, W, 3]` becomes `change (c, 1)`."""
    rows = change[:, None, None]  # [B, 1, 1, 3, 4]
    parts = [colors[..., i : i + 1] * rows[..., i] for i in range(3)]
    return tf.add_n(parts) + rows[..., 3]


def _grid_places(side: int) -> npt.NDArray[np.int64]:
    return ((np.arange(GRID) + 0.5) * side / GRID).astype(np.int64)


def _points(faces: Tensor) -> Tensor:
    """32 x 32 pixels of each face, `[B, 32, 32, 3]` float32."""
    places = _grid_places(faces.shape[1] - 2 * PADDING) + PADDING
    picked = tf.gather(tf.gather(faces[..., :3], places, axis=1), places, axis=2)
    return tf.cast(picked, tf.float32) / 255


# Iterative distribution transfer (idt)


def _distribution_cube(source: Tensor, target: Tensor, seed: Tensor) -> Tensor:
    """Where the nodes of the color cube go, `[B, 17, 17, 17, 3]`; points are `[B, P, 3]`."""
    count, n_points = source.shape[0], source.shape[1]
    steps = tf.linspace(0.0, 1.0, _NODES)
    nodes = tf.stack(tf.meshgrid(steps, steps, steps, indexing="ij"), axis=3)
    nodes = tf.tile(tf.reshape(nodes, [1, -1, 3]), [count, 1, 1])
    rotations = _rotations(_ROUNDS, count, seed)

    def one_round(index: Tensor, moving: Tensor) -> tuple[Tensor, Tensor]:
        rotation = rotations[index]
        projected = tf.matmul(rotation, moving, transpose_b=True)  # [B, 3, P + nodes]
        aim = tf.matmul(rotation, target, transpose_b=True)
        moved = _match_histograms(projected, aim, n_points) - projected
        return index + 1, moving + tf.matmul(moved, rotation, transpose_a=True) / _ROUNDS

    moving = tf.concat([source, nodes], axis=1)
    _, moving = tf.while_loop(  # pyright: ignore[reportCallIssue]
        lambda index, _: index < _ROUNDS, one_round, (0, moving)
    )
    return tf.reshape(moving[:, n_points:], [count, _NODES, _NODES, _NODES, 3])


def _rotations(rounds: int, count: int, seed: Tensor) -> Tensor:
    """Rotations `[rounds, B, 3, 3]`, evenly over all: unit quaternions of any direction."""
    drawn = per_face(lambda n: tf.random.stateless_normal([4, rounds, n], seed), count, axis=2)
    w, x, y, z = tf.unstack(drawn / tf.norm(drawn, axis=0))
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return tf.stack([tf.stack(row, axis=2) for row in rows], axis=2)


def _match_histograms(values: Tensor, target: Tensor, n_points: int) -> Tensor:
    """Values moved so that the first `n_points` are distributed as the target's.

    DFL pulls values below the first upper bin edge to 0, an oversight that touches very few; here
    values beyond the edges move as the edge does.

    Args:
        values: `[B, 3, V]`; the first ones count for the histogram.
        target: `[B, 3, P]`.
        n_points: How many count.
    """
    counted = values[..., :n_points]
    both = tf.concat([counted, target], axis=2)
    low = tf.reduce_min(both, axis=2, keepdims=True)
    width = tf.maximum(tf.reduce_max(both, axis=2, keepdims=True) - low, 1e-6) / _BINS
    shares = [_cumulative((part - low) / width) for part in (counted, target)]
    edges = low + width * tf.range(1.0, _BINS + 1, 1.0)
    moves = _interpolate(*shares, edges) - edges  # at the upper edges, [B, 3, bins]  # pyright: ignore[reportCallIssue]
    position = tf.clip_by_value((values - low) / width - 1, 0.0, _BINS - 1.0)
    index = tf.minimum(tf.cast(position, tf.int32), _BINS - 2)
    part = position - tf.cast(index, tf.float32)
    pairs = tf.stack([moves[..., :-1], moves[..., 1:]], axis=3)
    ends = tf.gather(pairs, index, batch_dims=2)
    return values + ends[..., 0] + (ends[..., 1] - ends[..., 0]) * part


def _cumulative(positions: Tensor) -> Tensor:
    """Share of values up to the end of each bin, `[B, 3, bins]`; positions count bins."""
    count, axes, n_points = positions.shape
    bins = tf.minimum(tf.cast(positions, tf.int32), _BINS - 1)
    places = bins + _BINS * tf.reshape(tf.range(count * axes), [count, axes, 1])
    ones = tf.ones([count * axes * n_points])
    counts = tf.math.unsorted_segment_sum(ones, tf.reshape(places, [-1]), count * axes * _BINS)
    return tf.cumsum(tf.reshape(counts, [count, axes, _BINS]), axis=2) / n_points


def _interpolate(wanted: Tensor, shares: Tensor, edges: Tensor) -> Tensor:
    """The edges at which `shares` reach the wanted ones, between two of them by a straight line."""
    above = tf.searchsorted(
        tf.reshape(shares, [-1, _BINS]), tf.reshape(wanted, [-1, _BINS]), side="right"
    )
    upper = tf.clip_by_value(tf.reshape(above, wanted.shape), 1, _BINS - 1)
    ends = tf.stack([shares, edges], axis=3)
    left, right = tf.gather(ends, upper - 1, batch_dims=2), tf.gather(ends, upper, batch_dims=2)
    rise = right[..., 0] - left[..., 0]
    part = tf.clip_by_value(tf.math.divide_no_nan(wanted - left[..., 0], rise), 0.0, 1.0)
    # Where several bins are empty at the end, the first that reaches the share counts.
    part = tf.where(rise > 0, part, 1.0)
    return left[..., 1] + (right[..., 1] - left[..., 1]) * part


@fused
def _look_up(faces: Tensor, cube: Tensor) -> Tensor:
    """Every color of the faces replaced by what the cube says, eight nodes mixed linearly."""
    count = faces.shape[0]
    position = tf.cast(faces[..., :3], tf.float32) * ((_NODES - 1) / 255)
    index = tf.minimum(tf.cast(position, tf.int32), _NODES - 2)
    part = position - tf.cast(index, tf.float32)
    place = (index[..., 0] * _NODES + index[..., 1]) * _NODES + index[..., 2]
    place += tf.reshape(tf.range(count) * _NODES**3, [count, 1, 1])
    flat = tf.reshape(cube, [-1, 3])
    weights = [tf.stack([1 - part[..., i], part[..., i]]) for i in range(3)]
    mixed: list[Tensor] = []
    for corner in range(8):
        a, b, c = corner >> 2, corner >> 1 & 1, corner & 1
        values = tf.gather(flat, place + (a * _NODES + b) * _NODES + c)
        mixed.append(values * (weights[0][a] * weights[1][b] * weights[2][c])[..., None])
    return _to_bytes(tf.add_n(mixed))


# Sliced optimal transport (sot)


def _transport(source: Tensor, target: Tensor, seed: Tensor) -> Tensor:
    """How far the source points move, `[B, P, 3]`; points are `[B, P, 3]`."""
    count, n_points, _ = source.shape
    drawn = per_face(
        lambda n: tf.random.stateless_normal([_STEPS, n, _DIRECTIONS, 3], seed), count, axis=1
    )
    directions = drawn / tf.norm(drawn, axis=3, keepdims=True)
    n_lines = count * _DIRECTIONS
    starts = n_points * tf.reshape(tf.range(n_lines), [count, _DIRECTIONS, 1])

    def one_step(index: Tensor, moving: Tensor) -> tuple[Tensor, Tensor]:
        lines = directions[index]
        aim = tf.sort(tf.matmul(lines, target, transpose_b=True))  # [B, directions, P]
        ordered, order = tf.math.top_k(-tf.matmul(lines, moving, transpose_b=True), n_points)
        # The move of each rank goes back to the point of that rank.
        moves = tf.math.unsorted_segment_sum(
            tf.reshape(aim + ordered, [-1]), tf.reshape(order + starts, [-1]), n_lines * n_points
        )
        moves = tf.reshape(moves, [count, _DIRECTIONS, n_points])
        return index + 1, moving + tf.matmul(moves, lines, transpose_a=True) / _DIRECTIONS

    _, moved = tf.while_loop(lambda index, _: index < _STEPS, one_step, (0, source))
    return moved - source


def _add_smooth(faces: Tensor, change: Tensor) -> Tensor:
    """Faces moved by the smoothed change of their grid points."""
    size = faces.shape[1] - 2 * PADDING
    spread = tf.constant(_smoothing(size))
    field = tf.reshape(change, [-1, GRID, GRID, 3])
    field = tf.einsum("yj,bjic->byic", spread, field)
    field = tf.einsum("xi,byic->byxc", spread, field)
    return _to_bytes(tf.cast(faces[..., :3], tf.float32) / 255 + field)


@functools.cache
def _smoothing(size: int) -> npt.NDArray[np.float32]:
    """From 32 grid points to the smoothed values of all padded pixels, `[R + 6, 32]`.

    Points are mirrored at the border, as DFL's filter does; the padding repeats the edge.
    """
    pixels = np.clip(np.arange(-PADDING, size + PADDING), 0, size - 1)
    reach = int(np.ceil(4 * _SMOOTHING))
    places = _grid_places(size)
    mirrored = np.concatenate([-places, places, 2 * (size - 1) - places])
    distance = (pixels[:, None] - mirrored[None]) / _SMOOTHING
    weights = np.where(np.abs(distance) * _SMOOTHING <= reach, np.exp(-0.5 * distance**2), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.reshape(-1, 3, GRID).sum(axis=1).astype(np.float32)


def reference_picture(picture: Image, resolution: int) -> Image:
    """An aligned picture as DFL takes colors from it: resized, but not cropped otherwise."""
    if picture.shape[:2] == (resolution, resolution):
        return picture
    side = (resolution, resolution)
    return cv2.resize(picture, side, interpolation=cv2.INTER_LINEAR)  # pyright: ignore[reportReturnType]
