# pyright: strict
"""Values in time smoothed without lag: a small curve is fitted around every moment.

Local weighted regression (Cleveland 1979, without its robust rounds): a parabola through the
neighbors on both sides, the near ones counting more. What moves evenly or speeds up evenly stays as it
is, in place and in time; what trembles around such a path is evened out. With neighbors at even
distances this is a Savitzky-Golay filter with weights.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Array

Floats = npt.NDArray[np.float64]

_FOR_A_PARABOLA = 5
_FOR_A_LINE = 3


def smoothed(moments: Array, values: Array, place: int, radius: int) -> Floats:
    """The value of a series at one of its moments.

    Args:
        moments: `[N]`, rising whole numbers.
        values: `[N, D]`, what was measured then.
        place: Which moment.
        radius: Neighbors up to that distance count; 0 gives the value itself.

    Returns:
        `[D]`. Depends on nothing outside of the radius.
    """
    here = int(moments[place])
    first = int(np.searchsorted(moments, here - radius, "left"))
    behind = int(np.searchsorted(moments, here + radius, "right"))
    distances: list[int] = (moments[first:behind] - here).tolist()
    offsets = tuple(distances)
    return fit_weights(offsets, radius) @ values[first:behind].astype(np.float64)


@functools.lru_cache(maxsize=4096)
def fit_weights(offsets: tuple[int, ...], radius: int) -> Floats:
    """What each neighbor contributes to the fitted value; sums to 1.

    Args:
        offsets: Distances of the neighbors in time, 0 among them.
        radius: The largest distance that counts.
    """
    order = 2 if len(offsets) >= _FOR_A_PARABOLA else 1 if len(offsets) >= _FOR_A_LINE else 0
    if order == 0:  # too few to tell a path from trembling
        return np.array([float(offset == 0) for offset in offsets])
    distance = np.array(offsets, np.float64)
    design = np.vander(distance, order + 1, increasing=True)
    weighted = design * near_weights(offsets, radius)[:, None]
    return np.linalg.solve(design.T @ weighted, weighted.T)[0]


def near_weights(offsets: tuple[int, ...], radius: int) -> Floats:
    """Weights that fall with the distance and reach zero behind the radius (tricube)."""
    share = np.abs(np.array(offsets, np.float64)) / (radius + 1)
    return (1 - np.minimum(share, 1) ** 3) ** 3
