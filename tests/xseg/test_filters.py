"""Filters in the graph do what OpenCV does, each face with its own setting."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tensorflow as tf

from dflcolab.imaging.filters import blursharpen, gaussian_blur_auto, motion_blur
from dflcolab.xseg.filters import (
    coarsened,
    faded_circles,
    filtered,
    gaussian_blur,
    identity_kernels,
    leveled,
    motion_kernels,
    sharpening_kernels,
)
from dflcolab.xseg.jpeg import compressed

SIZE = 64


def pictures(count: int, *, size: int = SIZE, seed: int = 0):
    generator = np.random.default_rng(seed)
    small = generator.random((count, 12, 12, 3)).astype(np.float32)
    return tf.image.resize(small, [size, size], "bicubic").numpy().clip(0, 1)


def whole(*values: int):
    return tf.constant(values, tf.int32)


def test_gaussian_blur_is_opencvs_for_every_kernel():
    kernels = [1, 3, 5, 7, 9, 31, 63, 2 * SIZE - 1]
    faces = pictures(len(kernels))
    ours = gaussian_blur(tf.constant(faces), whole(*kernels)).numpy()
    for face, blurred, kernel in zip(faces, ours, kernels, strict=True):
        # Sums of up to 127 products in float32, in another order than OpenCV's.
        np.testing.assert_allclose(blurred, gaussian_blur_auto(face, kernel), atol=2e-5)


def test_sharpening_is_that_of_the_merger():
    cases = [(1, 4, True), (2, 5, True), (3, 9, True), (5, 3, True), (4, 2, False), (5, 49, False)]
    faces = pictures(len(cases))
    sizes, amounts, box = zip(*cases, strict=True)
    kernels = sharpening_kernels(
        whole(*sizes), tf.constant(amounts, tf.float32), box=tf.constant(box)
    )
    ours = filtered(tf.constant(faces), kernels).numpy()
    for face, sharp, (size, amount, is_box) in zip(faces, ours, cases, strict=True):
        wanted = blursharpen(face, 1 if is_box else 2, size, amount)
        np.testing.assert_allclose(sharp, wanted, atol=1e-4 * max(1, amount))  # grows with it


def test_motion_blur_is_that_of_the_merger():
    cases = [(1, 0), (2, 0), (3, 45), (4, 200), (5, 359), (5, 90)]
    faces = pictures(len(cases))
    sizes, angles = zip(*cases, strict=True)
    ours = filtered(tf.constant(faces), motion_kernels(whole(*sizes), whole(*angles))).numpy()
    for face, blurred, (size, angle) in zip(faces, ours, cases, strict=True):
        np.testing.assert_allclose(blurred, motion_blur(face, size, angle), atol=1e-5)
    np.testing.assert_allclose(filtered(tf.constant(faces), identity_kernels(6)), faces, atol=1e-7)


@pytest.mark.parametrize("nearest", [True, False])
def test_shrinking_and_enlarging_is_opencvs(nearest: bool):
    sides = [64, 63, 40, 17, 16]
    faces = pictures(len(sides))
    ours = coarsened(
        tf.constant(faces), whole(*sides), nearest=tf.constant([nearest] * len(sides))
    ).numpy()
    way = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    for face, coarse, side in zip(faces, ours, sides, strict=True):
        small = cv2.resize(face, (side, side), interpolation=way)
        wanted = cv2.resize(small, (SIZE, SIZE), interpolation=way)
        np.testing.assert_allclose(coarse, wanted, atol=1e-5)


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 95, 100])
def test_compression_leaves_what_a_jpeg_file_leaves(quality: int):
    faces = pictures(3, size=96, seed=quality)
    faces[0, 30:60, 20:50] = [0.9, 0.1, 0.1]
    ours = 255 * compressed(tf.constant(faces), whole(quality, quality, quality)).numpy()
    for face, coded in zip(faces, ours, strict=True):
        eight_bit = (face * 255).astype(np.uint8)
        file = cv2.imencode(".jpg", eight_bit, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        wanted = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.float32)
        # libjpeg's integer transforms round otherwise, at times to the next step of a coefficient.
        assert np.abs(coded - wanted).mean() < 0.9
        assert np.abs(coded - wanted).mean() < 0.35 * np.abs(wanted - eight_bit).mean()


def test_levels_and_circles_follow_their_formulas():
    faces = pictures(1)
    levels = tf.constant([[[0.1] * 3], [[0.8] * 3], [[0.7] * 3], [[0.2] * 3], [[0.9] * 3]])
    part = np.clip((faces - 0.1) / 0.7, 0, 1) ** (1 / 0.7)
    np.testing.assert_allclose(
        leveled(tf.constant(faces), levels), (part * 0.7 + 0.2).clip(0, 1), atol=1e-5
    )
    circle = faded_circles(
        SIZE, tf.constant([[10.0, 40.0]]), tf.constant([5.0]), tf.constant([0.0])
    ).numpy()[0, :, :, 0]
    assert circle[10, 40] == circle[10, 45] == circle[15, 40] == 1
    assert circle[10, 46] == circle[40, 10] == 0
