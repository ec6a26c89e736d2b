"""Color transfers: what they promise beyond the vectors."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.imaging.color_transfer import linear, monge_kantorovich, reinhard
from dflcolab.imaging.distribution_transfer import distribution_transfer
from dflcolab.imaging.sliced_transport import mixed_transport, sliced_transport

TRANSFERS = [
    reinhard,
    linear,
    monge_kantorovich,
    distribution_transfer,
    sliced_transport,
    mixed_transport,
]
MASKED = [transfer for transfer in TRANSFERS if transfer is not linear]


def picture(seed: int, low: float = 0.2, high: float = 0.8, side: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_colors_of_the_same_picture_change_nothing(transfer):
    same = picture(0)
    # Lab and back costs about 1e-5 in float32. `mix` goes there and back twice in 8 bits, where colors
    # outside of what L = 100 allows are cut; random colors hold many of those.
    found = transfer(same, same)
    np.testing.assert_allclose(found.mean(axis=(0, 1)), same.mean(axis=(0, 1)), atol=0.03)
    if transfer is not mixed_transport:
        # The color cube of `idt` has 17 nodes a side; between them the noise of the sample stays.
        np.testing.assert_allclose(found, same, atol=1e-2)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_the_result_has_the_targets_mean(transfer):
    source, target = picture(0, 0.3, 0.6), picture(1, 0.4, 0.6, side=40)
    before = source.copy()
    found = transfer(source, target)
    start, end, wanted = (part.mean(axis=(0, 1)) for part in (source, found, target))
    if transfer is distribution_transfer:  # 20 rounds of a 20th of what is left
        assert (np.abs(end - wanted) < 0.5 * np.abs(start - wanted)).all()
    else:
        np.testing.assert_allclose(end, wanted, atol=0.01)
    np.testing.assert_array_equal(source, before)
    assert found.shape == source.shape


@pytest.mark.parametrize("transfer", TRANSFERS)
@settings(max_examples=10, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_flat_pictures_give_no_nonsense(transfer, a: float, b: float):
    flat = [np.full((4, 5, 3), value, np.float32) for value in (a, b)]
    for source, target in ((flat[0], flat[1]), (picture(3), flat[1]), (flat[0], picture(3))):
        found = transfer(source, target)
        assert np.isfinite(found).all()
        assert found.min() >= 0
        assert found.max() <= 1
        assert found.dtype == np.float32


@pytest.mark.parametrize("transfer", MASKED)
@pytest.mark.parametrize("share", [0.0, 0.01, 1.0])
def test_masks_of_any_extent_give_pictures(transfer, share: float):
    mask = (np.random.default_rng(0).uniform(size=(24, 24, 1)) < share).astype(np.float32)
    found = transfer(picture(0), picture(1), source_mask=mask, target_mask=mask)
    assert np.isfinite(found).all()
    if share == 1.0:
        np.testing.assert_allclose(found, transfer(picture(0), picture(1)), atol=1e-5)


@pytest.mark.parametrize("transfer", MASKED)
def test_pixels_outside_of_the_mask_are_changed_as_those_inside(transfer):
    """A face whose outside turned black would show a dark line along its border in the frame."""
    half = np.zeros((24, 24, 1), np.float32)
    half[:, :12] = 1
    source, target = picture(0, 0.4, 0.5), picture(1, 0.6, 0.7)
    found = transfer(source, target, source_mask=half, target_mask=half)
    left, right = found[:, 2:10].mean(), found[:, 14:22].mean()
    assert left > 0.52
    assert right > 0.4


@pytest.mark.parametrize("transfer", [distribution_transfer, sliced_transport, mixed_transport])
def test_random_directions_are_the_same_each_time(transfer):
    np.testing.assert_array_equal(
        transfer(picture(0), picture(1)), transfer(picture(0), picture(1))
    )


@pytest.mark.parametrize("transfer", [distribution_transfer, sliced_transport])
def test_a_sample_of_a_large_picture_says_what_all_its_pixels_say(transfer):
    """Smooth pictures, 300 and 100 pixels wide, end with the same colors."""
    large, target = (cv2.resize(picture(seed, side=5), (300, 300)) for seed in (0, 1))
    small = cv2.resize(large, (100, 100), interpolation=cv2.INTER_AREA)
    ends = [transfer(source, target) for source in (large, small)]
    for part in (np.mean, np.std):
        np.testing.assert_allclose(
            part(ends[0], axis=(0, 1)), part(ends[1], axis=(0, 1)), atol=0.01
        )
