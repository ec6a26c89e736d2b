"""Random views have DeepFaceLab's distribution, share their transform, and repeat with the seed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

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


def _transforms(count: int = 20_000):
    """Scale, angle and shift (pixels of `SIZE`) of upright ones, and the share of mirrored ones."""
    matrices = augment.random_transforms(count, SIZE, _seed(7, 9), flip=True).numpy()
    mirrored = matrices[:, 0, 0] < 0
    upright = matrices[~mirrored].astype(np.float64)
    forward = np.linalg.inv(upright[:, :, :2])
    scale = np.hypot(forward[:, 0, 0], forward[:, 1, 0])
    angle = np.degrees(np.arctan2(forward[:, 0, 1], forward[:, 0, 0]))
    middle = np.array([SIZE // 2, SIZE // 2], np.float64)
    # Where the middle of the face comes to lie in the view.
    shift = (forward @ (middle - upright[:, :, 2])[..., None])[..., 0] - middle
    return scale, angle, shift, mirrored


def test_transforms_are_drawn_evenly_and_independently():
    """Kolmogorov-Smirnov on 12,000 draws; 1e-4 is a bound that a fixed seed either meets or not."""
    scale, angle, shift, mirrored = _transforms()
    expected = {
        "scale": (scale, 1 / 1.15, 1.15),
        "angle": (angle, -10, 10),
        "shift x": (shift[:, 0] / SIZE, -0.05, 0.05),
        "shift y": (shift[:, 1] / SIZE, -0.05, 0.05),
    }
    for name, (values, low, high) in expected.items():
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4, name
    related = np.corrcoef([scale, angle, shift[:, 0], shift[:, 1]]) - np.eye(4)
    assert np.abs(related).max() < 4 / np.sqrt(len(scale))
    assert stats.binomtest(int(mirrored.sum()), len(mirrored), 0.4).pvalue > 1e-4


def test_the_two_sides_and_the_faces_of_a_batch_have_transforms_of_their_own():
    first = augment.random_transforms(500, SIZE, _seed(1, 1), flip=False).numpy()
    second = augment.random_transforms(500, SIZE, _seed(1, 2), flip=False).numpy()
    assert len(np.unique(first[:, 0, 0])) > 490
    assert abs(np.corrcoef(first[:, 0, 1], second[:, 0, 1])[0, 1]) < 4 / np.sqrt(500)


def test_warps_are_sums_of_two_cut_normals_and_symmetric_about_the_diagonal():
    displacement, cell = (v.numpy() for v in augment.random_grids(6000, SIZE, _seed(5, 6)))
    counts = [(cell == size).sum() for size in (32, 16, 8)]
    assert stats.chisquare(counts).pvalue > 1e-4
    noise = displacement[cell == 8][:, 1:8, 1:8].reshape(-1) / (0.24 * 8)
    # The same sum, drawn by the book: values beyond 2.5 are drawn again.
    generator = np.random.default_rng(0)
    cut = stats.truncnorm(-2.5, 2.5).rvs((2, 50_000), random_state=generator) / 2.5
    assert stats.ks_2samp(noise[:50_000], cut.sum(axis=0)).pvalue > 1e-4
    # Noise of both maps lands in both, so the field is symmetric and sqrt(2) as strong.
    seeds = displacement[:50]
    positions = tf.tile(
        tf.stack(tf.meshgrid(*2 * [tf.range(SIZE, dtype=tf.float32)]))[None], [50, 1, 1, 1]
    )
    warped = augment.warp_positions(positions, (tf.constant(seeds), tf.constant(cell[:50])), SIZE)
    warped = warped.numpy()
    np.testing.assert_allclose(warped[:, 1], warped[:, 0].transpose(0, 2, 1), atol=1e-4)


def test_neighbouring_iterations_draw_unrelated_warps():
    first, second = (
        augment.random_grids(400, SIZE, _seed(0, number))[0].numpy()[:, 1, 1] for number in (1, 2)
    )
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(400)


def test_color_moves_have_the_range_of_deepfacelab():
    """A plain reddish picture shows what was drawn: hue, saturation and value can be read off."""
    count, power = 4000, 0.1
    hsv = np.array([0.5, 0.5, 0.5], np.float32)
    picture = tf.image.hsv_to_rgb(np.tile(hsv, (count, 1, 1, 1)))[..., ::-1]
    shifted = augment.shift_colors(picture, _seed(2, 3), power)
    found = tf.image.rgb_to_hsv(shifted[..., ::-1]).numpy()[:, 0, 0] - hsv
    degrees = np.round(found[:, 0] * 360)
    np.testing.assert_allclose(found[:, 0] * 360, degrees, atol=0.01)  # whole degrees
    assert sorted(set(degrees)) == list(range(-18, 19))
    assert stats.chisquare(np.bincount((degrees + 18).astype(int))).pvalue > 1e-4
    for name, column in (("saturation", 1), ("value", 2)):
        even = stats.uniform(-power / 2, power).cdf
        assert stats.kstest(found[:, column], even).pvalue > 1e-4, name


def test_warped_pictures_darken_at_the_right_and_below_as_deepfacelabs_do():
    """Its warp looks half a pixel beyond the picture, where there is nothing."""
    white = np.full((1, SIZE + 2 * PADDING, SIZE + 2 * PADDING, 5), 255, np.uint8)
    for number in range(20):
        view = sample_batch(tf.constant(white), _seed(3, number), random_warp=True, flip=False)
        np.testing.assert_allclose(view.target, 1, atol=1e-5)
        dark = view.warped.numpy()[0, ..., 0] < 0.75
        rows, columns = np.nonzero(dark)
        assert (np.maximum(rows, columns) > 0.75 * SIZE).all()
