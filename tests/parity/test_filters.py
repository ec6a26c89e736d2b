"""Sharpening, motion blur and fewer colors, against DeepFaceLab's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dflcolab.imaging.filters import blursharpen, motion_blur, reduce_colors
from tests.parity.vector_cases import Entry, entry_params


def filtered(picture: np.ndarray, case: dict) -> np.ndarray:
    if case["key"].startswith("motionblur"):
        return motion_blur(picture, case["size"], case["angle"])
    if case["key"].startswith("reduce_colors"):
        return reduce_colors(picture, case["colors"])
    return blursharpen(picture, case["mode"], case["kernel"], case["amount"])


@pytest.mark.parametrize(
    "case",
    entry_params(
        "imaging",
        "filters",
        "filters*.json",
        name=lambda _, case: case["key"],
        keep=lambda _, case: case["key"].startswith(("blursharpen", "motionblur", "reduce_colors")),
    ),
)
def test_filters_give_deepfacelabs_pixels(case: Entry):
    value = case.value
    picture = cv2.imread(str(case.folder / "in.png")).astype(np.float32) / np.float32(255)

    found = np.rint(255 * np.clip(filtered(picture, value), 0, 1))

    expected = cv2.imread(str(case.folder / f"{value['key']}.png")).astype(int)
    difference = np.abs(found - expected)
    # Strong sharpening multiplies the last bit of the blur, so single pixels may be far off.
    strong = {1: 12, 2: 40}.get(value.get("mode", 0), 1e9)
    # Libraries differ in where they cut the colors.
    if value.get("amount", 0) >= strong or "colors" in value:
        assert difference.mean() <= 2
    else:
        assert difference.max() <= 3
