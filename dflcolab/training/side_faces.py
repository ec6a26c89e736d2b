"""The faces of one side: what is learned from, what is kept apart, and which are near-copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dflcolab.training.dataset import TrainingFaces

_UNKNOWN = np.empty(0, np.int64)
"""Stands for stretches that nobody gave."""


@dataclass(frozen=True, eq=False)
class SideFaces:
    """The faces of one side.

    Attributes:
        training: What the model learns from.
        held_out: What it never sees; None where nothing was held out.
        training_stretches: `[N]` int, the stretch of neighbouring source frames that each face of
            `training` is from, as a number that means nothing else. Where it is not given, every
            face counts as one of its own.
        held_out_stretches: The same for `held_out`; empty where that is None.
        stretch_names: What a held-out stretch is called, by its number; as far as that is known.
    """

    training: TrainingFaces
    held_out: TrainingFaces | None
    training_stretches: npt.NDArray[np.int64] = field(default_factory=lambda: _UNKNOWN)
    held_out_stretches: npt.NDArray[np.int64] = field(default_factory=lambda: _UNKNOWN)
    stretch_names: Mapping[int, str] = field(default_factory=dict[int, str])

    def __post_init__(self) -> None:
        for name, faces in (("training", self.training), ("held_out", self.held_out)):
            n = 0 if faces is None else len(faces)
            given = getattr(self, f"{name}_stretches")
            if given is _UNKNOWN:
                object.__setattr__(self, f"{name}_stretches", np.arange(n, dtype=np.int64))
            elif given.shape != (n,):
                raise ValueError(f"{name}: {n} faces, but stretches of shape {given.shape}")


def by_stretch(stretches: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Places of the faces of each stretch, ascending; stretches in the order of their first faces.

    Args:
        stretches: Stretch of each face, `[N]`.
    """
    _, first, inverse, counts = np.unique(
        stretches, return_index=True, return_inverse=True, return_counts=True
    )
    parts = np.split(np.argsort(inverse, kind="stable"), np.cumsum(counts)[:-1])
    return [parts[number] for number in np.argsort(first)] if len(stretches) else []
