"""Update dropout, the cosine, and what loading refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.errors import CheckpointError
from dflcolab.optimizers import optimizer as module
from dflcolab.optimizers.optimizer import Optimizer, OptimizerSettings


def _optimizer(kind="rmsprop", shape=(100, 100)):
    variables = {"net/w:0": tf.Variable(tf.zeros(shape))}
    return variables["net/w:0"], Optimizer(variables, kind)


def test_dropout_changes_three_weights_in_ten_and_all_slots():
    variable, optimizer = _optimizer()
    settings = OptimizerSettings(kind="rmsprop", learning_rate=1.0, dropout_keep=0.3)
    seed = tf.constant([1, 2], tf.int64)
    optimizer.apply({"net/w:0": tf.ones([100, 100])}, settings, seed=seed)
    changed = variable.numpy() != 0
    assert changed.mean() == pytest.approx(0.3, abs=0.02)  # four deviations of 10 000 draws
    assert (optimizer.state()["acc_net/w_0:0"] > 0).all()

    again, other = _optimizer()
    other.apply({"net/w:0": tf.ones([100, 100])}, settings, seed=seed)
    np.testing.assert_array_equal(again.numpy(), variable.numpy())


def test_the_cosine_brings_the_rate_to_zero_and_back():
    rates = []
    settings = OptimizerSettings(kind="rmsprop", learning_rate=1.0, cosine_period=8)
    variable, optimizer = _optimizer(shape=(1,))
    for _ in range(8):
        optimizer.load({"iters:0": np.int64(len(rates)), "acc_net/w_0:0": np.zeros(1)}, source="x")
        before = float(variable.numpy()[0])
        optimizer.apply({"net/w:0": tf.ones([1])}, settings)
        rates.append(before - float(variable.numpy()[0]))
    expected = [(math.cos(2 * math.pi * t / 8) + 1) / 2 / math.sqrt(0.1) for t in range(1, 9)]
    np.testing.assert_allclose(rates, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["adabelief", "rmsprop"])
def test_the_fused_update_equals_the_plain_one(kind, monkeypatch):
    results = []
    for limit in (1, 10**9):
        monkeypatch.setattr(module, "_WORTH_FUSING", limit)
        variable, optimizer = _optimizer(kind, shape=(50, 20))
        generator = np.random.default_rng(0)
        for _ in range(3):
            gradient = generator.standard_normal((50, 20)).astype(np.float32)
            optimizer.apply({"net/w:0": tf.constant(gradient)}, OptimizerSettings(kind=kind))
        results.append(variable.numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-8)


def test_switching_the_kind_keeps_the_count_and_starts_the_slots_anew():
    _, old = _optimizer("rmsprop")
    old.apply({"net/w:0": tf.ones([100, 100])}, OptimizerSettings(kind="rmsprop"))
    _, new = _optimizer("adabelief")
    new.load(old.state(), source="x")
    state = new.state()
    assert state["iters:0"] == 1
    assert not state["ms_net/w_0:0"].any()


def test_a_missing_or_misshapen_slot_is_named():
    _, optimizer = _optimizer()
    state = optimizer.state()
    with pytest.raises(CheckpointError, match="step count"):
        optimizer.load({}, source="x")
    with pytest.raises(CheckpointError, match=r"acc_net/w_0:0 has shape"):
        optimizer.load(state | {"acc_net/w_0:0": np.zeros(3)}, source="x")
    variables = {name: tf.Variable(tf.zeros(3)) for name in ("net/w:0", "net/v:0")}
    with pytest.raises(CheckpointError, match="lacks acc_net/v"):
        Optimizer(variables, "rmsprop").load(
            {"iters:0": np.int64(0), "acc_net/w_0:0": np.zeros(3)}, source="x"
        )
