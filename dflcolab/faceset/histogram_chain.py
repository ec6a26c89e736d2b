# pyright: strict
"""The chain of `hist`: each face followed by the one whose colors resemble it most.

DFL interoperability notes, section 5.3. The order is DeepFaceLab's, also among equals, but most
faces are never compared in full: the roots of a histogram are a vector of length 1, the distance of
two histograms is that of their vectors (over the root of 2), and a few principal axes give a
distance that can only be too small. Only faces that this leaves in the race are compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

CHUNK = 20_000
"""Above this number DeepFaceLab chains the list piece by piece."""

_MOST_CHUNKS = 12
_AXES = 16
_SLACK = 4e-6
"""What float32 may add to a squared distance (of vectors of length 1)."""

_FIRST = 8
_FEW = 200

Roots = npt.NDArray[np.float64]


def histogram_chain(roots: Roots, *, step: Callable[[], None] = lambda: None) -> list[int]:
    """Order in which each face follows the one it resembles most, from the first one on.

    The nearest of the remaining faces swaps places with the next one, as in DeepFaceLab; the first
    of several equally near ones wins. More than 20,000 faces are cut into parts of that size (from
    240,000 faces on into 12 larger ones), chained one by one.

    Args:
        roots: `[N, C, 256]` from `sort_keys.histogram_roots`.
        step: Called after every face that found its place.

    Returns:
        Indices.
    """
    order: list[int] = []
    for part in chunks(len(roots)):
        order += [part.start + index for index in _chain(roots[part.start : part.stop], step)]
    return order


def chunks(count: int) -> list[range]:
    """The parts in which a list is chained."""
    size = max(CHUNK, -(-count // _MOST_CHUNKS))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def pair_distances(one: Roots, others: Roots) -> npt.NDArray[np.float64]:
    """`[M]`: exact distances of one face `[C, 256]` to others `[M, C, 256]`.

    The result of a pair does not depend on the others it is computed with.
    """
    return np.sqrt(np.maximum(1.0 - (others * one).sum(axis=2), 0.0)).sum(axis=1)


def _chain(roots: Roots, step: Callable[[], None]) -> list[int]:
    order = np.arange(len(roots))
    table, lengths = _projected(roots)  # [C, N, K], [C, N], both in the order found so far
    for place in range(len(roots) - 2):
        rest = place + 1
        squared = np.matmul(table[:, rest:], table[:, place, :, None])[..., 0]
        squared *= -2.0
        squared += lengths[:, rest:]
        squared += lengths[:, place, None] - np.float32(_SLACK)
        least = np.sqrt(np.maximum(squared, 0.0, out=squared), out=squared).sum(axis=0)
        least *= np.float32(np.sqrt(0.5))
        nearest = rest + _nearest(roots, order[place], order[rest:], least)
        order[rest], order[nearest] = order[nearest], order[rest]
        for array in (lengths, table):
            array[:, [rest, nearest]] = array[:, [nearest, rest]]
        step()
    return order.tolist()


def _nearest(
    roots: Roots, here: np.intp, rest: npt.NDArray[np.intp], least: npt.NDArray[np.float32]
) -> int:
    """Place in `rest` of the nearest face; `least` are distances that are never too large."""
    few = min(_FIRST, len(rest))
    first = np.argpartition(least, few - 1)[:few]
    best = float(pair_distances(roots[here], roots[rest[first]]).min())
    # In order of places, so that the first of several equal ones is found.
    close = np.flatnonzero(least <= best + 1e-6)
    return int(close[int(np.argmin(pair_distances(roots[here], roots[rest[close]])))])


def _projected(roots: Roots) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Coordinates along the main axes of each channel, and their squared lengths.

    The last coordinate is the length of what the axes leave out: the difference of two such
    lengths is again at most the distance.
    """
    count, channels, _ = roots.shape
    if count <= _FEW:  # finding the axes would take longer than it saves
        table = np.ascontiguousarray(roots.transpose(1, 0, 2), dtype=np.float32)
        return table, np.square(table).sum(axis=2)
    sample = roots[:: max(1, count // 2000)]
    tables: list[npt.NDArray[np.float64]] = []
    for channel in range(channels):
        middle = sample[:, channel].mean(axis=0)
        centred = roots[:, channel] - middle
        part = sample[:, channel] - middle
        _, axes = np.linalg.eigh(part.T @ part)
        along = centred @ axes[:, -_AXES:]
        left = np.square(centred).sum(axis=1) - np.square(along).sum(axis=1)
        tables.append(np.column_stack([along, np.sqrt(np.maximum(left, 0.0))]))
    table = np.ascontiguousarray(np.stack(tables), dtype=np.float32)
    return table, np.square(table).sum(axis=2)
