"""The limits of distances hold for any pictures, and are close where pivots lie between two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.faceset import pivot_limits
from dflcolab.faceset.pivot_limits import AreaLayout, PivotLimits, Pivots
from dflcolab.imaging.one_thread import one_opencv_thread


def stored(pictures: np.ndarray) -> np.ndarray:
    layout = AreaLayout(*pictures.shape[1:3])
    samples = np.zeros((len(pictures), layout.n_areas, layout.n_samples), np.uint8)
    for picture, room in zip(pictures, samples, strict=True):
        layout.store(picture, room)
    return samples


def limits_of(samples: np.ndarray) -> tuple[PivotLimits, int, np.ndarray]:
    """With the unit and all pivots."""
    members = np.arange(len(samples))
    with one_opencv_thread():
        pivots = Pivots(samples, members)
        limits = PivotLimits(pivots, members)
    return limits, pivots.unit, np.arange(len(limits.row(0)))


def distances(samples: np.ndarray) -> np.ndarray:
    """Sums of absolute differences over the last axis of all pairs."""
    wide = samples.astype(np.int64)
    return np.abs(wide[:, None] - wide).sum(axis=-1)


def test_one_picture_is_its_own_pivot_without_being_grouped(monkeypatch):
    # OpenCV would take its areas for so many pictures and read labels that do not exist.
    def kmeans(*_: object) -> None:
        raise AssertionError("a single picture was grouped")

    monkeypatch.setattr(pivot_limits.cv2, "kmeans", kmeans)
    samples = stored(np.full((1, 34, 20, 3), 120, np.uint8))
    pivots = Pivots(samples, np.array([0]))
    assert not pivots.distances(np.array([0])).any()


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 12),
    height=st.integers(1, 100),
    width=st.integers(1, 100),
    low=st.integers(0, 255),
    high=st.integers(0, 255),
)
def test_no_distance_is_beyond_its_limit(
    seed: int, n: int, height: int, width: int, low: int, high: int
):
    generator = np.random.default_rng(seed)
    pictures = low + (high - low) * generator.random((n, height, width, 3))
    pictures[n // 2] *= generator.random()
    pictures[n // 3] = 255 * (generator.random((height, width, 1)) < 0.5)
    pictures = pictures.astype(np.uint8)

    samples = stored(pictures)
    limits, unit, pivots = limits_of(samples)

    exact = distances(samples)
    assert np.array_equal(exact.sum(axis=2), distances(pictures.reshape(n, -1)))
    for place in range(n):
        row = limits.row(place)
        of_areas = limits.of_areas(row, np.arange(n), pivots).astype(np.int64)
        assert (of_areas * unit >= exact[place]).all()
        assert (limits.of_pictures(row) >= of_areas.sum(axis=1)).all()
        some = pivots[place % len(pivots) :][:3]
        assert (limits.of_areas(row, np.arange(n), some) >= of_areas).all()
        same, by_use = limits.by_use(row, np.arange(n))
        assert np.array_equal(same, of_areas)
        assert sorted(by_use) == list(pivots)


def test_the_limit_is_the_distance_where_a_pivot_lies_between():
    """Two shades, drawn anew for each half of a picture: no pivot is between in both halves."""
    generator = np.random.default_rng(7)
    shades = generator.choice([40, 200], (80, 1, 2, 1)).repeat(64, axis=2)
    pictures = (shades + generator.integers(-9, 10, (80, 32, 128, 3))).astype(np.uint8)

    samples = stored(pictures)
    limits, unit, pivots = limits_of(samples)
    close = limits.of_areas(limits.row(0), np.arange(80), pivots).astype(np.int64)

    exact = np.abs(samples.astype(np.int64) - samples[0]).sum(axis=2)
    excess = close * unit - exact
    # Where the shade is not that of the first picture, in areas from left to right.
    unlike = (shades != shades[0])[:, 0, ::16, 0]
    of_unlike = excess.reshape(80, 8, 8).swapaxes(1, 2)[unlike]
    assert of_unlike.size > 0
    assert (of_unlike < 2 * unit).all()  # two distances are rounded up


def test_the_last_picture_takes_the_place_of_a_removed_one():
    samples = stored(np.random.default_rng(3).integers(0, 255, (9, 20, 30, 3), dtype=np.uint8))
    limits, _, pivots = limits_of(samples)
    row, all_of_them = limits.row(4), np.arange(9)
    quick, close = limits.of_pictures(row), limits.of_areas(row, all_of_them, pivots)

    limits.remove(2)

    left = [0, 1, 8, 3, 4, 5, 6, 7]
    assert np.array_equal(limits.of_pictures(row), quick[left])
    assert np.array_equal(limits.of_areas(row, all_of_them[:8], pivots), close[left])
    assert np.array_equal(limits.row(2), limits_of(samples)[0].row(8))


@pytest.mark.parametrize(("height", "width", "areas"), [(256, 256, 64), (1, 5, 5), (97, 20, 56)])
def test_pictures_have_eight_areas_a_side_at_most(height: int, width: int, areas: int):
    assert AreaLayout(height, width).n_areas == areas


def test_distances_of_huge_pictures_do_not_overflow():
    n_samples = (1 << 23) + (1 << 16)  # all of them at 255 are beyond 32 bits with a sign
    white = np.full((1, n_samples), 255, np.uint8)

    assert pivot_limits.distances(white, np.zeros_like(white[0])) == [255 * n_samples]
