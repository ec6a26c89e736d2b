"""DeepFaceLab's network that enlarges faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.engine.face_enhancer import load_enhancer, tile_starts
from dflcolab.formats.leras_weights import write_weights
from dflcolab.models.face_enhancer import SCOPE, FaceEnhancer
from tests.parity.model_vectors import difference, formula_weights, meta_of
from tests.parity.vector_cases import file_params, load_json


@pytest.mark.parametrize("path", file_params("models", "facenets*.npz"))
def test_an_enlarged_tile_is_deepfacelabs(path: Path, tmp_path: Path):
    case = np.load(path)
    meta = meta_of(case)
    keys = load_json(path.with_name("facenets_keys.json"))[SCOPE]
    shapes = {f"{SCOPE}/{key}": tuple(shape) for key, shape in keys.items()}
    assert FaceEnhancer().shapes() == shapes
    weights = formula_weights(shapes, meta["seed"], meta["gain"][SCOPE])
    tile = 2 * case["fe_x_u8"].astype(np.float32) / 255 - 1

    write_weights(tmp_path / "FaceEnhancer.npy", {key: weights[f"{SCOPE}/{key}"] for key in keys})

    (found,) = load_enhancer(tmp_path / "FaceEnhancer.npy").enhance(tile)

    assert found.shape == (768, 768, 3)
    assert difference(found[::16, ::16], case["fe_out_sub16"]) <= 1e-4  # README of the vectors


@pytest.mark.parametrize(
    ("side", "starts"), [(192, [0]), (224, [0, 32]), (384, [0, 96, 192]), (400, [0, 96, 192, 208])]
)
def test_tiles_cover_a_face_to_its_end(side: int, starts: list[int]):
    assert tile_starts(side) == starts
