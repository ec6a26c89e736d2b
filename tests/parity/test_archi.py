"""df and liae with every letter reproduce DeepFaceLab's outputs from its own weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.models.layers import Weights
from tests.parity.model_vectors import difference, formula_weights, meta_of, model_of, picture
from tests.parity.vector_cases import file_params

TOLERANCE = 5e-5  # README of the vectors: what an independent float32 implementation should reach


def test_the_weight_formula_gives_the_published_check_value():
    name = "encoder/down1/downs_0/conv1/bias:0"
    values = formula_weights({name: (3,)}, seed=11)[name]
    np.testing.assert_allclose(values, [0.07440957, 0.05334456, -0.07731307], atol=1e-8)


@pytest.mark.parametrize("path", file_params("models", "archi_*.npz"))
def test_network_outputs_equal_those_of_deepfacelab(path: Path):
    case = np.load(path)
    settings = meta_of(case)
    model = model_of(settings)
    shapes = model.shapes()
    if settings["shapes"]:
        theirs = {name: tuple(shape) for name, shape in settings["shapes"].items()}
        assert shapes == theirs
    compare_outputs(case, model, formula_weights(shapes, settings["seed"]))


def compare_outputs(case, model, values):
    """All intermediate and final outputs of one model for the stored picture."""
    weights = Weights({name: tf.constant(value) for name, value in values.items()})
    code = model.encoder(weights, picture(case["x_u8"]))
    assert difference(code, case["enc"]) < TOLERANCE
    inters = {name: inter(weights, code) for name, inter in model.inters.items()}
    for name, inter in inters.items():
        assert difference(inter, case[name]) < TOLERANCE
    if model.is_liae:
        ab, b = inters["inter_AB"], inters["inter_B"]
        src = model.decoders["decoder"](weights, tf.concat([ab, ab], axis=3))
        dst = model.decoders["decoder"](weights, tf.concat([b, ab], axis=3))
    else:
        src = model.decoders["decoder_src"](weights, inters["inter"])
        dst = model.decoders["decoder_dst"](weights, inters["inter"])
    for side, (image, mask) in {"src": src, "dst": dst}.items():
        assert difference(image, case[f"{side}_img"]) < TOLERANCE
        assert difference(mask, case[f"{side}_mask"]) < TOLERANCE
    # The shared passes that training and merging use give the same pictures.
    x = picture(case["x_u8"])
    both_src, both_dst = model.reconstruct(weights, x, x)
    assert difference(both_src.picture, case["src_img"]) < TOLERANCE
    assert difference(both_dst.mask, case["dst_mask"]) < TOLERANCE
    swap, own = model.swap_and_dst(weights, x)
    assert difference(swap.picture, case["src_img"]) < TOLERANCE
    assert difference(own.picture, case["dst_img"]) < TOLERANCE
    assert difference(model.swap(weights, x).mask, case["src_mask"]) < TOLERANCE
