"""One frame with its faces replaced."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.part_masks import part_mask
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.face import FaceToMerge, Prediction, face_crop
from dflcolab.merging.options import CompositeOptions, Mode
from tests.merging.scenes import LANDMARKS, WHOLE, frame, green_at, green_face, moved

PLAIN = from_mapping(CompositeOptions, {"color_transfer_mode": "none"})


def _outside(mask: np.ndarray) -> np.ndarray:
    """Pixels at least two away from the mask; next to it weights of 1/255 are noted as 0."""
    return cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0


def _is_green(image: np.ndarray) -> np.ndarray:
    return (image == (0, 255, 0)).all(axis=2)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.RAW_PREDICT])
def test_a_frame_without_faces_is_untouched(mode: Mode):
    picture = frame()

    image, mask = composite_frame(
        picture, [], face_type=WHOLE, options=from_mapping(CompositeOptions, {"mode": mode.value})
    )

    assert np.array_equal(image, picture)
    assert not mask.any()
    assert mask.shape == picture.shape[:2]


def test_the_face_is_replaced_and_the_rest_stays_to_the_bit():
    picture = frame()

    image, mask = composite_frame(picture, [green_at(LANDMARKS)], face_type=WHOLE, options=PLAIN)

    nose = tuple(LANDMARKS[30].astype(int)[::-1])
    assert _is_green(image)[nose]
    assert mask[nose] >= 254  # The weights of a warp add up to one within a digit.
    assert np.array_equal(image[_outside(mask)], picture[_outside(mask)])
    assert 0.02 < (mask > 0).mean() < 0.4


def test_a_swap_of_parts_leaves_the_rest_of_a_real_face():
    """Learned masks that are what `mask apply --part` teaches: eyes and mouth alone."""
    picture, size = frame(), 256
    points = transform_points(LANDMARKS, alignment_matrix(LANDMARKS, size, WHOLE))
    mask = part_mask(points, ("eyes", "mouth"), size, size)
    green = np.zeros((size, size, 3), np.float32)
    green[..., 1] = 1
    face = FaceToMerge(LANDMARKS, Prediction(green, mask, mask))
    options = dataclasses.replace(PLAIN, blur_mask_modifier=0)

    image, shown = composite_frame(picture, [face], face_type=WHOLE, options=options)

    places = LANDMARKS.astype(int)
    eyes, mouth = (places[part].mean(axis=0).astype(int) for part in (slice(36, 42), slice(48, 60)))
    assert all(image[y, x].tolist() == [0, 254, 0] for x, y in (eyes, mouth))  # as masks warp
    for x, y in places[[8, 19, 24, 30, 2, 14]]:  # chin, brows, the nose's tip, cheeks
        assert np.array_equal(image[y, x], picture[y, x])
    assert np.array_equal(image[_outside(shown)], picture[_outside(shown)])


def test_the_input_frame_is_not_changed():
    picture = frame()
    before = picture.copy()

    composite_frame(picture, [green_at(LANDMARKS)], face_type=WHOLE, options=PLAIN)

    assert np.array_equal(picture, before)


def test_two_faces_of_a_frame_are_both_replaced():
    picture = frame()
    other = moved(LANDMARKS, (-130, -40), 0.5)

    image, mask = composite_frame(
        picture, [green_at(LANDMARKS), green_at(other)], face_type=WHOLE, options=PLAIN
    )

    green = _is_green(image)
    for landmarks in (LANDMARKS, other):
        assert green[tuple(landmarks[30].astype(int)[::-1])]
    assert np.array_equal(image[_outside(mask)], picture[_outside(mask)])


@pytest.mark.parametrize("shift", [(-140, 0), (210, 0), (0, -150), (0, 190), (215, 190)])
@pytest.mark.parametrize(
    "options", [{}, {"mode": "seamless"}, {"mask_mode": "dst"}, {"mode": "raw-rgb"}]
)
def test_a_face_that_leaves_the_frame_is_cut_off(shift, options):
    picture = frame()

    image, mask = composite_frame(
        picture,
        [green_at(moved(LANDMARKS, shift))],
        face_type=WHOLE,
        options=from_mapping(CompositeOptions, options),
    )

    assert image.shape == picture.shape
    changed = (image != picture).any(axis=2)
    assert changed.any()
    assert changed.mean() < 0.35
    assert mask.any()


def test_a_face_far_outside_changes_nothing():
    picture = frame()

    image, mask = composite_frame(
        picture, [green_at(moved(LANDMARKS, (3000, 3000)))], face_type=WHOLE, options=PLAIN
    )

    assert np.array_equal(image, picture)
    assert not mask.any()


@pytest.mark.parametrize("mode", ["overlay", "seamless", "hist-match", "seamless-hist-match"])
def test_a_face_of_a_few_pixels_is_left_as_it_is(mode: str):
    picture = frame()
    tiny = moved(LANDMARKS, (0, 0), 0.02)

    image, _ = composite_frame(
        picture,
        [green_at(tiny)],
        face_type=WHOLE,
        options=from_mapping(CompositeOptions, {"mode": mode}),
    )

    assert np.array_equal(image, picture)


def test_a_small_face_is_replaced():
    small = moved(LANDMARKS, (0, 0), 0.15)

    image, _ = composite_frame(frame(), [green_at(small)], face_type=WHOLE, options=PLAIN)

    assert _is_green(image).sum() > 20


def test_an_empty_mask_leaves_the_frame():
    picture = frame()

    image, mask = composite_frame(
        picture, [FaceToMerge(LANDMARKS, green_face(mask=0.0))], face_type=WHOLE, options=PLAIN
    )

    assert np.array_equal(image, picture)
    assert not mask.any()


def test_values_are_truncated_as_deepfacelab_does():
    picture = np.full((320, 420, 3), 100, np.uint8)
    swap = np.full((64, 64, 3), 100.9 / 255, np.float32)
    inner = green_face().swap_mask

    image, mask = composite_frame(
        picture,
        [FaceToMerge(LANDMARKS, Prediction(swap, inner, inner))],
        face_type=WHOLE,
        options=PLAIN,
    )

    assert set(np.unique(image[mask == 255])) == {100}


def test_a_larger_output_face_scale_pastes_a_smaller_face():
    def area(scale: int) -> int:
        options = from_mapping(
            CompositeOptions, {"color_transfer_mode": "none", "output_face_scale": scale}
        )
        _, mask = composite_frame(frame(), [green_at(LANDMARKS)], face_type=WHOLE, options=options)
        return int((mask > 127).sum())

    assert area(30) < area(0) < area(-30)


def test_eroding_shrinks_and_growing_enlarges_the_mask():
    def area(erode: int) -> int:
        options = from_mapping(CompositeOptions, {"mode": "original", "erode_mask_modifier": erode})
        _, mask = composite_frame(frame(), [green_at(LANDMARKS)], face_type=WHOLE, options=options)
        return int((mask > 127).sum())

    assert area(40) < area(0) < area(-40)


def test_raw_predict_shows_the_prediction_at_the_models_size():
    options = from_mapping(CompositeOptions, {"mode": "raw-predict"})

    image, mask = composite_frame(
        frame(), [green_at(LANDMARKS, 48)], face_type=WHOLE, options=options, resolution=48
    )
    empty, _ = composite_frame(frame(), [], face_type=WHOLE, options=options, resolution=48)

    assert _is_green(image).all()
    assert image.shape == empty.shape == (48, 48, 3)
    assert mask.shape == (48, 48)
    assert not empty.any()


def test_the_crop_for_the_model_shows_the_face_upright_and_in_range():
    crop = face_crop(frame(), moved(LANDMARKS, (-150, 0)), 64, WHOLE)

    assert crop.shape == (64, 64, 3)
    assert crop.dtype == np.float32
    assert 0.0 <= crop.min() <= crop.max() <= 1.0
    # The part that lies left of the frame is black.
    assert not crop[:, :10].any()


def test_color_transfer_brings_the_face_near_the_frames_colors():
    picture = frame()

    def nose_color(mode: str) -> np.ndarray:
        options = from_mapping(CompositeOptions, {"color_transfer_mode": mode})
        swap = face_crop(picture, LANDMARKS, 64, WHOLE)[..., ::-1].copy()
        full = np.ones((64, 64, 1), np.float32)
        face = FaceToMerge(LANDMARKS, Prediction(swap, full, full))
        image, mask = composite_frame(picture, [face], face_type=WHOLE, options=options)
        return image[mask == 255].mean(axis=0)

    wanted = nose_color("none")[::-1]
    before = np.abs(nose_color("none") - wanted).max()
    for mode in ("rct", "lct", "mkl", "mkl-m", "sot-m", "mix-m"):
        assert np.abs(nose_color(mode) - wanted).max() < 12
    for mode in ("idt", "idt-m"):  # they go 64 % of the way
        assert np.abs(nose_color(mode) - wanted).max() < 0.5 * before
