"""Weight files written by DeepFaceLab give its outputs here, and survive the way back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.engine.predictor import Predictor
from dflcolab.formats import restricted_pickle
from dflcolab.formats.leras_weights import read_weights
from dflcolab.models.build import groups_of, swap_model
from dflcolab.models.kinds import options_from_dfl
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
    weights = read_dfl_weights(model.networks, path.with_suffix(""))
    compare_outputs(case, model, weights)

    write_dfl_weights(model.networks, weights, tmp_path)
    again = read_dfl_weights(model.networks, tmp_path)
    assert all(np.array_equal(again[name], weights[name]) for name in weights)


@pytest.mark.parametrize("path", file_params("models", "tiny_models", "*_predict.npz"))
def test_a_whole_model_folder_predicts_as_deepfacelab_does(path: Path):
    case = np.load(path)
    folder, prefix, options = _model_of(path)
    model = swap_model(options)
    weights = read_dfl_weights(model.networks, folder, prefix=prefix)
    faces = case["x_u8"].astype(np.float32) / 255
    endings = [key.removeprefix("bgr") for key in case.files if key.startswith("bgr")]
    predictor = Predictor(model, weights, face_type=options.face_type)
    for ending in endings:
        morph = float(ending[1:]) if ending else 1.0

        swap, swap_mask, dst_mask = predictor.predict(faces, morph)

        assert difference(swap[0], case[f"bgr{ending}"]) < PREDICTION
        assert difference(swap_mask[0, ..., 0], case[f"mask_src_dst{ending}"]) < PREDICTION
        assert difference(dst_mask[0, ..., 0], case[f"mask_dst_dst{ending}"]) < PREDICTION


@pytest.mark.parametrize("path", file_params("models", "tiny_models", "*_predict.npz"))
def test_every_network_and_optimizer_of_deepfacelab_is_taken_over(path: Path):
    folder, prefix, options = _model_of(path)
    kind = "adabelief" if getattr(options, "adabelief", True) else "rmsprop"
    groups = groups_of(options)
    files = {path.name.removeprefix(prefix) for path in folder.glob(f"{prefix}*.npy")}
    ours = {f"{name}.npy" for g in groups for name in (*g.networks, g.optimizer)}
    assert files == ours
    for group in groups:
        weights = read_dfl_weights(group.networks, folder, prefix=prefix)
        state = read_weights(folder / f"{prefix}{group.optimizer}.npy")
        optimizer = Optimizer({n: tf.Variable(weights[n]) for n in group.slotted}, kind)

        optimizer.load(state, source="the file")

        kept = optimizer.state()
        assert set(kept) == set(state)
        assert int(kept["iters:0"]) == int(state["iters:0"]) > 0
        assert all(np.array_equal(kept[key], state[key]) for key in state)


def _model_of(path: Path):
    """Folder, start of the file names, and options of the model that a prediction is of."""
    folder = path.with_name(path.name.removesuffix("_predict.npz"))
    (data,) = folder.glob("*_data.dat")
    stored = restricted_pickle.loads(data.read_bytes(), name=str(data))["options"]
    known = json.loads(json.dumps(stored, default=lambda value: value.item()))
    prefix = data.name.removesuffix("data.dat")
    return folder, prefix, options_from_dfl(prefix.split("_")[-2], known)
