# pyright: strict
"""Iterative distribution transfer: the whole color distribution of one picture given to another.

DeepFaceLab's `idt` (interoperability notes, section 7), after Pitié, Kokaram and Dahyot, "Automated
colour grading using colour distribution transfer" (2007): both clouds of colors are turned at
random, each axis of the first is given the histogram of the second by a twentieth, and so 20 times.

Where a color goes depends on the color alone. So the rounds are done on a sample of each picture
and on the nodes of a color cube, which then says where all other pixels go: the time hardly grows
with the picture. The rotations are the same in every call, so a video does not flicker by them.
`training.color_match` does the same in the graph, on fewer points.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Mask
from dflcolab.imaging.sampling import masked, spread_pixels

_ROUNDS = 20
_BINS = 128
_SIDE = 64
"""Rows and columns of the sample: 4,096 pixels of each picture."""
_NODES = 17

Points = npt.NDArray[np.float32]
"""Colors `[P, 3]`."""


def distribution_transfer(
    source: FloatImage,
    target: FloatImage,
    *,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
) -> FloatImage:
    """The source with (nearly) the target's distribution of colors; 64 % of the way, as in DFL.

    DeepFaceLab pulls values below the first bin of a histogram to its start, an oversight that touches
    very few pixels; here they move as their neighbors do.

    Args:
        source: The picture to change, `[H, W, 3]` BGR in 0..1.
        target: The picture whose colors are wanted; any size.
        source_mask: `[H, W, 1]`; pixels below 0.5 count as black. All pixels are changed.
        target_mask: The same for `target`.
    """
    cube = _cube(
        spread_pixels(masked(source, source_mask), _SIDE, _SIDE).reshape(-1, 3),
        spread_pixels(masked(target, target_mask), _SIDE, _SIDE).reshape(-1, 3),
    )
    return np.clip(_look_up(source, cube), np.float32(0.0), np.float32(1.0))


@functools.cache
def _rotations() -> npt.NDArray[np.float32]:
    """`[20, 3, 3]`, drawn evenly from all rotations, always the same."""
    drawn = np.random.default_rng(5).normal(size=(_ROUNDS, 3, 3))
    axes, upper = np.linalg.qr(drawn)
    # Evenly over all orthogonal matrices with these signs (Mezzadri 2007); the determinant turns
    # reflections into rotations.
    axes = axes * np.sign(np.diagonal(upper, axis1=1, axis2=2))[:, None, :]
    return (axes * np.linalg.det(axes)[:, None, None]).astype(np.float32)


@functools.cache
def _nodes() -> Points:
    """Colors of the cube's nodes, blue slowest, `[17 ** 3, 3]`."""
    steps = np.linspace(0.0, 1.0, _NODES, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=3).reshape(-1, 3)


def _cube(source: Points, target: Points) -> Points:
    """Where the nodes go, `[17 ** 3, 3]`."""
    count = len(source)
    moving = np.concatenate([source, _nodes()])
    for rotation in _rotations():
        turned, aim = rotation @ moving.T, rotation @ target.T  # [3, P + nodes], [3, P]
        moves = np.stack([_moves(turned[i], aim[i], count) for i in range(3)])
        moving += moves.T @ rotation / np.float32(_ROUNDS)
    return moving[count:]


def _moves(
    values: npt.NDArray[np.float32], target: npt.NDArray[np.float32], count: int
) -> npt.NDArray[np.float32]:
    """How far values `[V]` move so that the first `count` get the target's histogram."""
    low = float(min(values[:count].min(), target.min()))
    width = max(float(max(values[:count].max(), target.max())) - low, 1e-6) / _BINS
    edges = low + width * np.arange(1, _BINS + 1)
    shares = [
        np.cumsum(np.bincount(_bins(part, low, width), minlength=_BINS)) / len(part)
        for part in (values[:count], target)
    ]
    at_edges = (np.interp(shares[0], shares[1], edges) - edges).astype(np.float32)
    place = np.clip((values - np.float32(low)) / np.float32(width) - 1, 0, _BINS - 1.001)
    index = place.astype(np.intp)
    part = (place - index).astype(np.float32)
    moves = at_edges[index] * (np.float32(1.0) - part) + at_edges[index + 1] * part
    return moves.astype(np.float32, copy=False)


def _bins(values: npt.NDArray[np.float32], low: float, width: float) -> npt.NDArray[np.intp]:
    places = (values - np.float32(low)) / np.float32(width)
    return np.minimum(places.astype(np.intp), _BINS - 1)


def _look_up(picture: FloatImage, cube: Points) -> FloatImage:
    """Every color replaced by what the cube says, eight nodes mixed linearly."""
    place = np.clip(picture, 0.0, 1.0).reshape(-1, 3) * np.float32(_NODES - 1)
    index = np.minimum(place.astype(np.int32), _NODES - 2)
    part = place - index
    first = (index[:, 0] * _NODES + index[:, 1]) * _NODES + index[:, 2]
    weights = [(1 - part[:, i], part[:, i]) for i in range(3)]
    found = np.zeros_like(place)
    for corner in range(8):
        b, g, r = corner >> 2, corner >> 1 & 1, corner & 1
        weight = weights[0][b] * weights[1][g] * weights[2][r]
        found += cube[first + (b * _NODES + g) * _NODES + r] * weight[:, None]
    return found.reshape(picture.shape)
