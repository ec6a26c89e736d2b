"""Shaping of the mask in its crop."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.merging.face_mask import FaceMasks, erode_ellipse, shaped, working_mask
from dflcolab.merging.options import MaskMode


def _blob(size: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).random((size // 8, size // 8)) > 0.3
    soft = cv2.GaussianBlur(noise.astype(np.float32), (3, 3), 0)
    return np.clip(cv2.resize(soft, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)


def _as_deepfacelab_does(mask: np.ndarray, erode: int, blur: int) -> np.ndarray:
    """Section 8.3 step 5 to the letter: with the padding of a quarter on each side."""
    pad = mask.shape[0] // 4
    wide = np.pad(mask, pad)
    if erode:
        ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(erode), abs(erode)))
        wide = (cv2.erode if erode > 0 else cv2.dilate)(wide, ellipse, iterations=1)
    margin = pad + blur // 2
    wide[:margin] = wide[-margin:] = 0
    wide[:, :margin] = wide[:, -margin:] = 0
    if blur:
        kernel = blur + (1 - blur % 2)
        wide = cv2.GaussianBlur(wide, (kernel, kernel), 0)
    return np.clip(wide[pad:-pad, pad:-pad], 0, 1)


@settings(max_examples=40, deadline=None)
@given(diameter=st.integers(1, 400), seed=st.integers(0, 9))
def test_erosion_by_rows_is_opencvs_erosion_to_the_bit(diameter: int, seed: int):
    mask = _blob(128, seed)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    expected = cv2.erode(np.pad(mask, 32), ellipse)[32:-32, 32:-32]

    assert np.array_equal(erode_ellipse(mask, diameter), expected)


@settings(max_examples=40, deadline=None)
@given(erode=st.integers(-120, 120), blur=st.integers(0, 120), seed=st.integers(0, 9))
def test_shaping_without_padding_equals_shaping_with_it(erode: int, blur: int, seed: int):
    mask = _blob(256, seed)

    # Only the order of float32 sums may differ.
    np.testing.assert_allclose(
        shaped(mask, erode=erode, blur=blur), _as_deepfacelab_does(mask, erode, blur), atol=2e-6
    )


@pytest.mark.parametrize(("erode", "blur"), [(0, 0), (9, 30), (-30, 0), (-41, 121), (3, 400)])
@pytest.mark.parametrize("corner", [(0, 0), (90, 120), (216, 3)])
def test_a_small_mask_is_shaped_as_in_the_whole_crop(
    erode: int, blur: int, corner: tuple[int, int]
):
    """Only the surroundings of the mask are worked on; nothing beyond them would change."""
    mask = np.zeros((256, 256), np.float32)
    top, left = corner
    mask[top : top + 40, left : left + 40] = _blob(40)

    np.testing.assert_allclose(
        shaped(mask, erode=erode, blur=blur), _as_deepfacelab_does(mask, erode, blur), atol=2e-6
    )


def test_a_blurred_mask_ends_inside_the_crop():
    soft = shaped(np.ones((256, 256), np.float32), erode=0, blur=60)

    assert soft[128, 128] == pytest.approx(1.0)
    border = np.concatenate([soft[0], soft[-1], soft[:, 0], soft[:, -1]])
    assert border.max() < 0.02


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (MaskMode.FULL, 1.0),
        (MaskMode.DST, 0.25),
        (MaskMode.LEARNED_PRD, 0.5),
        (MaskMode.LEARNED_DST, 0.75),
        (MaskMode.LEARNED_BOTH, 0.375),
        (MaskMode.LEARNED_EITHER, 1.0),
    ],
)
def test_each_mask_mode_uses_its_masks(mode: MaskMode, expected: float):
    def plane(value: float) -> np.ndarray:
        return np.full((8, 8, 1), value, np.float32)

    masks = FaceMasks(hull=plane(0.25), swap=plane(0.5), dst=plane(0.75))

    assert np.allclose(working_mask(mode, masks), expected)


def test_traces_of_a_mask_vanish():
    faint = np.full((8, 8), 0.9 / 255, np.float32)

    assert not working_mask(MaskMode.LEARNED_PRD, FaceMasks(swap=faint, dst=faint)).any()


@pytest.mark.parametrize("mode", MaskMode)
def test_a_mask_mode_multiplies_adds_or_takes_the_masks_it_names(mode: MaskMode):
    names = ("swap", "dst", "hull", "swap_xseg", "dst_xseg")
    values = {name: np.float32(0.5 + 0.1 * i) for i, name in enumerate(names)}
    masks = FaceMasks(**{name: np.full((2, 2), value) for name, value in values.items()})
    names_of = {
        "dst": "hull",
        "learned-prd": "swap",
        "learned-dst": "dst",
        "XSeg-prd": "swap_xseg",
        "XSeg-dst": "dst_xseg",
    }
    expected = 1.0
    if mode is not MaskMode.FULL:
        for part in mode.value.replace("+", "*").split("*"):
            expected *= values[names_of[part]]
    if mode is MaskMode.LEARNED_EITHER:
        expected = 1.0  # 0.5 + 0.6, cut

    np.testing.assert_allclose(working_mask(mode, masks), expected, rtol=1e-6)
    if mode.needs_xseg:
        with pytest.raises(ValueError, match="missing"):
            working_mask(mode, FaceMasks(swap=masks.swap, dst=masks.dst))
