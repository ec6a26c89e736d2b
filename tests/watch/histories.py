"""Histories of looks whose truth is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dflcolab.watch.looks import Look, Sample

Curves = dict[str, npt.NDArray[np.float64]]


def looks_of(
    curves: Curves, *, every: int = 500, phase: str = "warp", same: str = "a"
) -> list[Look]:
    """Looks from `[looks, stretches]` by name of the measure, six faces in each stretch."""
    count = len(next(iter(curves.values())))
    return [
        Look(
            every * (i + 1),
            phase,
            same,
            {n: Sample(tuple(v[i].tolist()), (6,) * v.shape[1]) for n, v in curves.items()},
        )
        for i in range(count)
    ]


def losses(
    seed: int,
    count: int,
    *,
    turn: int | None = None,
    over: tuple[str, ...] = ("src", "dst"),
    sides: tuple[str, ...] = ("src", "dst"),
    stretches: int = 8,
    noise: float = 0.01,
    floor: float = 0.4,
    power: float = 0.5,
    rise: float = 0.01,
) -> Curves:
    """Losses that fall as a power of the looks; from look `turn` on, those of `over` over-fit.

    Over-fitting: the held-out loss rises by about `rise` a look, unlike in each stretch, and the loss
    on training faces falls by 2 % a look. Looks wander by `noise` (correlated 0.5 from look to look,
    the same for both groups of a side) and stretches by as much again on their own.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(count)
    found: Curves = {}
    for side in sides:
        common = _wander(rng, count, 1, noise)
        base = floor + (1 - floor) * (time + 1.0) ** -power
        after = np.maximum(0, time - turn) if turn is not None and side in over else 0 * time
        falling = base[time - after]
        for group in ("training", "held_out"):
            hard = rng.lognormal(0, 0.2, stretches)
            if group == "held_out":
                change = 1 + rise * rng.lognormal(0, 0.4, stretches) * after[:, None]
            else:
                change = 0.98 ** after[:, None]
            own = _wander(rng, count, stretches, noise)
            found[f"{side}/{group}/loss"] = hard * falling[:, None] * change * (1 + common + own)
    return found


def _wander(
    rng: np.random.Generator, count: int, columns: int, deviation: float
) -> npt.NDArray[np.float64]:
    steps = rng.normal(0, deviation * np.sqrt(1 - 0.5**2), (count, columns))
    for i in range(1, count):
        steps[i] += 0.5 * steps[i - 1]
    return steps
