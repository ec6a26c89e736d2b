"""Over-fitting is called where it truly begins, and only there (all seeds: `python -m benchmarks watch`)."""

from __future__ import annotations

import functools

import pytest

from benchmarks.bench_watch import LATEST, Told, stop_by_training_loss, told
from benchmarks.watch_toy import FEW_BOTH, FEW_SRC, MANY, Curves, Problem, train
from dflcolab.training.decline import decline_in_looks

SEEDS = (20, *(pytest.param(seed, marks=pytest.mark.long) for seed in (21, 22)))
"""None of those that the watch's rules were made on, nor of those that the tables count."""


@functools.cache
def curves(problem: Problem, seed: int) -> Curves:
    """One training of 600 iterations, looked at every tenth."""
    return train(problem, seed, iterations=600, every=10)


@functools.cache
def toy(problem: Problem, seed: int) -> Told:
    """What the watch said of it."""
    return told(curves(problem, seed), problem, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_over_fitting_of_both_sides_is_called_soon_after_the_true_turn(seed: int) -> None:
    run = toy(FEW_BOTH, seed)
    for side in ("src", "dst"):
        # Faces that neither training nor watch has seen: the truth of the toy problem.
        assert run.rises[side] > 0.05
        late = run.late(side)
        assert late is not None
        assert 0 <= late <= LATEST


def test_the_side_with_few_faces_is_named() -> None:
    run = toy(FEW_SRC, 20)
    late = run.late("src")
    assert late is not None
    assert 0 <= late <= LATEST
    assert run.calls["dst"] == -1


@pytest.mark.parametrize("seed", SEEDS)
def test_many_varied_faces_are_not_called_over_fitted(seed: int) -> None:
    run = toy(MANY, seed)
    assert run.calls == {"src": -1, "dst": -1}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_training_loss_falls_on_while_the_truth_rises(seed: int) -> None:
    run = toy(FEW_BOTH, seed)
    turn = (max(run.turns.values()) + 1) * run.every
    # Averages of four looks' iterations; from the turn to the end it falls by far more than half.
    at_turn, at_end = (sum(run.training[i : i + 40]) for i in (turn, len(run.training) - 40))
    assert at_end < at_turn / 2
    # Nobody who waits for it to stop falling would stop in time.
    stop = stop_by_training_loss(run.training, 40, 0.0)
    assert stop is None or stop / run.every - min(run.turns.values()) > LATEST


@pytest.mark.parametrize("problem", [FEW_BOTH, FEW_SRC, MANY], ids=lambda problem: problem.name)
def test_over_fitting_is_no_decline_that_training_goes_back_for(problem: Problem) -> None:
    looks = curves(problem, 20).looks
    assert all(decline_in_looks(looks[:end]) is None for end in range(1, len(looks) + 1))
