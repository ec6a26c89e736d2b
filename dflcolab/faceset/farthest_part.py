# pyright: strict
"""A core's part of the pictures that `farthest_chain` chains, here or in a process of its own."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from dflcolab.errors import FacesetError
from dflcolab.faceset.farthest_race import Best, Race
from dflcolab.faceset.pivot_limits import Bytes, Indices, Limits, PivotLimits, Pivots

_FIRST = 32
"""Pictures by whose limits the leaders are chosen."""

_LEADERS = 2
"""Pictures that are compared in full: how far the farthest is at least."""

_PIVOTS = (8, 16)
"""After so many pivots pictures may be left out."""

Found = tuple[int, int, Limits]
"""Distance and negative index of the farthest picture, and its distances to all pivots."""


class Part:
    """Some of the pictures that have no place yet.

    Args:
        samples: `[N, areas, samples]`, uint8, of all pictures.
        rest: Indices of these.
        pivots: Suit them.
        best: Shared by all parts.
    """

    def __init__(self, samples: Bytes, rest: Indices, pivots: Pivots, best: Best) -> None:
        self._samples, self._unit, self._best = samples, pivots.unit, best
        self._rest = rest.copy()
        self._limits = PivotLimits(pivots, rest)

    def farthest(self, here: int, row: Limits) -> Found:
        """The farthest of these pictures from another one, which is removed if it is one of them.

        A part that has not the farthest of all may return something nearer instead.

        Args:
            here: Index of the other one.
            row: Its distances to all pivots.
        """
        for place in np.flatnonzero(self._rest == here):
            # The last one takes the free place: nothing else moves.
            self._limits.remove(int(place))
            self._rest[place] = self._rest[-1]
            self._rest = self._rest[:-1]
        if not len(self._rest):
            return -1, 0, row
        places, distances = self._compared(Race(self._samples, here, self._unit, self._best), row)
        largest = int(distances.max())
        winners = places[distances == largest]
        winner = int(winners[np.argmin(self._rest[winners])])
        return largest, -int(self._rest[winner]), self._limits.row(winner)

    def _compared(self, race: Race, row: Limits) -> tuple[Indices, npt.NDArray[np.int64]]:
        """Places and distances of the pictures that were compared."""
        quick = self._limits.of_pictures(row)
        first = _largest(quick, _FIRST)
        close, pivots = self._limits.by_use(row, first)
        leaders = _largest(close.sum(axis=1), _LEADERS)
        lead = race.lead(self._rest[first[leaders]], close[leaders])

        far = quick >= race.least
        far[first[leaders]] = False
        places = np.flatnonzero(far)
        close = np.full((len(places), row.shape[1]), np.iinfo(np.uint16).max, np.uint16)
        totals = np.zeros(0, np.uint64)
        for some in np.split(pivots, _PIVOTS):
            if len(places) and len(some):
                close = np.minimum(close, self._limits.of_areas(row, places, some))
                totals = close.sum(axis=1)
                stay = totals >= race.least
                places, close, totals = places[stay], close[stay], totals[stay]
        ranks = np.argsort(totals)[::-1]
        raced = race.run(self._rest[places[ranks]], close[ranks])
        return np.append(first[leaders], places[ranks]), np.append(lead, raced)


class OtherCore:
    """A part in a process of its own, which reads the pictures where they are in memory.

    Args:
        make: Makes the part, over there.
    """

    def __init__(self, make: Callable[[], Part]) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, self._pipe, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, here: int, row: Limits) -> None:
        """Begin with what `Part.farthest` does.

        Raises:
            FacesetError: The process is gone.
        """
        try:
            self._pipe.send((here, row))
        except OSError as error:
            raise _gone() from error

    def answer(self) -> Found:
        """What it found.

        Raises:
            FacesetError: The process is gone.
        """
        try:
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise _gone() from error

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()


def _serve(make: Callable[[], Part], ours: Connection, theirs: Connection) -> None:
    """Answer until the pipe is closed, also because the other process is gone."""
    # Who stops the work tells the other process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ours.close()
    part = make()
    while True:
        try:
            here, row = theirs.recv()
            theirs.send(part.farthest(here, row))
        except (EOFError, OSError):
            return


def _gone() -> FacesetError:
    return FacesetError(
        "A process that compares faces was ended from outside, probably because memory ran out; "
        "close other programs and sort again."
    )


def _largest(values: npt.NDArray[np.integer], count: int) -> Indices:
    """Places of the largest values, in any order."""
    rest = max(0, len(values) - count)
    return np.argpartition(values, rest)[rest:] if rest else np.arange(len(values))
