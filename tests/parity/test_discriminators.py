"""The discriminators, and the depth that a patch size asks for, are those of DeepFaceLab."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.models.discriminators.code import CodeDiscriminator
from dflcolab.models.discriminators.patch import (
    PatchDiscriminator,
    patch_strides,
    receptive_field,
)
from dflcolab.models.layers import Weights
from tests.parity.model_vectors import difference, formula_weights, meta_of, picture
from tests.parity.vector_cases import file_params, load_json

TOLERANCE = 5e-5  # README of the vectors


@pytest.mark.parametrize("path", file_params("models", "gan_*.npz"))
def test_the_patch_discriminator_judges_as_deepfacelabs(path: Path):
    case = np.load(path)
    settings = meta_of(case)
    network = PatchDiscriminator(
        "D_src",
        patch_size=settings["patch_size"],
        dims=settings["base_ch"],
        resolution=settings["resolution"],
    )
    assert [[conv.kernel, conv.stride] for conv in network.convs] == settings["layers"]
    weights = _weights(network, settings)

    patches, pixels = network(weights, picture(case["x_u8"]))

    assert difference(patches, case["center_out"]) < TOLERANCE
    assert difference(pixels, case["out"]) < TOLERANCE


@pytest.mark.parametrize("path", file_params("models", "codedis_*.npz"))
def test_the_code_discriminator_judges_as_deepfacelabs(path: Path):
    case = np.load(path)
    settings = meta_of(case)
    network = CodeDiscriminator("dis", n_in=settings["ae_dims"], code_size=settings["code_res"])
    logits = network(_weights(network, settings), tf.constant(case["x"]))
    assert difference(logits, case["out"]) < TOLERANCE


@pytest.mark.parametrize("path", file_params("models", "gan_layers_by_patch_size*.json"))
def test_every_patch_size_gives_the_layers_of_deepfacelab(path: Path):
    expected = {int(size): tuple(plan) for size, plan in load_json(path).items()}
    plans = {size: patch_strides(size) for size in expected}
    ours = {size: ("".join(map(str, p)), receptive_field(p)) for size, p in plans.items()}
    assert ours == expected


def _weights(network, settings) -> Weights:
    shapes = network.shapes()
    assert shapes == {name: tuple(shape) for name, shape in settings["shapes"].items()}
    values = formula_weights(shapes, settings["seed"])
    return Weights({name: tf.constant(value) for name, value in values.items()})
