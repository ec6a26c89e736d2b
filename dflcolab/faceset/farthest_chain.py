# pyright: strict
"""The chain of `absdiff` to the least similar face: each face followed by the farthest of the rest.

Distances to a few dozen pivots tell how far each face can be at most (`pivot_limits`). The few
faces whose limit reaches the largest distance known so far are compared (`farthest_race`). The
order is that of comparing every pair. Each core has a part of the faces (`farthest_part`), in a
process of its own: a step is hundreds of short calls, and threads would wait for each other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial

import numpy as np

from dflcolab.arrays import Image
from dflcolab.faceset.farthest_part import OtherCore, Part
from dflcolab.faceset.farthest_race import Best
from dflcolab.faceset.pivot_limits import AreaLayout, Bytes, Indices, Limits, Pivots
from dflcolab.imaging.one_thread import one_opencv_thread

_SMALL = 256
"""For so few faces no new pivots are made, and no process of their own is started."""

Farthest = Callable[[int, Limits], tuple[int, Limits]]
"""Index of the picture that follows one with an index and distances to pivots; its distances."""


class FarthestChain:
    """Pictures to be chained.

    Args:
        layout: How they are stored.
        samples: `[N, layout.n_areas, layout.n_samples]`, uint8, filled by `put`; may be mapped from
            a file.
    """

    def __init__(self, layout: AreaLayout, samples: Bytes) -> None:
        self._layout, self._samples = layout, samples
        self._best = Best()
        # Elsewhere a process cannot see what is in the memory of another one.
        self._cores = (os.cpu_count() or 1) if sys.platform == "linux" else 1

    def put(self, index: int, picture: Image) -> None:
        """Take in a picture of the common size; safe to call from several threads."""
        self._layout.store(picture, self._samples[index])

    def order(
        self, indices: Sequence[int], *, step: Callable[[], None] = lambda: None
    ) -> list[int]:
        """The chain of some pictures, beginning with the first of them.

        Of equally far ones the one with the lowest index comes first.

        Args:
            indices: Which pictures; all of them were `put`.
            step: Called after every face that found its place.

        Raises:
            FacesetError: A process that does a part of the work was ended from outside.
        """
        found, rest = list(indices[:1]), np.array(indices[1:], dtype=np.intp)
        with one_opencv_thread():
            while len(rest):
                # Pivots suit the pictures of which they were made.
                pivots = Pivots(self._samples, rest)
                row = pivots.distances(np.array(found[-1:]))[:, 0]
                with self._parts(pivots, rest) as farthest:
                    for _ in range(len(rest) if len(rest) <= _SMALL else len(rest) // 2):
                        index, row = farthest(found[-1], row)
                        found.append(index)
                        step()
                rest = np.setdiff1d(rest, found)
        return found

    @contextmanager
    def _parts(self, pivots: Pivots, rest: Indices) -> Generator[Farthest]:
        """The pictures without a place, spread over the cores."""
        count = max(1, min(self._cores, len(rest) // _SMALL))
        # Neighbors are alike: each core gets some of them.
        makers = [
            partial(Part, self._samples, rest[first::count], pivots, self._best)
            for first in range(count)
        ]
        with ExitStack() as stack:
            others = [stack.enter_context(closing(OtherCore(make))) for make in makers[1:]]
            own = makers[0]()

            def farthest(here: int, row: Limits) -> tuple[int, Limits]:
                self._best.start()
                for other in others:
                    other.ask(here, row)
                answers = [own.farthest(here, row), *(other.answer() for other in others)]
                _, minus, its_row = max(answers, key=lambda answer: answer[:2])
                return -minus, its_row

            yield farthest
