"""A batch in parts teaches what the whole batch teaches; XLA computes the same."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.models.saehd.options import saehd_options
from dflcolab.training.augment import Sampled
from dflcolab.training.model_state import ModelState
from dflcolab.training.step import TrainingStep

TINY = {"resolution": 64, "archi": "df-ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 4}  # fmt: skip
CASES = {
    "plain": {},
    "mean gradient": {"mean_gradient": True},
    "discriminators": {
        "gan_power": 0.1,
        "gan_dims": 4,
        "gan_patch_size": 8,
        "true_face_power": 0.01,
    },
}


def _sides() -> list[Sampled]:
    generator = np.random.default_rng(0)
    sides = []
    for _ in range(2):
        values = generator.random((4, 4, 64, 64, 3), dtype=np.float32)
        warped, target, mask, eyes = (tf.constant(value) for value in values)
        sides.append(Sampled(warped, target, tf.round(mask[..., :1]), eyes[..., :1]))
    return sides


def _after(steps: int, changes: dict | None = None, **how):
    options = saehd_options({**TINY, **(changes or {})})
    state = ModelState(options, seed=0)
    step = TrainingStep(options, state, **how)
    for i in range(steps):
        losses = step.fixed_step(*_sides(), tf.constant(i, tf.int64))
    slots = {n: value for n, value in state.optimizer().items() if n.startswith("ms_")}
    return np.stack([loss.numpy() for loss in losses]), slots


@functools.cache
def _whole(case: str):
    return _after(1, CASES[case])


@pytest.mark.parametrize(
    ("parts", "case"),
    [
        pytest.param(2, "plain", marks=pytest.mark.long),
        (4, "plain"),
        (2, "mean gradient"),
        (4, "discriminators"),
    ],
)
def test_a_batch_in_parts_gives_the_losses_and_gradients_of_the_whole(parts: int, case: str):
    whole, whole_slots = _whole(case)
    losses, slots = _after(1, CASES[case], micro_batches=parts)
    np.testing.assert_allclose(losses, whole, rtol=1e-5)
    # After one step AdaBelief's mean is a tenth of the gradient, which sums thousands of float32
    # numbers in another order.
    for name, value in whole_slots.items():
        np.testing.assert_allclose(slots[name], value, rtol=1e-3, atol=1e-5 * np.abs(value).max())


def test_a_step_compiled_by_xla_gives_the_same_losses_and_gradients():
    whole, whole_slots = _whole("plain")
    losses, slots = _after(1, jit=True)
    np.testing.assert_allclose(losses, whole, rtol=1e-4)
    for name, value in whole_slots.items():
        np.testing.assert_allclose(slots[name], value, rtol=1e-2, atol=1e-4 * np.abs(value).max())
