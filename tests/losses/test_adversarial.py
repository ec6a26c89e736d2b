"""Style and adversarial losses: what they measure, beyond DeepFaceLab's numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.losses.adversarial import (
    binary_cross_entropy,
    fooling_loss,
    telling_loss,
    total_variation,
)
from dflcolab.losses.segmentation import grey_loss, mask_loss, to_grey
from dflcolab.losses.style import style_loss


def _logits(value: float):
    return tf.fill([2, 4, 4, 1], value)


def test_an_undecided_discriminator_pays_a_bit_for_each_output():
    np.testing.assert_allclose(binary_cross_entropy(1.0, _logits(0.0)), math.log(2), rtol=1e-6)
    undecided = telling_loss([_logits(0.0)], [_logits(0.0)])
    np.testing.assert_allclose(undecided, math.log(2), rtol=1e-6)


def test_what_helps_the_generator_costs_the_discriminator():
    fooled, caught = _logits(4.0), _logits(-4.0)
    assert (fooling_loss([fooled, fooled]) < fooling_loss([caught, caught])).numpy().all()
    real = [_logits(4.0)]
    assert (telling_loss(real, [caught]) < telling_loss(real, [fooled])).numpy().all()


def test_total_variation_adds_up_squared_steps_along_the_axes_that_it_is_told():
    picture = np.zeros((1, 4, 4, 3), np.float32)
    picture[:, :, 2:] = 0.5  # a step along the width, in 4 rows and 3 channels
    assert float(total_variation(tf.constant(picture))[0]) == pytest.approx(4 * 3 * 0.25)
    wrong = total_variation(tf.constant(picture), axes="channel_height")
    assert float(wrong[0]) == 0
    turned = tf.transpose(tf.constant(picture), [0, 2, 1, 3])
    assert float(total_variation(turned, axes="channel_height")[0]) == pytest.approx(3)


def test_style_ignores_where_things_are():
    a = tf.constant(np.random.default_rng(0).random((2, 32, 32, 3), np.float32))
    np.testing.assert_allclose(style_loss(a, a[:, ::-1, ::-1], sigma=0), 0, atol=1e-10)
    brighter = style_loss(a, a + 0.1, sigma=0, weight=3.0)
    np.testing.assert_allclose(brighter, 3 * 0.01, rtol=1e-3)
    # The variance has a floor, so flat pictures have a gradient.
    flat = tf.zeros([1, 8, 8, 3])
    with tf.GradientTape() as tape:
        tape.watch(flat)
        loss = style_loss(flat, flat + 0.5, sigma=0)
    assert np.isfinite(tape.gradient(loss, flat).numpy()).all()


def test_mask_and_grey_losses_vanish_for_what_is_right():
    mask = tf.cast(tf.range(16)[None, :, None, None] > 7, tf.float32) * tf.ones([1, 16, 16, 1])
    np.testing.assert_allclose(mask_loss(mask, (mask - 0.5) * 60), 0, atol=1e-6)
    np.testing.assert_allclose(mask_loss(mask, mask * 0), math.log(2), rtol=1e-6)
    faces = tf.constant(np.random.default_rng(1).uniform(0.1, 0.9, (1, 64, 64, 3)), tf.float32)
    grey = to_grey(faces)
    np.testing.assert_allclose(grey_loss(faces, tf.math.log(grey / (1 - grey))), 0, atol=1e-4)
