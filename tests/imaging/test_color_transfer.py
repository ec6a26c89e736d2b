"""Color transfers: what they promise beyond the vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.imaging.color_transfer import COLOR_TRANSFER_MODES, color_transfer, reinhard

MODES = [mode for mode in COLOR_TRANSFER_MODES if mode != "none"]


def picture(seed: int, low: float = 0.2, high: float = 0.8, side: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("mode", MODES)
def test_colors_of_the_same_picture_change_nothing(mode: str):
    same = picture(0)
    # Lab and back costs about 1e-5 in float32.
    np.testing.assert_allclose(color_transfer(mode, same, same), same, atol=2e-3)


@pytest.mark.parametrize("mode", MODES)
def test_the_result_has_the_targets_mean(mode: str):
    source, target = picture(0, 0.3, 0.6), picture(1, 0.4, 0.6, side=40)
    before = source.copy()
    found = color_transfer(mode, source, target)
    np.testing.assert_allclose(found.mean(axis=(0, 1)), target.mean(axis=(0, 1)), atol=0.01)
    np.testing.assert_array_equal(source, before)
    assert found.shape == source.shape


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=25)
@given(st.floats(0, 1), st.floats(0, 1))
def test_flat_pictures_give_no_nonsense(mode: str, a: float, b: float):
    flat = [np.full((4, 5, 3), value, np.float32) for value in (a, b)]
    for source, target in ((flat[0], flat[1]), (picture(3), flat[1]), (flat[0], picture(3))):
        found = color_transfer(mode, source, target)
        assert np.isfinite(found).all()
        assert found.min() >= 0
        assert found.max() <= 1
        assert found.dtype == np.float32


@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])
def test_masks_of_any_extent_give_pictures(share: float):
    mask = (np.random.default_rng(0).uniform(size=(24, 24, 1)) < share).astype(np.float32)
    found = reinhard(picture(0), picture(1), source_mask=mask, target_mask=mask)
    assert np.isfinite(found).all()


def test_full_masks_are_as_good_as_none():
    full = np.ones((24, 24, 1), np.float32)
    np.testing.assert_allclose(
        reinhard(picture(0), picture(1), source_mask=full, target_mask=full),
        reinhard(picture(0), picture(1)),
        atol=1e-5,
    )


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="sepia"):
        color_transfer("sepia", picture(0), picture(1))
