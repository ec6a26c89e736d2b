"""A slow fall is seen where training truly gets worse, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.training.decline import decline_in_looks, within_reach
from dflcolab.training.faults import Fault, FaultKind, fault_in_looks
from dflcolab.watch.looks import Look
from tests.watch.histories import looks_of, losses

LEARNED, WORSE = 30, 40


def gets_worse(seed: int, by: float, *, sides: tuple[str, ...] = ("src", "dst")) -> list[Look]:
    """Losses that fall for thirty looks, and then rise by a share at each look."""
    curves = losses(seed, LEARNED + WORSE)
    for name, curve in curves.items():
        curve[LEARNED:] = curve[LEARNED - 1]
        if name.startswith(sides):
            curve[LEARNED:] *= (1 + by) ** np.arange(1, WORSE + 1)[:, None]
    return looks_of(curves)


def fades(seed: int, by: float) -> list[Look]:
    """Losses that only fall, of faces that become ever more alike from look thirty on."""
    curves = losses(seed, LEARNED + WORSE)
    rising = np.minimum(np.arange(1, LEARNED + 1) / 10, 1)
    falling = (1 - by) ** np.arange(1, WORSE + 1)
    noise = np.random.default_rng(seed).normal(0, 0.02, LEARNED + WORSE)
    variety = np.concatenate([rising, falling]) * np.exp(noise)
    curves |= {f"{side}/held_out/variety": np.tile(variety[:, None], 8) for side in ("src", "dst")}
    return looks_of(curves)


def first(looks: list[Look]) -> Fault | None:
    for count in range(1, len(looks) + 1):
        fault = decline_in_looks(looks[:count])
        if fault is not None:
            return fault
    return None


@pytest.mark.parametrize("by", [0.03, 0.1])
@pytest.mark.parametrize("sides", [("src", "dst"), ("src",)])
def test_losses_that_rise_a_little_at_each_look_are_a_decline(by: float, sides: tuple[str, ...]):
    looks = gets_worse(1, by, sides=sides)
    assert all(fault_in_looks(looks[: n + 1]) is None for n in range(LEARNED + 3))
    fault = first(looks)
    assert fault is not None
    assert fault.kind is FaultKind.DECLINE
    best = looks[LEARNED - 1].iteration
    assert fault.iteration <= best + 500 * (20 if by < 0.1 else 12)
    assert best - 500 * 6 <= fault.began <= best + 500 * 4


def test_faces_that_become_ever_more_alike_have_collapsed():
    looks = fades(2, 0.12)
    assert all(fault_in_looks(looks[: n + 1]) is None for n in range(LEARNED + WORSE))
    fault = first(looks)
    assert fault is not None
    assert fault.kind is FaultKind.COLLAPSE
    assert fault.iteration <= looks[LEARNED - 1].iteration + 500 * 16
    assert fault.began <= looks[LEARNED + 2].iteration
    assert first(fades(3, 0.005)) is None  # 18 % less in the end


@pytest.mark.parametrize("seed", range(3))
def test_neither_learning_nor_over_fitting_nor_a_wave_is_a_decline(seed: int):
    assert first(looks_of(losses(seed, 60, noise=0.03))) is None
    assert first(looks_of(losses(seed, 60, turn=20))) is None
    wave = losses(seed, 60)
    for curve in wave.values():
        curve *= (1 + 0.06 * np.sin(np.arange(60) / 15 * 2 * np.pi))[:, None]
    assert first(looks_of(wave)) is None


def test_it_goes_back_only_where_a_saved_state_is_left():
    looks = gets_worse(1, 0.1)
    fault = first(looks)
    assert fault is not None
    low = sum(looks[LEARNED - 1].measures[f"{s}/held_out/loss"].mean for s in ("src", "dst"))

    def began(saved: dict[int, float]) -> int | None:
        found = within_reach(fault, looks, saved)
        return None if found is None else found.began

    before, after = fault.began - 700, fault.began + 700
    assert began({before: low}) == before + 1
    assert began({before: 2 * low, after: 1.01 * low}) == after + 1
    assert began({before: low, after: 1.01 * low}) == before + 1
    assert began({before: 2 * low, after: 1.2 * low}) == before + 1
    assert began({after: 1.2 * low}) is None
    assert began({}) is None
