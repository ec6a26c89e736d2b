"""A face file becomes the training sample that DeepFaceLab makes of it with the same draws."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
import tensorflow as tf

from dflcolab.faces.face_type import FaceType
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.models.options import ColorTransfer
from dflcolab.training import augment
from dflcolab.training.color_match import (
    FaceColors,
    color_change,
    match_colors,
    moments_of,
    points_of,
    reference_picture,
)
from dflcolab.training.dataset import training_face
from tests.parity.test_warp import grids_of
from tests.parity.vector_cases import Entry, entry_params

P = augment.PADDING
CASES = entry_params("imaging", "samples", "*.json", name=lambda _, case: case["key"])


def _prepared(entry: Entry) -> Any:
    """The face as the step gets it, in the colors of the reference."""
    case = entry.value
    size = case["resolution"]
    face = read_face(entry.folder / f"{case['key']}_sample.jpg")
    made = training_face(
        face.decode(), face.record,
        face_type=FaceType.parse(case["model_face_type"]), resolution=size,
    )  # fmt: skip
    if case["ct_mode"] is None:
        return tf.constant(made[None])
    mode = ColorTransfer(case["ct_mode"])
    other = read_face(entry.folder / f"{case['key']}_ct_sample.jpg").decode()
    look = reference_picture(other, size)
    colors = FaceColors(
        moments_of(made[P:-P, P:-P, :3])[None], moments_of(look)[None], points_of(look)[None]
    )
    first = np.zeros(1, np.int64)
    change = color_change(mode, colors, first, colors, first)
    seed = tf.constant([0, 0], tf.int64)
    return match_colors(mode, tf.constant(made[None]), tf.constant(change), seed)


def _draws(case: dict[str, Any]) -> tuple[Any, tuple[float, float, float]]:
    """DeepFaceLab's transform for the seed, and its color move (notes, sections 6.1 and 6.2)."""
    stream = np.random.RandomState(case["sample_seed"])
    angle = math.radians(stream.uniform(-10, 10))
    low, high = case["scale_range"]
    scale = stream.uniform(1 / (1 - low), 1 + high)
    size = case["resolution"]
    shift_x, shift_y = (stream.uniform(-0.05, 0.05) * size for _ in range(2))
    mirrored = float(case["random_flip"] and stream.randint(10) < 4)
    values = (angle, scale, shift_x, shift_y, mirrored)
    matrix = augment.inverse_transforms(*(tf.constant([v], tf.float32) for v in values), size)
    power = case["random_hsv_shift_amount_first_output"]
    if power == 0:
        return matrix, (0.0, 0.0, 0.0)
    reach = max(1, int(180 * power))
    degrees = float(stream.randint(-reach, reach + 1))
    moves = [(stream.random_sample() - 0.5) * power for _ in range(2)]
    return matrix, (degrees, moves[0], moves[1])


def _stored(entry: Entry, name: str, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    path = entry.folder / f"{entry.value['key']}_{name}.png"
    return cv2.imread(str(path), flags).astype(np.float32)


@pytest.mark.parametrize("entry", CASES)
def test_target_and_masks_are_those_of_deepfacelab(entry: Entry):
    matrix, _ = _draws(entry.value)
    size = entry.value["resolution"]
    cut = augment.resample(_prepared(entry), augment.affine_positions(matrix, size))
    found = augment.parted(cut)
    target, masks = (part[0].numpy() * 255 for part in found)
    parts = {
        "target": (target, _stored(entry, "target")),
        "mask": (masks[..., 0], _stored(entry, "mask", cv2.IMREAD_GRAYSCALE)),
        "mask_em": (masks[..., 1], _stored(entry, "mask_em", cv2.IMREAD_GRAYSCALE)),
    }
    for name, (ours, theirs) in parts.items():
        error = np.abs(ours - theirs)
        # Tolerance of the vectors' README.
        assert error.mean() < 0.6, name
        assert np.percentile(error, 99.9) < 8, name


@pytest.mark.parametrize("entry", CASES)
def test_the_warped_input_shows_what_deepfacelab_shows(entry: Entry):
    case = entry.value
    size = case["resolution"]
    matrix, (degrees, saturation, value) = _draws(case)
    positions = augment.affine_positions(matrix, size)
    pictures = _prepared(entry)[..., :3]
    if case["warp_first_output"]:
        grids = grids_of(case["sample_seed"], size)
        positions = augment.warp_positions(positions, grids, size)
        pictures = augment.dark_outside(pictures)
    ours = tf.clip_by_value(augment.resample(pictures, positions), 0.0, 1.0)
    moves = (tf.constant([v], tf.float32) for v in (degrees, saturation, value))
    ours = augment.move_colors(ours, *moves)[0].numpy() * 255
    theirs = _stored(entry, "warped")
    # Ours is interpolated once and not twice, so it is a little sharper; the content is in place.
    difference = cv2.blur(ours, (5, 5)) - cv2.blur(theirs, (5, 5))
    inner = slice(size // 8, -size // 8)
    assert np.abs(difference[inner, inner]).mean() < 1.0
    assert np.abs(ours - theirs).mean() < 2.5
