"""Drawn outlines as masks."""

from __future__ import annotations

import numpy as np

from dflcolab.faces.face_record import Polygon
from dflcolab.faces.polygons import polygon_mask

SQUARE = np.array([[2, 2], [12, 2], [12, 12], [2, 12]], np.float32)
HOLE = np.array([[5, 5], [8, 5], [8, 8], [5, 8]], np.float32)


def test_an_exclusion_cuts_whatever_the_stored_order():
    for order in (
        [Polygon(True, SQUARE), Polygon(False, HOLE)],
        [Polygon(False, HOLE), Polygon(True, SQUARE)],
    ):
        mask = polygon_mask(order, 16, 16)[..., 0]
        assert mask[3, 3] == 1
        assert mask[6, 6] == 0
        assert mask.sum() == 11 * 11 - 4 * 4  # edges belong to the outline


def test_outlines_are_scaled_to_the_mask():
    mask = polygon_mask([Polygon(True, SQUARE)], 32, 16, scale=(1, 2))[..., 0]
    assert mask.sum() == 11 * 21


def test_empty_outlines_and_far_points_are_harmless():
    far = np.array([[-1e30, 5], [1e30, 5], [8, 1e30]], np.float32)
    empty = np.empty((0, 2), np.float32)
    assert polygon_mask([Polygon(True, empty)], 8, 8).sum() == 0
    assert np.isfinite(polygon_mask([Polygon(True, far)], 8, 8)).all()


def test_one_point_makes_a_dot():
    assert polygon_mask([Polygon(True, SQUARE[:1])], 16, 16).sum() == 1
