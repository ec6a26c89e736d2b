"""AdaBelief and RMSprop, clipped, tiny and with the cosine, equal DeepFaceLab step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.optimizers.optimizer import Optimizer, OptimizerSettings
from tests.parity.model_vectors import difference
from tests.parity.vector_cases import file_params, vector_files

TOLERANCE = 1e-6  # README of the vectors
RATE = 1e-3


def _cases():
    found = []
    for path in vector_files("models", "optimizers*.npz"):
        with np.load(path) as case:
            tags = sorted({key.split("/")[0] for key in case.files if "/" in key})
        found += [pytest.param(path, tag, id=f"{path.stem}-{tag}") for tag in tags]
    return found or [pytest.param(*2 * file_params("models", "optimizers*.npz"))]


@pytest.mark.parametrize(("path", "tag"), _cases())
def test_steps_equal_those_of_deepfacelab(path: Path, tag: str):
    case = np.load(path)
    kind = tag.split("_")[0]
    count = sum(key.startswith(f"{tag}/p0_") for key in case.files)
    names = [f"net_{tag}/v{i}:0" for i in range(count)]
    variables = {n: tf.Variable(case[f"{tag}/p0_{i}"]) for i, n in enumerate(names)}
    optimizer = Optimizer(variables, kind)
    settings = OptimizerSettings(
        kind=kind,
        learning_rate=RATE,
        clip_norm=1.0 if "clip" in tag else 0.0,
        cosine_period=10 if "lrcos10" in tag else 0,
    )
    steps = sum(key.startswith(f"{tag}/g") and key.endswith("_0") for key in case.files)
    for step in range(1, steps + 1):
        gradients = {n: tf.constant(case[f"{tag}/g{step}_{i}"]) for i, n in enumerate(names)}
        optimizer.apply(gradients, settings)
        for i, name in enumerate(names):
            if f"{tag}/p{step}_{i}" in case:
                assert difference(variables[name], case[f"{tag}/p{step}_{i}"]) < TOLERANCE
    ours = optimizer.state()
    theirs = {
        key.removeprefix(f"{tag}/state/"): case[key]
        for key in case.files
        if key.startswith(f"{tag}/state/")
    }
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        assert difference(ours[key], value) < TOLERANCE
