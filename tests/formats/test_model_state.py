"""DeepFaceLab's `data.dat`: what it says survives, what it should not say is refused."""

from __future__ import annotations

import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.formats import pickle_writer
from dflcolab.formats.model_state import ModelState, read_model_state, write_model_state
from tests.parity.vector_cases import file_params

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize("path", file_params("models", "tiny_models", "*/*_data.dat"))
def test_a_real_file_survives_the_way_through(path: Path, tmp_path: Path):
    state = read_model_state(path)
    copy = tmp_path / "copy_data.dat"
    write_model_state(copy, state)

    original, written = (pickle.loads(file.read_bytes()) for file in (path, copy))
    assert state.left_out == ()
    assert list(written) == list(original)
    assert written["sample_for_preview"] is None  # pictures of people; DFL draws new ones
    for key in ("iter", "options", "loss_history", "choosed_gpu_indexes"):
        assert written[key] == original[key]
    assert list(written["options"]) == list(original["options"])


@pytest.mark.parametrize("path", file_params("models", "tiny_models", "*/*_data.dat"))
def test_a_written_file_names_nothing_that_an_old_numpy_lacks(path: Path, tmp_path: Path):
    copy = tmp_path / "copy_data.dat"
    write_model_state(copy, read_model_state(path))
    opcodes = list(pickletools.genops(copy.read_bytes()))
    assert opcodes[0][1] <= 4
    assert not {code.name for code, *_ in opcodes} & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "INST"}


@given(st.dictionaries(st.text(min_size=1), plain, max_size=6))
def test_unknown_options_and_keys_are_kept(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("state") / "x_SAEHD_data.dat"
    other = {f"of_a_newer_version_{key}": value for key, value in values.items()}
    write_model_state(path, ModelState(3, values, np.ones((3, 2)), other))
    again = read_model_state(path)
    assert again.options == values
    assert again.other == other


def _file(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "x_SAEHD_data.dat"
    path.write_bytes(pickle_writer.dumps(content))
    return path


def test_values_that_are_no_plain_data_are_left_out_by_name(tmp_path: Path):
    options = {"good": np.int64(3), "array": np.ones(3), "nan": float("nan")}
    state = read_model_state(_file(tmp_path, {"iter": 1, "options": options, "raw": b"x"}))
    assert dict(state.options) == {"good": 3}
    assert type(state.options["good"]) is int
    assert set(state.left_out) == {"array", "nan", "raw"}


def test_everything_but_the_iteration_is_optional(tmp_path: Path):
    state = read_model_state(_file(tmp_path, {"iter": np.int64(12)}))
    assert state.iteration == 12
    assert not state.options
    assert state.losses.shape[0] == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([1, 2], "not a model file"),
        ({"iter": -1}, "no count"),
        ({"iter": "many"}, "no count"),
        ({"iter": True}, "no count"),
        ({"iter": 1, "options": [1]}, "not a model file"),
        ({"iter": 1, "options": {3: 4}}, "not a model file"),
        ({"iter": 2, "loss_history": [[1.0, 2.0], [1.0]]}, "loss history"),
        ({"iter": 1, "loss_history": [["a", "b"]]}, "loss history"),
        ({"iter": 1, "loss_history": [[0.0] * 1000]}, "loss history"),
        ({"iter": 1, "loss_history": 5}, "loss history"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(tmp_path: Path, content: object, complaint: str):
    path = _file(tmp_path, content)
    with pytest.raises(FormatError, match=complaint) as caught:
        read_model_state(path)
    assert str(path) in str(caught.value)


def test_a_file_that_wants_to_run_code_is_refused(tmp_path: Path):
    class Attack:
        def __reduce__(self):
            return print, ("this must never be seen",)

    path = tmp_path / "x_SAEHD_data.dat"
    path.write_bytes(pickle.dumps({"iter": 1, "options": {"face_type": Attack()}}))
    with pytest.raises(UnsafeFileError, match="not opened"):
        read_model_state(path)


def test_a_few_bytes_cannot_ask_for_much_memory(tmp_path: Path):
    # One row of 10,000 losses, referred to 10,000 times: 800 MB if it were believed.
    row = [0.5] * 10_000
    path = tmp_path / "x_SAEHD_data.dat"
    path.write_bytes(pickle.dumps({"iter": 1, "loss_history": [row] * 10_000}))
    with pytest.raises(FormatError, match="loss history"):
        read_model_state(path)


@pytest.mark.parametrize("size", [0, 1, 50, 400])
def test_a_truncated_file_is_refused(tmp_path: Path, size: int):
    path = _file(tmp_path, {"iter": 1, "options": {"a": list(range(300))}})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FormatError):
        read_model_state(path)


def test_a_missing_file_is_an_error_with_a_remedy(tmp_path: Path):
    with pytest.raises(FormatError, match="another copy"):
        read_model_state(tmp_path / "none_data.dat")
