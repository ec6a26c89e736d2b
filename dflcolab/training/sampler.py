"""Which faces come next: shuffled rounds, as a pure function of seed and position.

Nothing but the position has to be saved for a resumed run to see the same faces in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_YAW_BINS = 128
_LARGEST_YAW = 1.2


class Sampler:
    """Draws faces in shuffled rounds, so that each comes up once per round.

    With `yaws`, rounds go over the filled yaw bins instead (DFL interoperability notes, section
    6.3): every head turn comes up equally often, and rare ones repeat.

    Args:
        count: Number of faces, at least 1.
        seed: Integers that name this stream.
        yaws: Yaw of each face in radians, or None.
    """

    def __init__(
        self, count: int, seed: Sequence[int], *, yaws: Sequence[float] | None = None
    ) -> None:
        self._seed = list(seed)
        self._bins = members_by_yaw(yaws) if yaws is not None else None
        self._round_length = len(self._bins) if self._bins else count
        self._orders: dict[tuple[int, ...], npt.NDArray[np.int64]] = {}

    def take(self, position: int, count: int) -> npt.NDArray[np.int64]:
        """Indices of the faces at `position`, `position + 1` … of the endless stream."""
        return np.array([self._at(position + i) for i in range(count)], np.int64)

    def _at(self, position: int) -> int:
        turn, place = divmod(position, self._round_length)
        picked = int(self._order((0, turn), self._round_length)[place])
        if self._bins is None:
            return picked
        members = self._bins[picked]
        inner_turn, inner_place = divmod(turn, len(members))
        return int(members[self._order((1, picked, inner_turn), len(members))[inner_place]])

    def _order(self, key: tuple[int, ...], length: int) -> npt.NDArray[np.int64]:
        """The shuffled order of one round, remembered while it is in use."""
        order = self._orders.get(key)
        if order is None:
            if len(self._orders) > 4 * _YAW_BINS:
                self._orders.clear()
            order = np.random.default_rng([*self._seed, *key]).permutation(length)
            self._orders[key] = order
        return order


def members_by_yaw(yaws: Sequence[float]) -> list[npt.NDArray[Any]]:
    """Indices per filled yaw bin; edges as DeepFaceLab's: 128 bins from -1.2 to 1.2 radians."""
    edges = np.linspace(-_LARGEST_YAW, _LARGEST_YAW, _YAW_BINS)
    # Half-open bins; the first is open below and the last open above.
    bins = np.clip(np.searchsorted(edges, -np.asarray(yaws, np.float64), "right") - 1, 0, None)
    return [np.flatnonzero(bins == i) for i in range(_YAW_BINS) if np.any(bins == i)]
