"""Training from DeepFaceLab's weights on its batches gives its losses and gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.errors import ConfigError
from dflcolab.models.kinds import options_from_dfl
from dflcolab.models.saehd.network import Saehd, SaehdSize
from dflcolab.optimizers.optimizer import Optimizer
from dflcolab.training.augment import Sampled
from dflcolab.training.step import TrainingStep
from tests.parity.model_vectors import formula_weights, meta_of, picture
from tests.parity.vector_cases import file_params

# Relative tolerances of the vectors' README. DeepFaceLab updates weights while it still
# backpropagates, so its own later losses are not reproducible, except with clipgrad.
FIRST_LOSS = 2e-5
GRADIENT_NORM = 1e-3
LATER_LOSSES = 2e-2
CLIPPED = 1e-4


def _options(settings):
    if settings["cls"] != "SAEHD":
        pytest.skip(f"{settings['cls']} is not part of this version.")
    try:
        return options_from_dfl("SAEHD", settings["options"])
    except ConfigError as error:
        pytest.skip(str(error))


def _batch(folder: Path, settings, side: str) -> Sampled:
    inputs = np.load(folder / settings["inputs"])
    repeat = settings["upsample"]

    def load(name):
        return picture(inputs[f"{name}_{side}_u8"].repeat(repeat, 1).repeat(repeat, 2))

    return Sampled(load("warped"), load("target"), load("mask"), load("em"))


@pytest.mark.parametrize("path", file_params("models", "traj_*.npz"))
def test_a_training_run_follows_that_of_deepfacelab(path: Path):
    case = np.load(path)
    if "meta" not in case:
        pytest.skip("This file holds inputs only.")
    settings = meta_of(case)
    options = _options(settings)
    model = Saehd(SaehdSize.of(options))
    values = formula_weights(model.shapes(), settings["seed"])
    variables = {name: tf.Variable(value) for name, value in values.items()}
    optimizer = Optimizer(variables, "adabelief" if options.adabelief else "rmsprop")
    step = TrainingStep(model, variables, optimizer, options)
    src, dst = (_batch(path.parent, settings, side) for side in ("src", "dst"))

    _, _, gradients = step.losses_and_gradients(src, dst)
    expected = {k: v for k, v in settings["grad_iter0"].items() if k in variables}
    assert set(expected) == set(gradients)
    for name, (_, _, norm, *first) in expected.items():
        ours = gradients[name].numpy().ravel()
        assert np.linalg.norm(ours) == pytest.approx(norm, rel=GRADIENT_NORM, abs=1e-7)
        np.testing.assert_allclose(ours[: len(first)], first, atol=1e-3 * norm + 1e-7)

    frozen = {name: variables[name].numpy() for name in set(variables) - set(gradients)}
    losses = [step.fixed_step(src, dst) for _ in range(settings["iters"])]
    later = CLIPPED if options.clipgrad else LATER_LOSSES
    for side, theirs in enumerate((case["src_loss"], case["dst_loss"])):
        ours = np.stack([pair[side].numpy() for pair in losses])
        np.testing.assert_allclose(ours[0], theirs[0], rtol=FIRST_LOSS)
        np.testing.assert_allclose(ours, theirs, rtol=later)
    for name, before in frozen.items():
        np.testing.assert_array_equal(variables[name].numpy(), before)
    if options.clipgrad:
        ours = {name: variable.numpy() for name, variable in variables.items()}
        ours |= {f"src_dst_opt/{key}": value for key, value in optimizer.state().items()}
        for key, (_, _, norm, *_) in settings["final_stats"].items():
            assert np.linalg.norm(ours[key]) == pytest.approx(norm, rel=CLIPPED, abs=1e-7), key
