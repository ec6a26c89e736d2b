"""Random views have DeepFaceLab's distribution, share their transform, and repeat with the seed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.training import augment
from dflcolab.training.augment import PADDING, plain_batch, sample_batch

SIZE = 64


def _faces(count: int = 2, *, seed: int = 0):
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
    big = tf.image.resize(small, [SIZE, SIZE], "bicubic").numpy().clip(0, 255).astype(np.uint8)
    masks = np.zeros((count, SIZE, SIZE, 2), np.uint8)
    masks[:, 12:52, 16:48, 0] = 255
    masks[:, 30:36, 20:44, 1] = 200
    pad = ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0))
    return np.concatenate([np.pad(big, pad, mode="edge"), np.pad(masks, pad)], axis=3)


def _seed(*values: int):
    return tf.constant(values, tf.int64)


def test_without_a_transform_every_pixel_stays():
    faces = _faces()
    still = augment.inverse_transforms(*(tf.constant([v] * 2) for v in (0.0, 1.0, 0.0, 0.0, 0.0)),
                                       SIZE)  # fmt: skip
    looked_up = augment.resample(tf.constant(faces), augment.affine_positions(still, SIZE))
    inner = faces[:, PADDING:-PADDING, PADDING:-PADDING]
    np.testing.assert_allclose(looked_up * 255, inner, atol=1e-3)
    plain = plain_batch(tf.constant(faces))
    np.testing.assert_allclose(plain.target * 255, inner[..., :3], atol=1e-3)
    np.testing.assert_array_equal(plain.warped, plain.target)


def test_the_same_seed_gives_the_same_views_and_another_seed_others():
    faces = tf.constant(_faces())
    first = sample_batch(faces, _seed(1, 5), random_warp=True, flip=True)
    again = sample_batch(faces, _seed(1, 5), random_warp=True, flip=True)
    other = sample_batch(faces, _seed(1, 6), random_warp=True, flip=True)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(first.target - other.target).mean() > 0.01


def test_only_the_input_is_warped():
    faces = tf.constant(_faces())
    warped = sample_batch(faces, _seed(1, 5), random_warp=True, flip=True)
    plain = sample_batch(faces, _seed(1, 5), random_warp=False, flip=True)
    for name in ("target", "mask", "eyes_mouth"):
        np.testing.assert_array_equal(getattr(warped, name), getattr(plain, name))
    np.testing.assert_array_equal(plain.warped, plain.target)
    assert np.abs(warped.warped - warped.target).mean() > 0.01


def test_masks_move_with_the_picture_and_end_at_its_border():
    """A picture that is its own mask stays its own mask."""
    mask = np.zeros((1, SIZE, SIZE), np.uint8)
    mask[:, 10:40, 20:64] = 255
    faces = np.repeat(mask[..., None], 5, axis=3)
    pad = ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0))
    faces = np.concatenate(
        [np.pad(faces[..., :3], pad, mode="edge"), np.pad(faces[..., 3:], pad)], axis=3
    )
    for number in range(8):
        view = sample_batch(tf.constant(faces), _seed(0, number), random_warp=False, flip=True)
        # Cubic and linear interpolation differ on the edge pixels only; where the transform looks
        # beyond the border the picture goes on and the mask does not.
        inside = view.mask.numpy() > 0.999
        assert (view.target.numpy()[..., :1][inside] > 0.8).all()
        assert inside.sum() > 500


def test_the_eyes_mouth_mask_reaches_one():
    view = sample_batch(tf.constant(_faces()), _seed(0, 0), random_warp=False, flip=False)
    np.testing.assert_allclose(tf.reduce_max(view.eyes_mouth, axis=[1, 2, 3]), 1, rtol=1e-6)
    nothing = _faces()
    nothing[..., 4] = 0
    view = sample_batch(tf.constant(nothing), _seed(0, 0), random_warp=False, flip=False)
    assert not view.eyes_mouth.numpy().any()


def test_transforms_fill_the_ranges_of_deepfacelab():
    count = 4000
    matrices = augment.random_transforms(count, SIZE, _seed(3, 4), flip=True).numpy()
    mirrored = matrices[:, 0, 0] < 0
    assert mirrored.mean() == pytest.approx(0.4, abs=0.03)  # four deviations of 4000 draws
    upright = matrices[~mirrored]
    scale = 1 / np.hypot(upright[:, 0, 0], upright[:, 1, 0])
    angle = np.degrees(np.arctan2(upright[:, 1, 0], upright[:, 0, 0]))
    assert scale.min() == pytest.approx(1 / 1.15, abs=0.002)
    assert scale.max() == pytest.approx(1.15, abs=0.002)
    assert scale.mean() == pytest.approx((1 / 1.15 + 1.15) / 2, abs=0.01)
    assert np.abs(angle).max() == pytest.approx(10, abs=0.05)
    # Where the middle goes: up to 5 % of the size in each direction.
    middle = upright @ np.array([SIZE // 2, SIZE // 2, 1.0]) - SIZE // 2
    assert np.abs(middle).max() < 0.05 * SIZE * 1.15 * 1.42
    never = augment.random_transforms(count, SIZE, _seed(3, 4), flip=False).numpy()
    assert (never[:, 0, 0] > 0).all()


def test_warp_grids_use_three_cell_sizes_and_keep_the_frame():
    displacement, cell = augment.random_grids(3000, SIZE, _seed(1, 2))
    displacement, cell = displacement.numpy(), cell.numpy()
    for size, points in ((32, 3), (16, 5), (8, 9)):
        chosen = displacement[cell == size]
        assert len(chosen) / 3000 == pytest.approx(1 / 3, abs=0.04)
        assert not chosen[:, 0].any()
        assert not chosen[:, points - 1 :].any()
        inner = chosen[:, 1 : points - 1, 1 : points - 1] / (0.24 * size)
        # Sum of two normals cut at 2.5 deviations and divided by 2.5.
        assert inner.std() == pytest.approx(np.sqrt(2) * 0.9546 / 2.5, rel=0.05)
        assert np.abs(inner).max() < 2


def test_colors_shift_and_stay_colors():
    pictures = plain_batch(tf.constant(_faces(4))).target
    shifted = augment.shift_colors(pictures, _seed(0, 1), 0.1).numpy()
    assert shifted.min() >= 0
    assert shifted.max() <= 1
    change = np.abs(shifted - pictures.numpy()).mean(axis=(1, 2, 3))
    assert (change > 0.001).all()
    assert (change < 0.15).all()
