# pyright: strict
"""What the watch saw at one moment: measures of groups of faces, kept by stretch.

Neighbouring frames are near-copies, so a stretch of them says little more than one frame. Measures
are therefore kept as one mean per stretch, and uncertainty is that between stretches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_DIGITS = 7


@dataclass(frozen=True)
class Sample:
    """One measure over a group of faces, by stretch (bootstrap is over stretches, not faces).

    Attributes:
        means: Mean of each stretch of neighbouring source frames.
        counts: Faces in each.
    """

    means: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean over all faces; NaN if there are none."""
        total = sum(self.counts)
        if not total:
            return math.nan
        return sum(m * n for m, n in zip(self.means, self.counts, strict=True)) / total


def sample_of(values: npt.ArrayLike, stretches: npt.ArrayLike) -> Sample:
    """Gather the values of single faces by stretch, in the order of the stretches' numbers.

    Means keep seven digits, so that what is written and read again is exactly the same.

    Args:
        values: One per face, `[N]`.
        stretches: Number of the stretch of each face, `[N]`.
    """
    given = np.asarray(values, np.float64)
    numbers, index = np.unique(np.asarray(stretches), return_inverse=True)
    counts = np.bincount(index, minlength=len(numbers))
    sums = np.bincount(index, given, minlength=len(numbers))
    means = sums / np.maximum(counts, 1)
    return Sample(
        tuple(float(f"{mean:.{_DIGITS}g}") for mean in means.tolist()),
        tuple(int(count) for count in counts.tolist()),
    )


@dataclass(frozen=True)
class Look:
    """What the watch saw at one moment.

    Attributes:
        iteration: Finished iterations of the model.
        phase: Phase of the schedule: "warp", "lr_dropout", "no_warp", "gan", "manual" or
            "pretraining".
        comparable: Fingerprint of the options that define the loss; only looks with the same one are
            compared.
        measures: By "<side>/<group>/<measure>", such as "src/held_out/loss".
    """

    iteration: int
    phase: str
    comparable: str
    measures: Mapping[str, Sample]

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it; values that are no numbers become null."""
        return {
            "iteration": self.iteration,
            "phase": self.phase,
            "comparable": self.comparable,
            "measures": {
                name: [_plain(sample.means), list(sample.counts)]
                for name, sample in self.measures.items()
            },
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Look:
        """The look that `to_plain` gave.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        return cls(
            int(plain["iteration"]),
            str(plain["phase"]),
            str(plain["comparable"]),
            {
                str(name): Sample(
                    tuple(math.nan if mean is None else float(mean) for mean in means),
                    tuple(int(count) for count in counts),
                )
                for name, (means, counts) in plain["measures"].items()
            },
        )


def _plain(means: Sequence[float]) -> list[float | None]:
    return [mean if math.isfinite(mean) else None for mean in means]
