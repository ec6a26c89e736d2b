"""Random warp and transform send positions where DeepFaceLab sends them."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf

from dflcolab.training import augment
from tests.parity.vector_cases import Entry, entry_params

PARAMS = entry_params(
    "imaging",
    "warp",
    "*.json",
    name=lambda _, value: value["key"],
    # Below 64 pixels DeepFaceLab resizes around the warp; models start at 64.
    keep=lambda _, value: value["internal_w"] == value["w"],
)


def grids_of(seed: int, size: int) -> tuple[Any, Any]:
    """The grid that DeepFaceLab draws for a seed (interoperability notes, section 6.2)."""
    stream = np.random.RandomState(seed)
    cell = size // 2 ** (stream.randint(3) + 1)
    points = size // cell + 1

    def noise() -> np.ndarray:
        values = np.zeros((9, 9), np.float32)
        for row in range(1, points - 1):
            for column in range(1, points - 1):
                while abs(drawn := stream.normal()) > 2.5:
                    pass
                values[row, column] = drawn / 2.5
        return values

    first, second = noise()[None], noise()[None]
    cells = tf.constant([cell])
    return augment.grid_displacement(first, second, cells, size), tf.cast(cells, tf.float32)


@pytest.mark.parametrize("entry", PARAMS)
def test_the_warp_map_equals_that_of_deepfacelab(entry: Entry):
    case = entry.value
    size, index = case["w"], case["sample_index"]
    steps = tf.range(size, dtype=tf.float32)
    x, y = tf.meshgrid(steps, steps)
    positions = augment.warp_positions(
        tf.stack([x, y])[None], grids_of(case["seed_warp"], size), size
    )[0].numpy()
    expected = np.array(case["mapx_at_index_rows_cols"])
    # Tolerance of the vectors' README: 1e-4 pixels; ours are float32 up to 160.
    np.testing.assert_allclose(positions[0][np.ix_(index, index)], expected, atol=1e-4)
    assert case["mapy_equals_mapx_transposed"]
    np.testing.assert_allclose(positions[1], positions[0].T, atol=1e-4)


@pytest.mark.parametrize("entry", PARAMS)
def test_the_transform_equals_that_of_deepfacelab(entry: Entry):
    case = entry.value
    size = case["w"]
    matrix = _inverse(case)
    expected = cv2.invertAffineTransform(np.array(case["rmat"]))
    if case["flip"]:
        expected = expected @ np.array([[-1, 0, size - 1], [0, 1, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(matrix.numpy()[0], expected, atol=1e-4)


@pytest.mark.parametrize("entry", PARAMS)
def test_pictures_look_as_those_of_deepfacelab(entry: Entry):
    case = entry.value
    size = case["w"]
    picture = cv2.imread(str(entry.folder / f"{case['key']}_in.png"))
    mask = cv2.imread(str(entry.folder / f"{case['key']}_mask_in.png"), cv2.IMREAD_GRAYSCALE)
    masks = np.repeat(mask[..., None], 2, axis=2)
    pad = 4 * (augment.PADDING,)
    face = np.concatenate(
        [
            cv2.copyMakeBorder(picture, *pad, cv2.BORDER_REPLICATE),
            cv2.copyMakeBorder(masks, *pad, cv2.BORDER_CONSTANT),
        ],
        axis=2,
    )[None]
    positions = augment.affine_positions(_inverse(case), size)
    ours = augment.resample(tf.constant(face), positions)[0].numpy() * 255
    theirs = cv2.imread(str(entry.folder / f"{case['key']}_transform.png"))
    # Tolerance of the vectors' README: mean 0.6, largest 10 (OpenCV rounds positions to 1/32 pixel;
    # between black and white neighbours that is up to 8 of 255, more on the steepest edges).
    error = np.abs(np.clip(ours[..., :3], 0, 255) - theirs)
    assert error.mean() < 0.6
    assert np.percentile(error, 99.9) < 10

    warped = augment.warp_positions(positions, grids_of(case["seed_warp"], size), size)
    pictures = augment.dark_outside(tf.constant(face[..., :3]))
    ours = np.clip(augment.resample(pictures, warped)[0].numpy() * 255, 0, 255)
    theirs = cv2.imread(str(entry.folder / f"{case['key']}_warp.png")).astype(np.float32)
    # Ours is interpolated once and not twice, so it is a little sharper; the content is in place.
    difference = np.abs(cv2.blur(ours, (5, 5)) - cv2.blur(theirs, (5, 5)))
    assert difference.mean() < 1.2


def _inverse(case: dict[str, Any]) -> Any:
    m = np.array(case["rmat"])
    size = case["w"]
    angle, scale = math.atan2(m[0, 1], m[0, 0]), math.hypot(m[0, 0], m[0, 1])
    plain = cv2.getRotationMatrix2D((size // 2, size // 2), math.degrees(angle), scale)
    shift = m[:, 2] - plain[:, 2]
    values = [angle, scale, shift[0], shift[1], float(case["flip"])]
    return augment.inverse_transforms(*(tf.constant([v], tf.float32) for v in values), size)
