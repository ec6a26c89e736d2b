"""Outlines of a mask fill what the mask fills, with few points."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.faces.mask_outlines import outlines_of
from dflcolab.faces.polygons import polygon_mask


def overlap(a, b) -> float:
    a, b = np.asarray(a) > 0.5, np.asarray(b) > 0.5
    return float((a & b).sum() / max(1, (a | b).sum()))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 4), holes=st.integers(0, 3))
def test_exact_outlines_fill_the_same_pixels(seed: int, parts: int, holes: int):
    """Parts with holes, holes without islands: ellipses, then smaller ones cut out of them."""
    generator = np.random.default_rng(seed)
    mask = np.zeros((64, 64), np.uint8)
    for value, count, largest in ((1, parts, 22), (0, holes, 5)):
        for _ in range(count):
            centre, axes = generator.integers(0, 64, 2), generator.integers(2, largest, 2)
            cv2.ellipse(mask, centre.tolist(), axes.tolist(), 0, 0, 360, value, -1)
    drawn = polygon_mask(outlines_of(mask, tolerance=0, smallest=1), 64, 64)[..., 0]
    # A part that lies in the hole of another is the one thing outlines cannot tell.
    filled = np.zeros_like(mask)
    for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
        cv2.fillPoly(filled, [contour], (1,))
    hole_numbers, hole_plane = cv2.connectedComponents(filled & (1 - mask), connectivity=8)
    islands = np.zeros_like(mask)
    for number in range(1, hole_numbers):
        hole = (hole_plane == number).astype(np.uint8)
        whole = np.zeros_like(hole)
        outer = cv2.findContours(hole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        cv2.fillPoly(whole, list(outer), (1,))
        islands |= whole & mask
    np.testing.assert_array_equal(drawn, mask & (1 - islands))


def test_a_tolerance_leaves_few_points_and_nearly_the_same_mask():
    mask = np.zeros((256, 256, 1), np.float32)
    cv2.ellipse(mask, (128, 120), (70, 95), 10, 0, 360, 1.0, -1)
    cv2.ellipse(mask, (150, 150), (25, 12), 40, 0, 360, 0.0, -1)
    exact, few = outlines_of(mask, tolerance=0), outlines_of(mask, tolerance=1.5)

    assert [polygon.include for polygon in few] == [True, False]
    assert sum(len(p.points) for p in few) < 40 < sum(len(p.points) for p in exact)
    # Edges that run 1.5 pixels off around a part of radius 80 change about 1.5 / 80 of its area.
    assert overlap(polygon_mask(few, 256, 256), mask) > 0.97


def test_specks_are_left_out_and_the_largest_part_comes_first():
    mask = np.zeros((64, 64), np.uint8)
    mask[2:4, 2:4] = 255
    mask[10:20, 10:20] = 255
    mask[30:60, 30:60] = 255
    found = outlines_of(mask, smallest=16)
    assert [p.points.min() for p in found] == [30, 10]
    assert len(outlines_of(mask, smallest=1)) == 3
    assert outlines_of(np.zeros((8, 8))) == ()
