"""Src faces take over dst's colors while a model trains, and a resumed run goes on the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.config import from_mapping
from dflcolab.engine.loss_history import read_losses
from dflcolab.models.options import ColorTransfer
from dflcolab.pipeline.train import train
from dflcolab.training.augment import PADDING, sample_batch
from dflcolab.training.color_match import (
    FaceColors,
    color_change,
    match_colors,
    moments_of,
    points_of,
)
from dflcolab.training.config import TrainConfig
from dflcolab.workspace.workspace import Workspace

pytestmark = pytest.mark.usefixtures("steps_again")

MODES = [mode for mode in ColorTransfer if mode is not ColorTransfer.NONE]
SIZE = 64


def _pictures(count: int, low: int, high: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    small = generator.integers(low, high, (count, 6, 6, 3)).astype(np.float32)
    return tf.image.resize(small, [SIZE, SIZE], "bicubic").numpy().clip(0, 255).astype(np.uint8)


def _faces(pictures: np.ndarray) -> np.ndarray:
    pad = ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0))
    masks = np.full((*pictures.shape[:3], 2), 200, np.uint8)
    return np.concatenate([np.pad(pictures, pad, mode="edge"), np.pad(masks, pad)], axis=3)


def _colors(pictures: np.ndarray) -> FaceColors:
    moments = np.stack([moments_of(picture) for picture in pictures])
    return FaceColors(moments, moments, np.stack([points_of(picture) for picture in pictures]))


def _change(mode: ColorTransfer, src: np.ndarray, dst: np.ndarray):
    indices = np.arange(len(src))
    return tf.constant(color_change(mode, _colors(src), indices, _colors(dst), indices))


def _seed(number: int = 0):
    return tf.constant([number, 1], tf.int64)


@pytest.mark.parametrize("mode", MODES)
def test_each_face_takes_the_colors_of_its_own_reference(mode: ColorTransfer):
    src = _pictures(2, 60, 200, 0)
    dst = np.concatenate([_pictures(1, 20, 90, 1), _pictures(1, 120, 250, 2)])
    faces = tf.constant(_faces(src))

    changed = match_colors(mode, faces, _change(mode, src, dst), _seed()).numpy()

    inner = changed[:, PADDING:-PADDING, PADDING:-PADDING, :3].astype(float)
    before, after, wanted = (part.mean(axis=(1, 2)) for part in (src.astype(float), inner, dst))
    if mode is ColorTransfer.IDT:  # 20 steps of a 20th of what is left: 64 % of the way, as in DFL
        assert (np.abs(after - wanted) < 0.5 * np.abs(before - wanted)).all()
    else:  # cutting to 0..255 moves means a little, and sot ends before it is quite there
        np.testing.assert_allclose(after, wanted, atol=6 if mode is ColorTransfer.SOT else 3)
    np.testing.assert_array_equal(changed[..., 3:], faces[..., 3:])


@pytest.mark.parametrize("mode", MODES)
def test_the_input_and_what_it_should_become_have_the_same_colors(mode: ColorTransfer):
    src, dst = _pictures(2, 60, 200, 0), _pictures(2, 20, 120, 1)
    changed = match_colors(mode, tf.constant(_faces(src)), _change(mode, src, dst), _seed())
    view = sample_batch(changed, _seed(), random_warp=False, flip=True)
    np.testing.assert_array_equal(view.warped, view.target)


@pytest.mark.parametrize("mode", [ColorTransfer.IDT, ColorTransfer.SOT])
def test_random_transfers_repeat_with_their_seed(mode: ColorTransfer):
    src, dst = _pictures(2, 60, 200, 0), _pictures(2, 20, 120, 1)
    faces, change = tf.constant(_faces(src)), _change(mode, src, dst)
    first, again, other = (match_colors(mode, faces, change, _seed(n)).numpy() for n in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("mode", MODES)
def test_a_flat_picture_takes_a_flat_color(mode: ColorTransfer):
    """No spread to divide by, and one filled bin in each histogram."""
    src, dst = (np.full((1, SIZE, SIZE, 3), value, np.uint8) for value in (0, 90))
    changed = match_colors(mode, tf.constant(_faces(src)), _change(mode, src, dst), _seed())
    colors = changed.numpy()[..., :3].astype(float)
    assert colors.std(axis=(0, 1, 2)).max() < 1
    if mode is ColorTransfer.IDT:  # in directions where dst is lower, DFL's histograms see nothing
        assert (colors > 10).all()
        assert (colors < 90).all()
    else:
        np.testing.assert_allclose(colors, 90, atol=2)


def _train(root: Path, name: str, target: int, *settings: str) -> np.ndarray:
    config = from_mapping(
        TrainConfig,
        {"model": name, "preset": "tiny", "target_iter": target, "set": list(settings)},
    )
    workspace = Workspace.open(root)
    train(workspace, config)
    return read_losses(workspace.model_dir(name) / "losses.bin")


def test_training_with_color_transfer_differs_and_goes_on_where_it_was(face_workspace: Path):
    plain = _train(face_workspace, "plain", 4)
    whole = _train(face_workspace, "whole", 4, "ct_mode=rct")
    _train(face_workspace, "parts", 2, "ct_mode=rct")

    resumed = _train(face_workspace, "parts", 4)

    np.testing.assert_allclose(resumed, whole, rtol=1e-5)
    # Only the colors of src differ, so the first loss of dst is the same and that of src is not.
    assert whole[0, 1] == pytest.approx(plain[0, 1], rel=1e-5)
    assert whole[0, 0] != pytest.approx(plain[0, 0], rel=1e-3)


@pytest.mark.long
def test_color_transfer_can_be_switched_on_and_off_between_runs(face_workspace: Path):
    _train(face_workspace, "m", 2)
    _train(face_workspace, "m", 4, "ct_mode=sot")
    losses = _train(face_workspace, "m", 6, "ct_mode=none")
    assert len(losses) == 6
    assert np.isfinite(losses).all()
