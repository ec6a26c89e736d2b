"""Training from DeepFaceLab's weights on its batches gives its losses and gradients."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.models.kinds import options_from_dfl
from dflcolab.models.layers import Weights
from dflcolab.models.options import SwapOptions
from dflcolab.training.augment import Sampled
from dflcolab.training.model_state import ModelState
from dflcolab.training.objective import Batch
from dflcolab.training.step import TrainingStep
from tests.parity.model_vectors import formula_weights, meta_of, picture
from tests.parity.vector_cases import file_params

# Relative tolerances of the vectors' README. DeepFaceLab updates weights while it still
# backpropagates, so its own later losses are not reproducible, except with clipgrad.
FIRST_LOSS = 2e-5
GRADIENT_NORM = 1e-3
LATER_LOSSES = 2e-2
CLIPPED = 1e-4


@pytest.mark.parametrize("path", file_params("models", "traj_*.npz"))
def test_a_training_run_follows_that_of_deepfacelab(path: Path):
    case = np.load(path)
    if "meta" not in case:
        pytest.skip("This file holds inputs only.")
    settings = meta_of(case)
    options = _options(settings)
    state = _state(options, settings)
    variables = state.variables
    assert {n: tuple(v.shape) for n, v in variables.items()} == {
        name: tuple(shape) for name, shape in settings["shapes"].items()
    }
    step = TrainingStep(options, state)
    batch = Batch(*(_side(path.parent, settings, side) for side in ("src", "dst")))
    _compare_views(case, settings, step, state, batch)

    gradients = _gradients(step, batch)
    expected = {k: v for k, v in settings["grad_iter0"].items() if k in variables}
    # The files hold no gradient of the code discriminator.
    assert set(gradients) - set(expected) <= {n for n in variables if n.startswith("dis/")}
    assert set(expected) <= set(gradients)
    for name, (_, _, norm, *first) in expected.items():
        ours = gradients[name].numpy().ravel()
        assert np.linalg.norm(ours) == pytest.approx(norm, rel=GRADIENT_NORM, abs=1e-7), name
        np.testing.assert_allclose(ours[: len(first)], first, atol=1e-3 * norm + 1e-7)

    frozen = {name: variables[name].numpy() for name in set(variables) - set(gradients)}
    losses = [step.fixed_step(*batch) for _ in range(settings["iters"])]
    clipped = isinstance(options, SwapOptions) and options.clipgrad
    later = CLIPPED if clipped else LATER_LOSSES
    for side, theirs in enumerate((case["src_loss"], case["dst_loss"])):
        ours = np.stack([pair[side].numpy() for pair in losses])
        if theirs.ndim == 1:  # Quick96 stores the mean of the batch
            ours = ours.mean(axis=1)
        np.testing.assert_allclose(ours[0], theirs[0], rtol=FIRST_LOSS)
        np.testing.assert_allclose(ours, theirs, rtol=later)
    for name, before in frozen.items():
        np.testing.assert_array_equal(variables[name].numpy(), before)
    ours = _all_numbers(state)
    assert set(ours) == set(settings["final_stats"])
    if clipped:
        for key, (_, _, norm, *_) in settings["final_stats"].items():
            assert np.linalg.norm(ours[key]) == pytest.approx(norm, rel=CLIPPED, abs=1e-7), key


def _options(settings):
    options = options_from_dfl(settings["cls"], settings["options"])
    if settings["cls"] == "AMP":
        # AMP always computes channels first, where DeepFaceLab takes the wrong axes.
        options = dataclasses.replace(options, tv_axes_of_gpu=True)
    return options


def _state(options, settings) -> ModelState:
    shapes = {name: tuple(shape) for name, shape in settings["shapes"].items()}
    return ModelState(options, seed=0, weights=formula_weights(shapes, settings["seed"]))


def _side(folder: Path, settings, side: str) -> Sampled:
    inputs = np.load(folder / settings["inputs"])
    repeat = settings["upsample"]

    def load(name):
        return picture(inputs[f"{name}_{side}_u8"].repeat(repeat, 1).repeat(repeat, 2))

    return Sampled(load("warped"), load("target"), load("mask"), load("em"))


def _gradients(step: TrainingStep, batch: Batch) -> dict[str, tf.Tensor]:
    """Of all stages, on the weights before any of them."""
    found = {}
    for stage in step.objective.stages:
        found |= step.gradients(stage, batch, tf.zeros([2], tf.int64))[1]
    return found


def _compare_views(case, settings, step: TrainingStep, state: ModelState, batch: Batch) -> None:
    """What the untrained model paints of the unwarped targets."""
    model, weights = step.objective.model, Weights(state.variables)
    src, dst = batch.src.target, batch.dst.target
    if settings["cls"] == "AMP":
        channels = model.random_channels(src.shape[0], tf.zeros([2], tf.int64))
        src_face, dst_face = model.reconstruct(weights, src, dst, channels)
        swap = model.swap(weights, dst, morph=0.5)
    else:
        src_face, dst_face = model.reconstruct(weights, src, dst)
        swap = model.swap(weights, dst)
    for name, ours in {
        "src_src": src_face.picture,
        "dst_dst": dst_face.picture,
        "dst_dst_mask": dst_face.mask,
        "src_dst": swap.picture,
        "src_dst_mask": swap.mask,
    }.items():
        flat = ours.numpy().astype(np.float64)
        if settings["data_format"] == "NCHW":
            flat = flat.transpose(0, 3, 1, 2)
        found = [flat.mean(), flat.std(), np.linalg.norm(flat), *flat.ravel()[:5]]
        np.testing.assert_allclose(found, case[f"view_{name}_stats"], rtol=FIRST_LOSS)


def _all_numbers(state: ModelState) -> dict[str, np.ndarray]:
    """Variables and slots, under the names that the vectors give them."""
    found = {name: variable.numpy() for name, variable in state.variables.items()}
    for name, optimizer in state.optimizers.items():
        found |= {f"{name}/{key}": value for key, value in optimizer.state().items()}
    return found
