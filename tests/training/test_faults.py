"""Faults are seen in losses and looks, and ordinary training is left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dflcolab.training.faults import MEMORY, Fault, FaultKind, LossWatch, fault_in_looks
from dflcolab.watch.looks import Look, Sample


def ordinary(
    count: int, seed: int, *, scatter: float = 0.2, half_life: float = 2000.0, floor: float = 0.3
) -> np.ndarray:
    """Losses `[N, 2]` that fall towards a floor, with the scatter of small batches, now and then odd."""
    random = np.random.default_rng(seed)
    level = floor + 3 * 0.5 ** (np.arange(count) / half_life)
    noise = random.normal(0, scatter, (count, 2))
    odd = random.random((count, 1)) < 0.005
    return level[:, None] * np.exp(noise + odd * random.exponential(1.5, (count, 2)))


def first_fault(losses: np.ndarray, *, at_once: int = 10) -> Fault | None:
    watch = LossWatch()
    for start in range(0, len(losses), at_once):
        fault = watch.add(losses[start : start + at_once], start + 1)
        if fault:
            return fault
    return None


# ---- no false alarms ---------------------------------------------------------------------------


@pytest.mark.parametrize("scatter", [0.05, 0.2, 0.5, 1.0])
def test_ordinary_losses_are_never_a_fault(scatter: float):
    for seed in range(2):
        assert first_fault(ordinary(5000, seed, scatter=scatter)) is None


def test_neither_batches_that_come_twice_nor_slow_waves_nor_single_monsters_are_a_fault():
    twice = np.repeat(ordinary(4000, 1, scatter=0.4), 2, axis=0)
    assert first_fault(twice) is None
    # Learning-rate dropout's cosine: 500 iterations to and fro.
    waves = ordinary(8000, 2) * np.exp(0.15 * np.sin(np.arange(8000) / 500 * 2 * np.pi))[:, None]
    assert first_fault(waves) is None
    monsters = ordinary(4000, 3)
    monsters[::97] *= 1000
    monsters[2000:2008] *= 1000
    assert first_fault(monsters) is None


def test_the_start_may_do_what_it_likes():
    losses = ordinary(1000, 4, half_life=100)
    losses[:60] *= np.exp(np.random.default_rng(5).normal(0, 2, (60, 2)))
    assert first_fault(losses) is None


# ---- what is a fault ---------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    at=st.integers(400, 3000),
    factor=st.floats(2.0, 1e6),
    side=st.sampled_from([0, 1]),
    growth=st.integers(1, 60),
)
@example(seed=6, at=400, factor=2.0, side=1, growth=2)  # the latest five happened to be low
def test_an_explosion_is_seen_soon_and_its_begin_is_found(
    seed: int, at: int, factor: float, side: int, growth: int
):
    losses = ordinary(at + 200, seed)
    rise = np.clip((np.arange(len(losses)) - at + 1) / growth, 0, 1)
    losses[:, side] *= factor**rise
    fault = first_fault(losses)
    assert fault is not None
    assert fault.kind is FaultKind.EXPLOSION
    assert ("src", "dst")[side] in fault.evidence
    # The median of 20 has turned after 11 high losses; doubling takes that and its whole growth,
    # and the falling level of the first hundreds of iterations has to be made up for.
    assert at < fault.iteration <= at + growth + 80
    # Nothing that was ordinary for long is given up, and nothing is trusted from well inside: of five
    # losses whose median counts, two that happen to be low hide the first two high ones.
    assert at - 25 <= fault.began <= at + growth + 2


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), at_once=st.integers(1, 50))
def test_neither_the_unit_of_the_loss_nor_how_many_are_read_at_once_matters(
    seed: int, scale: float, at_once: int
):
    losses = ordinary(900, seed)
    losses[700:] *= 5
    plain, other = first_fault(losses), first_fault(scale * losses, at_once=at_once)
    assert plain is not None
    assert other is not None
    assert (plain.iteration, plain.began) == (other.iteration, other.began)


def test_a_watch_that_starts_from_the_history_says_the_same():
    losses = ordinary(1500, 6)
    losses[1400:] *= 4
    whole = first_fault(losses)
    resumed = LossWatch()
    resumed.restart(losses[:1390][-MEMORY:])
    assert resumed.is_calm
    assert resumed.add(losses[1390:], 1391) == whole


def test_it_is_not_calm_on_the_way_up():
    watch = LossWatch()
    losses = ordinary(1000, 7)
    assert watch.add(losses, 1) is None
    assert watch.is_calm
    assert watch.add(losses[-12:] * 1.4, 1001) is None
    assert not watch.is_calm


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_number_is_a_fault_from_the_first_iteration_on(value: float):
    losses = ordinary(30, 8)
    losses[20, 1] = value
    fault = first_fault(losses)
    assert fault == Fault(FaultKind.NOT_A_NUMBER, 21, 20, "the loss of dst is no number")


def test_losses_that_explode_into_no_number_are_distrusted_from_the_rise_on():
    losses = ordinary(1000, 9)
    losses[990:] *= np.exp(np.arange(10))[:, None]
    losses[998] = np.nan
    fault = first_fault(losses)
    assert fault is not None
    assert (fault.kind, fault.iteration) == (FaultKind.NOT_A_NUMBER, 999)
    assert 985 <= fault.began <= 992


# ---- looks -------------------------------------------------------------------------------------


def look(iteration: int, *, loss: float = 0.3, variety: float = 0.9, odd: float = 1.0) -> Look:
    means = (loss, 1.1 * loss, 0.9 * loss, odd * loss)
    measures = {f"{side}/training/loss": Sample(means, (4, 4, 4, 4)) for side in ("src", "dst")} | {
        "src/held_out/variety": Sample((variety,), (16,))
    }
    return Look(iteration, "warp", "same", measures)


def calm(count: int = 6) -> list[Look]:
    return [look(500 * n, variety=0.9 - 0.02 * n) for n in range(1, count + 1)]


def test_calm_looks_are_no_fault():
    looks = calm(30)
    assert [fault_in_looks(looks[:n]) for n in range(31)] == [None] * 31


def test_one_face_for_all_is_a_collapse():
    fault = fault_in_looks([*calm(), look(3500, variety=0.03)])
    assert fault is not None
    assert (fault.kind, fault.iteration, fault.began) == (FaultKind.COLLAPSE, 3500, 3001)


def test_the_mean_face_of_the_start_is_none_and_a_model_that_never_leaves_it_is_one():
    start = [look(n, variety=v) for n, v in ((100, 0.0), (300, 0.002), (500, 0.01), (700, 0.2))]
    assert [fault_in_looks(start[:n]) for n in range(1, 5)] == [None] * 4
    stuck = [look(200 * n, variety=0.001) for n in range(1, 6)]
    found = [fault_in_looks(stuck[:n]) for n in range(1, 6)]
    assert found[:3] == [None] * 3
    assert found[3] is not None
    assert (found[3].kind, found[3].began) == (FaultKind.COLLAPSE, 0)


def test_losses_of_the_same_faces_that_jump_are_an_explosion_and_one_odd_stretch_is_none():
    fault = fault_in_looks([*calm(), look(3500, loss=0.6)])
    assert fault is not None
    assert (fault.kind, fault.began) == (FaultKind.EXPLOSION, 3001)
    assert fault_in_looks([*calm(), look(3500, odd=8)]) is None
    # After a switch, and for the faces that came out alike, that is another matter.
    assert fault_in_looks([*calm(), look(3500, loss=0.6)], since=3000) is None
    assert fault_in_looks([*calm(), look(3500, variety=0.03)], since=3000) is not None


def test_looks_at_another_loss_are_not_compared():
    other = [dataclasses.replace(each, comparable="other") for each in calm()]
    assert fault_in_looks([*other, look(3500, loss=9.0, variety=0.05)]) is None


def test_a_look_without_numbers_is_a_fault():
    fault = fault_in_looks([*calm(), look(3500, loss=float("nan"))])
    assert fault is not None
    assert fault.kind is FaultKind.NOT_A_NUMBER
