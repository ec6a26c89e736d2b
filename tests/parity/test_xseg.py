"""The XSeg network gives DeepFaceLab's masks, from a formula's weights and from a file of its."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.losses.segmentation import mask_loss
from dflcolab.models.layers import Weights
from dflcolab.models.weight_map import read_dfl_weights, write_dfl_weights
from dflcolab.models.xseg.network import XSeg
from tests.parity.model_vectors import difference, formula_weights, meta_of, picture
from tests.parity.vector_cases import file_params, vectors_root

TOLERANCE = 1e-4  # README of the vectors


@pytest.mark.parametrize("path", file_params("models", "xseg_*.npz"))
def test_mask_logits_equal_those_of_deepfacelab(path: Path):
    case = np.load(path)
    settings = meta_of(case)
    network = XSeg(settings["base_ch"])
    shapes = network.shapes()
    assert shapes == {name: tuple(shape) for name, shape in settings["shapes"].items()}
    if settings.get("weights", "formula") == "npy":
        folder = path.with_name(f"npy_{path.stem.removesuffix('_npy')}")
        values = read_dfl_weights(network.networks, folder)
    else:
        values = formula_weights(shapes, settings["seed"])
    weights = Weights({name: tf.constant(value) for name, value in values.items()})
    x = picture(case["x_u8"])

    logits = network(weights, x)
    assert difference(logits, case["logits"]) < TOLERANCE
    target = case["target_u8"].astype(np.float32) / 255
    assert difference(mask_loss(target, logits), case["bce_loss"]) < TOLERANCE
    pretrained = network(weights, x, pretrain=True).numpy()
    assert difference(pretrained[:, ::8, ::8], case["pretrain_logits_sub8"]) < TOLERANCE
    ours = [pretrained.mean(), pretrained.std(), pretrained.min(), pretrained.max()]
    assert difference(ours, case["pretrain_logits_stats"]) < TOLERANCE


def test_a_file_of_deepfacelab_survives_the_way_through_here(tmp_path: Path):
    folder = vectors_root() / "models" / "npy_xseg_base1"
    if not folder.is_dir():
        pytest.skip("These vectors hold no XSeg file.")
    network = XSeg(1)
    weights = read_dfl_weights(network.networks, folder)

    (written,) = write_dfl_weights(network.networks, weights, tmp_path)

    assert written.name == "XSeg_256.npy"
    again = read_dfl_weights(network.networks, tmp_path)
    assert all(np.array_equal(again[name], value) for name, value in weights.items())
