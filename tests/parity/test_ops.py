"""The building blocks equal DeepFaceLab's operations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.models import layers
from dflcolab.models.xseg.layers import FilterResponseNorm, ThresholdedLinear, blur_pool
from tests.parity.model_vectors import difference
from tests.parity.vector_cases import file_params

TOLERANCE = 1e-5  # README of the vectors


@pytest.mark.parametrize("path", file_params("models", "ops*.npz"))
def test_rearrangements_equal_those_of_deepfacelab(path: Path):
    case = np.load(path)
    x = tf.constant(case["x"])
    _, height, width, channels = x.shape
    flat = layers.flatten(x)
    assert difference(layers.depth_to_space(x), case["depth_to_space_2"]) == 0
    assert difference(flat, case["flatten"]) == 0
    assert difference(layers.pixel_norm(flat), case["pixel_norm_flat"]) < TOLERANCE
    (key,) = [key for key in case.files if key.startswith("reshape_4D")]
    assert difference(layers.unflatten(flat, height, width, channels), case[key]) == 0


@pytest.mark.parametrize("path", file_params("models", "ops*.npz"))
@pytest.mark.parametrize("kind", ["conv5s2", "conv4s2", "conv3s2", "conv7s2", "conv3s1"])
def test_convolutions_equal_those_of_deepfacelab(path: Path, kind: str, monkeypatch):
    case = np.load(path)
    if f"{kind}_out" not in case:
        pytest.skip(f"{path.name} has no {kind}.")
    weight = case[f"{kind}_weight"]
    conv = layers.Conv("c", weight.shape[2], weight.shape[3], weight.shape[0], int(kind[-1]))
    weights = layers.Weights({"c/weight:0": weight, "c/bias:0": case[f"{kind}_bias"]})
    assert difference(conv(weights, tf.constant(case["x"])), case[f"{kind}_out"]) < TOLERANCE
    if kind.endswith("s1"):
        # The same convolution as one matrix product, which is used where weights are many.
        monkeypatch.setattr(layers, "_WEIGHTS_PER_POSITION", 0)
        assert difference(conv(weights, tf.constant(case["x"])), case[f"{kind}_out"]) < TOLERANCE


@pytest.mark.parametrize("path", file_params("models", "ops*.npz"))
@pytest.mark.parametrize("kind", ["convT3s2", "convT3s1"])
def test_transposed_convolutions_equal_those_of_deepfacelab(path: Path, kind: str):
    case = np.load(path)
    weight = case[f"{kind}_weight"]
    conv = layers.ConvTranspose("c", weight.shape[3], weight.shape[2], stride=int(kind[-1]))
    weights = layers.Weights({"c/weight:0": weight, "c/bias:0": case[f"{kind}_bias"]})
    assert difference(conv(weights, tf.constant(case["x"])), case[f"{kind}_out"]) < TOLERANCE


@pytest.mark.parametrize("path", file_params("models", "ops*.npz"))
def test_norm_threshold_and_pooling_equal_those_of_deepfacelab(path: Path):
    case = np.load(path)
    x = tf.constant(case["x"])
    names = {"n/weight:0": "frn_w", "n/bias:0": "frn_b", "n/eps:0": "frn_eps", "t/tau:0": "tlu_tau"}
    weights = layers.Weights({name: case[key] for name, key in names.items()})
    normed = FilterResponseNorm("n", x.shape[3])(weights, x)
    assert difference(normed, case["frn"]) < TOLERANCE
    assert (
        difference(ThresholdedLinear("t", x.shape[3])(weights, normed), case["frn_tlu"]) < TOLERANCE
    )
    for taps in (2, 3, 4):
        assert difference(blur_pool(x, taps), case[f"blurpool{taps}"]) < TOLERANCE
