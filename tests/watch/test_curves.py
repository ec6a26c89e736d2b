"""Changes of the score of both sides are as sure as they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.watch.curves import Curve, together

_RUNS = 400


@pytest.mark.parametrize(("src", "dst"), [(0.0, 0.0), (0.1, -0.1), (0.1, -0.3)])
def test_nine_of_ten_intervals_of_the_score_hold_the_truth_though_its_sides_move_apart(
    src: float, dst: float
):
    # Drawn from the stretches of both sides together, 99 of 100 hold it where the sides move apart.
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(_RUNS):
        curves: list[Curve] = []
        for level, change, stretches in ((0.8, src, 8), (0.3, dst, 4)):
            before = level * rng.lognormal(-0.045, 0.3, stretches)
            after = before * (1 + change + 0.05 * rng.normal(size=stretches))
            values, counts = np.stack([before, after]), np.full(stretches, 6.0)
            curves.append(Curve(values, counts, (stretches,), values.mean(axis=1)))
        found = together(curves).change(slice(0, 1), slice(1, 2))
        truth = (0.8 * src + 0.3 * dst) / 1.1
        held += found.low <= truth <= found.high
    # Binomial deviation: 1.5 points.
    assert 0.85 <= held / _RUNS <= 0.96
