"""Drawn outlines as masks, against DeepFaceLab's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dflcolab.faces.face_record import Polygon
from dflcolab.faces.polygons import drawing_order, polygon_mask
from tests.parity.vector_cases import Entry, entry_params


def outlines(case: Entry) -> list[Polygon]:
    return [
        Polygon(item["type"] == 1, np.array(item["pts"], np.float32).reshape(-1, 2))
        for item in case.value["polys"]
    ]


def name_of(_: str, case: dict) -> str:
    return case["mask"]


@pytest.mark.parametrize("case", entry_params("imaging", "polys", "polys*.json", name=name_of))
def test_outlines_fill_the_pixels_deepfacelab_fills(case: Entry):
    size = case.value["size"]
    found = polygon_mask(outlines(case), size, size)[..., 0] * 255
    expected = cv2.imread(str(case.folder / case.value["mask"]), cv2.IMREAD_GRAYSCALE)
    # OpenCV versions differ by up to three edge pixels; the vectors allow six.
    assert np.count_nonzero(found != expected) <= 6


@pytest.mark.parametrize("case", entry_params("imaging", "polys", "polys*.json", name=name_of))
def test_inclusions_are_drawn_before_exclusions(case: Entry):
    order = [int(polygon.include) for polygon in drawing_order(outlines(case))]
    assert order == case.value["order_after_load"]
