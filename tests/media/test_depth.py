"""Fine values of deep videos beside frames merged at eight bits."""

from __future__ import annotations

import numpy as np

from dflcolab.media.depth import with_fine_values


def test_unchanged_pixels_are_exact_and_changed_ones_keep_the_fine_part():
    deep = np.random.default_rng(0).integers(0, 65281, (40, 60, 3)).astype(np.uint16)
    original = (deep >> 8).astype(np.uint8)
    merged = original.copy()
    merged[10:20, 30:50] = 7
    merged[15, 35] = original[15, 35]

    found = with_fine_values(merged, original, deep)

    same = merged == original
    np.testing.assert_array_equal(found[same], deep[same])
    fine = deep[10:20, 30:50].astype(int) - 256 * original[10:20, 30:50].astype(int)
    changed = found[10:20, 30:50].astype(int) - 256 * merged[10:20, 30:50].astype(int)
    np.testing.assert_array_equal(changed, fine)
    np.testing.assert_array_equal(with_fine_values(original, original, deep), deep)


def test_values_stay_in_range():
    deep = np.full((2, 2, 3), 65535, np.uint16)
    white, black = np.full((2, 2, 3), 255, np.uint8), np.zeros((2, 2, 3), np.uint8)
    assert with_fine_values(white, black, deep).max() == 65535
    assert with_fine_values(black, white, np.zeros_like(deep)).max() == 0
