"""DeepFaceLab's weight files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.formats.leras_weights import read_weights, write_weights

KEYS = st.text("abc/_0", min_size=1, max_size=12).map(lambda text: text + ":0")


@settings(deadline=None)
@given(st.dictionaries(KEYS, st.lists(st.integers(0, 3), max_size=4), max_size=4))
def test_weights_come_back(tmp_path_factory, shapes: dict[str, list[int]]):
    path = tmp_path_factory.getbasetemp() / "encoder.npy"
    weights = {
        key: np.random.default_rng(i).normal(size=shape).astype(np.float32)
        for i, (key, shape) in enumerate(shapes.items())
    }
    write_weights(path, weights)
    found = read_weights(path)
    assert list(found) == list(weights)
    for key, value in weights.items():
        assert found[key].dtype == np.float32
        np.testing.assert_array_equal(found[key], value)


def test_a_step_counter_is_written_as_a_scalar(tmp_path: Path):
    path = tmp_path / "opt.npy"
    write_weights(path, {"iters:0": np.array(7, np.int64)})
    restored = pickle.loads(path.read_bytes())
    assert type(restored["iters:0"]) is np.int64
    assert read_weights(path)["iters:0"].shape == ()


def test_old_weights_survive_a_failed_write(tmp_path: Path):
    path = tmp_path / "encoder.npy"
    write_weights(path, {"w:0": np.ones(3, np.float32)})
    with pytest.raises(TypeError):
        write_weights(path, {"w:0": np.array(["text"])})
    np.testing.assert_array_equal(read_weights(path)["w:0"], 1)
    assert [p.name for p in tmp_path.iterdir()] == ["encoder.npy"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        pickle.dumps([1]),
        pickle.dumps({"a": "b"}),
        pickle.dumps({1: np.ones(2)}),
        pickle.dumps({"a": np.ones(99)})[:-60],
    ],
)
def test_files_that_are_no_weights_are_refused(data: bytes, tmp_path: Path):
    path = tmp_path / "encoder.npy"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"encoder\.npy"):
        read_weights(path)


def test_weights_that_would_run_code_are_refused(tmp_path: Path, capsys):
    class Hostile:
        def __reduce__(self):
            return print, ("run",)

    path = tmp_path / "encoder.npy"
    path.write_bytes(pickle.dumps({"w:0": Hostile()}))
    with pytest.raises(UnsafeFileError, match="print"):
        read_weights(path)
    assert capsys.readouterr().out == ""


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(FormatError, match=r"gone\.npy"):
        read_weights(tmp_path / "gone.npy")
