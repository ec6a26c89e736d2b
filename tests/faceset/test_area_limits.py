"""The limits of distances hold for any pictures, and are close where one of two is the brighter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.faceset.area_limits import AreaLimits, Layout


def stored(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The samples as stored, `[N, n_samples]`, and the limits of all pairs, `[N, N]`."""
    n = len(pictures)
    layout = Layout(list(pictures[:3]))
    samples = np.zeros((n, layout.n_samples), np.uint8)
    limits = np.zeros((n, n))
    areas = [AreaLimits(n, shape) for shape in layout.shapes]
    for index, picture in enumerate(pictures):
        layout.store(picture, samples[index])
        for part, found in zip(layout.parts, areas, strict=True):
            found.put(index, samples[index, part])
    for found in areas:
        limits += found.limits(np.arange(n), np.arange(n))
    return samples, limits


def distances(pictures: np.ndarray) -> np.ndarray:
    flat = pictures.reshape(len(pictures), -1).astype(np.int64)
    return np.abs(flat[:, None] - flat).sum(axis=2)


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 140),
    width=st.integers(1, 140),
    low=st.integers(0, 255),
    high=st.integers(0, 255),
    power=st.floats(0.05, 8),
)
def test_no_distance_is_beyond_its_limit(
    seed: int, height: int, width: int, low: int, high: int, power: float
):
    # A power far from 1 makes rare bright or rare dark samples: ranges far from the means.
    generator = np.random.default_rng(seed)
    pictures = low + (high - low) * generator.random((4, height, width, 3)) ** power
    pictures[1] *= generator.random()
    pictures[2] = np.where(generator.random((height, width, 1)) < 0.1, 255, pictures[2])
    pictures = pictures.astype(np.uint8)

    samples, limits = stored(pictures)

    exact = distances(pictures)
    assert np.array_equal(distances(samples), exact)
    assert (limits >= exact - 1e-6).all()  # float64, whose rounding errors `compare` outweighs


@pytest.mark.parametrize("size", [(256, 256), (96, 128), (40, 20)])
def test_the_limit_is_the_distance_where_one_picture_is_brighter_everywhere(size: tuple[int, int]):
    generator = np.random.default_rng(7)
    dark, bright = generator.integers(10, 50, (2, *size, 3))
    pictures = np.stack([dark, bright + 150]).astype(np.uint8)

    _, limits = stored(pictures)

    # Each of two means is rounded by half a grey level at most.
    excess = (limits - distances(pictures))[0, 1] / pictures[0].size
    assert 0 <= excess <= 1.0


def test_areas_are_small_where_the_examples_have_detail():
    generator = np.random.default_rng(3)
    pictures = np.full((3, 256, 256, 3), 90, np.uint8)
    pictures[:, :80] = generator.integers(0, 255, (3, 80, 256, 3))

    layout = Layout(list(pictures))
    samples = np.zeros(layout.n_samples, np.uint8)
    layout.store(pictures[0], samples)
    small, large = layout.parts

    # 80 of 256 rows are 320 of 1024 areas: all that are quartered.
    assert [shape.n_areas for shape in layout.shapes] == [4 * 320, 1024 - 320]
    assert (samples[large] == 90).all()
    assert np.array_equal(np.sort(samples[small]), np.sort(pictures[0, :80].ravel()))
