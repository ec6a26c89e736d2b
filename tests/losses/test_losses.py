"""What the losses promise beyond DeepFaceLab's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.losses.dssim import dssim
from dflcolab.losses.filters import gaussian_blur
from dflcolab.losses.reconstruction import reconstruction_parts, soft_mask


def _pictures(seed: int, size: int = 64, channels: int = 3):
    return tf.constant(np.random.default_rng(seed).random((2, size, size, channels), np.float32))


def test_equal_pictures_have_no_dissimilarity_and_others_have():
    a, b = _pictures(0), _pictures(1)
    np.testing.assert_allclose(dssim(a, a, 5), 0, atol=1e-6)
    assert (dssim(a, b, 5).numpy() > 0.3).all()
    assert dssim(a, b, 5).shape == (2, 3)


def test_half_precision_inputs_are_compared_in_float32():
    a = tf.cast(_pictures(0), tf.bfloat16)
    assert dssim(a, a, 5).dtype == tf.float32
    assert gaussian_blur(a, 2.0).dtype == tf.float32


def test_a_blur_keeps_the_inner_of_a_flat_picture_and_darkens_its_edge():
    blurred = gaussian_blur(tf.ones([1, 32, 32, 1]), 2.0).numpy()[0, ..., 0]
    np.testing.assert_allclose(blurred[8:-8, 8:-8], 1, atol=1e-6)
    assert blurred[0, 0] == pytest.approx(0.36, abs=0.05)  # a little over a quarter: zeros outside


def test_the_soft_mask_is_full_inside_and_fades_outside():
    mask = np.zeros((1, 64, 64, 1), np.float32)
    mask[:, 16:48, 16:48] = 1
    soft = soft_mask(tf.constant(mask)).numpy()[0, ..., 0]
    np.testing.assert_allclose(soft[20:44, 20:44], 1, atol=1e-6)
    assert 0 < soft[32, 14] < 1
    assert soft[32, 4] == 0


def _loss(target, mask, picture, painted_mask, *, masked=True, eyes=None, prio=False):
    eyes = tf.zeros_like(mask) if eyes is None else eyes
    return reconstruction_parts(
        target, mask, eyes, picture, painted_mask, masked_training=masked, eyes_mouth_prio=prio
    ).total.numpy()


def test_what_lies_outside_of_the_mask_counts_only_without_masked_training():
    target = _pictures(0)
    mask = np.zeros((2, 64, 64, 1), np.float32)
    mask[:, 24:40, 24:40] = 1
    mask = tf.constant(mask)
    other = target * 0.5 + 0.25
    far = tf.constant(np.pad(np.zeros((48, 48)), 8, constant_values=1)[None, ..., None], tf.float32)
    picture = target * (1 - far) + other * far
    np.testing.assert_allclose(_loss(target, mask, picture, mask), 0, atol=1e-5)
    assert (_loss(target, mask, picture, mask, masked=False) > 0.05).all()


def test_a_perfect_picture_with_a_wrong_mask_still_costs():
    target, mask = _pictures(0), tf.ones([2, 64, 64, 1])
    loss = _loss(target, mask, target, tf.zeros_like(mask))
    np.testing.assert_allclose(loss, 10, atol=1e-4)


def test_priority_weighs_eyes_and_mouth():
    target, mask = _pictures(0), tf.ones([2, 64, 64, 1])
    eyes = np.zeros((2, 64, 64, 1), np.float32)
    eyes[:, 20:24, 20:30] = 1
    picture = target + 0.1
    plain = _loss(target, mask, picture, mask, eyes=tf.constant(eyes))
    weighed = _loss(target, mask, picture, mask, eyes=tf.constant(eyes), prio=True)
    np.testing.assert_allclose(weighed - plain, 300 * 0.1 * 40 / 64**2, rtol=1e-3)
