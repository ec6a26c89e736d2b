"""The order of faces is a function of seed and position, and fair."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.training.sampler import Sampler


@given(st.integers(1, 50), st.integers(0, 2**31), st.integers(0, 500))
def test_every_face_comes_once_per_round(count: int, seed: int, turn: int):
    drawn = Sampler(count, [seed]).take(turn * count, count)
    assert sorted(drawn) == list(range(count))


@given(st.integers(1, 30), st.integers(0, 300), st.integers(1, 40))
def test_a_resumed_stream_goes_on_where_it_was(count: int, position: int, batch: int):
    whole = Sampler(count, [1, 0]).take(0, position + batch)
    resumed = Sampler(count, [1, 0]).take(position, batch)
    np.testing.assert_array_equal(resumed, whole[position:])


def test_rounds_and_sides_differ():
    first = Sampler(100, [0, 0])
    assert not np.array_equal(first.take(0, 100), first.take(100, 100))
    assert not np.array_equal(first.take(0, 100), Sampler(100, [0, 1]).take(0, 100))


def test_uniform_yaw_shows_a_rare_turn_as_often_as_the_common_one():
    yaws = [0.0] * 99 + [0.9]
    drawn = Sampler(100, [0], yaws=yaws).take(0, 200)
    assert (drawn == 99).sum() == 100
    common = drawn[drawn != 99]
    assert len(set(common.tolist())) == 99  # in a bin, too, each comes before any repeats


def test_yaw_bins_are_those_of_deepfacelab():
    # 128 bins, 127 steps from -1.2 to 1.2 over -yaw; beyond the ends the outer bins are open.
    step = 2.4 / 127
    yaws = [2.0, 1.2, 1.2 - 1.5 * step, 0.0, -1.19, -1.2, -3.0]
    drawn = Sampler(7, [0], yaws=yaws).take(0, 1000)
    shares = np.bincount(drawn, minlength=7) / 1000
    # 2.0 and 1.2 share the first bin, -1.2 and -3.0 the last; five bins in all.
    np.testing.assert_allclose(shares, [0.1, 0.1, 0.2, 0.2, 0.2, 0.1, 0.1], atol=0.001)
