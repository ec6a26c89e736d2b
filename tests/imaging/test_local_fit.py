"""Smoothing in time: even movement stays, trembling goes, nothing lags."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.imaging.local_fit import fit_weights, near_weights, smoothed

MOMENTS = np.arange(40)


def all_of(values: np.ndarray, radius: int, moments: np.ndarray = MOMENTS) -> np.ndarray:
    return np.stack([smoothed(moments, values, place, radius) for place in range(len(moments))])


@pytest.mark.parametrize("radius", [4, 12])
def test_even_and_evenly_growing_movement_stays_as_it_is(radius):
    path = np.stack([3.0 * MOMENTS + 7, 0.5 * MOMENTS**2 - 4 * MOMENTS], axis=1).astype(float)
    # Up to the rounding of float64 at values of some hundreds.
    np.testing.assert_allclose(all_of(path, radius), path, atol=1e-7)


def test_movement_to_and_fro_is_neither_late_nor_early():
    wave = np.sin(2 * np.pi * MOMENTS / 20)[:, None]
    found = all_of(wave, 4)[10:30, 0]  # one whole turn
    product = [np.vdot(found, wave[10 + lag : 30 + lag, 0]) for lag in (-1, 0, 1)]
    assert np.argmax(product) == 1
    assert product[0] == pytest.approx(product[2])


def test_trembling_goes():
    noise = np.random.default_rng(0).normal(size=(400, 8))
    found = all_of(noise, 5, np.arange(400))

    def bend(values):
        return np.abs(np.diff(values, n=2, axis=0)).mean()

    assert bend(found) < 0.25 * bend(noise)


def test_neighbors_on_both_sides_count_alike_and_those_behind_the_radius_not_at_all():
    weights = fit_weights((-2, -1, 0, 1, 2), 2)
    np.testing.assert_allclose(weights, weights[::-1], atol=1e-12)
    assert weights.sum() == pytest.approx(1)
    assert near_weights((-3, 0, 3), 2).tolist() == [0, 1, 0]
    values = np.random.default_rng(1).normal(size=(40, 2))
    other = values.copy()
    other[:10] += 100
    np.testing.assert_array_equal(smoothed(MOMENTS, values, 13, 3), smoothed(MOMENTS, other, 13, 3))


def test_two_moments_are_left_alone():
    values = np.array([[1.0], [5.0]])
    assert all_of(values, 3, np.array([4, 5])).tolist() == [[1.0], [5.0]]
