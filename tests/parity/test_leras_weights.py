"""DeepFaceLab's weight files: read, and written byte for byte as it would accept them."""

from __future__ import annotations

import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from dflcolab.formats.leras_weights import read_weights, write_weights
from tests.parity.vector_cases import file_params

FILES = file_params("models", "**/*.npy")


@pytest.mark.parametrize("path", FILES)
def test_weights_survive_reading_and_writing(path: Path, tmp_path: Path):
    weights = read_weights(path)
    assert all(key.endswith(":0") for key in weights)

    copy = tmp_path / path.name
    write_weights(copy, weights)

    # The general unpickler stands in for DeepFaceLab's; the file is our own.
    restored = pickle.loads(copy.read_bytes())
    assert list(restored) == list(weights)
    for key, value in weights.items():
        assert restored[key].dtype == value.dtype
        np.testing.assert_array_equal(restored[key], value)


@pytest.mark.parametrize("path", FILES)
def test_step_counters_stay_scalars(path: Path, tmp_path: Path):
    copy = tmp_path / path.name
    write_weights(copy, read_weights(path))
    original = pickle.loads(path.read_bytes())
    for key, value in pickle.loads(copy.read_bytes()).items():
        assert type(value) is type(original[key]), key


@pytest.mark.parametrize("path", FILES)
def test_an_old_numpy_can_import_every_name(path: Path, tmp_path: Path):
    copy = tmp_path / path.name
    write_weights(copy, read_weights(path))
    opcodes = list(pickletools.genops(copy.read_bytes()))
    assert opcodes[0][1] == 4
    modules = {value for _, value, _ in opcodes if isinstance(value, str) and "numpy" in value}
    assert modules <= {"numpy", "numpy.core.multiarray"}
