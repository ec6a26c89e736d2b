"""Weight files written by DeepFaceLab give its outputs here, and survive the way back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dflcolab.engine.predictor import SaehdPredictor
from dflcolab.faces.face_type import FaceType
from dflcolab.formats import restricted_pickle
from dflcolab.models.options import options_from_dfl
from dflcolab.models.saehd import Saehd, SaehdSize
from dflcolab.models.weight_map import read_dfl_weights, write_dfl_weights
from dflcolab.optimizers.optimizer import Optimizer
from tests.parity.model_vectors import difference, meta_of, model_of
from tests.parity.test_archi import compare_outputs
from tests.parity.vector_cases import file_params

PREDICTION = 1e-5  # README of the vectors


@pytest.mark.parametrize("path", file_params("models", "npy_*.npz"))
def test_weights_from_files_give_the_outputs_of_deepfacelab(path: Path, tmp_path: Path):
    case = np.load(path)
    settings = meta_of(case)
    if "archi" not in settings:
        pytest.skip("This model is not part of this version.")
    model = model_of(settings)
    weights = read_dfl_weights(model, path.with_suffix(""))
    compare_outputs(case, model, weights)

    write_dfl_weights(model, weights, tmp_path)
    again = read_dfl_weights(model, tmp_path)
    assert all(np.array_equal(again[name], weights[name]) for name in weights)


@pytest.mark.parametrize("path", file_params("models", "tiny_models", "SAEHD*_predict.npz"))
def test_a_whole_model_folder_predicts_as_deepfacelab_does(path: Path):
    case = np.load(path)
    folder = path.with_name(path.name.removesuffix("_predict.npz"))
    options, model = _model_in(folder)
    prefix = _prefix(folder)
    weights = read_dfl_weights(model, folder, prefix=prefix)
    predictor = SaehdPredictor(model, weights, face_type=options.face_type)
    faces = case["x_u8"].astype(np.float32) / 255

    swap, swap_mask, dst_mask = predictor.predict(faces)

    assert difference(swap[0], case["bgr"]) < PREDICTION
    assert difference(swap_mask[0, ..., 0], case["mask_src_dst"]) < PREDICTION
    assert difference(dst_mask[0, ..., 0], case["mask_dst_dst"]) < PREDICTION


@pytest.mark.parametrize("path", file_params("models", "tiny_models", "SAEHD*_predict.npz"))
def test_the_optimizer_state_of_deepfacelab_is_taken_over(path: Path):
    import tensorflow as tf

    from dflcolab.formats.leras_weights import read_weights

    folder = path.with_name(path.name.removesuffix("_predict.npz"))
    options, model = _model_in(folder)
    state = read_weights(folder / f"{_prefix(folder)}src_dst_opt.npy")
    variables = {name: tf.Variable(tf.zeros(shape)) for name, shape in model.shapes().items()}
    optimizer = Optimizer(variables, "adabelief" if options.adabelief else "rmsprop")

    optimizer.load(state, source="the file")

    ours = optimizer.state()
    assert set(ours) == set(state)
    assert int(ours["iters:0"]) == int(state["iters:0"]) > 0
    assert all(np.array_equal(ours[key], state[key]) for key in state)


def _prefix(folder: Path) -> str:
    (data,) = folder.glob("*_SAEHD_data.dat")
    return data.name.removesuffix("data.dat")


def _model_in(folder: Path):
    (data,) = folder.glob("*_SAEHD_data.dat")
    stored = restricted_pickle.loads(data.read_bytes(), name=str(data))["options"]
    known = json.loads(json.dumps(stored, default=lambda value: value.item()))
    # These models also hold a discriminator, which prediction does not need.
    known = {name: value for name, value in known.items() if not re.search("gan|true_face", name)}
    options = options_from_dfl(known)
    assert options.face_type in FaceType
    return options, Saehd(SaehdSize.of(options))
