"""Pickles are read as data: equal to what was written, and never run."""

from __future__ import annotations

import pickle
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.formats.jpeg_segments import APP15, read_header
from dflcolab.formats.pickle_writer import dumps
from dflcolab.formats.restricted_pickle import loads
from tests.formats.face_files import VECTORS

dtypes = st.sampled_from([np.uint8, np.int32, np.int64, np.float32, np.float64, np.bool_])


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    seed = draw(st.integers(0, 99))
    values = np.random.default_rng(seed).uniform(0, 99, shape).astype(draw(dtypes))
    return np.asfortranarray(values) if draw(st.booleans()) else np.ascontiguousarray(values)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | arrays()
)
data = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(data, st.sampled_from([3, 4, 5]))
def test_what_python_pickles_is_read(value: Any, protocol: int):
    assert same(value, loads(pickle.dumps(value, protocol), name="x"))


@given(data, st.sampled_from([3, 4]))
def test_what_is_written_here_python_reads_and_so_do_we(value: Any, protocol: int):
    written = dumps(value, protocol=protocol)
    assert same(value, pickle.loads(written))
    assert same(value, loads(written, name="x"))
    # Unless the drawn text itself says so, no new name of NumPy may stand in the file.
    assert b"numpy._core" not in written or "numpy._core" in repr(value)


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_the_oldest_protocols_are_read(protocol: int):
    value = {
        "landmarks": [[1.5, 2.5]] * 3,
        "n": -7,
        "big": 1 << 40,
        "huge": -(1 << 90),
        "yes": True,
        "name": "ü\n",
        "raw": b"\x00\xff",
        "array": np.arange(6.0).reshape(2, 3),
        "none": None,
        "scalar": np.float64(1.25),
        "pair": (1, 2),
    }
    assert same(value, loads(pickle.dumps(value, protocol), name="x"))


def test_scalars_of_numpy_keep_their_type():
    for value in (np.int64(7), np.float32(1.5), np.bool_(True)):
        assert type(loads(dumps(value), name="x")) is type(value)


def test_shared_values_stay_shared():
    inner = [1]
    found = loads(pickle.dumps([inner, inner]), name="x")
    assert found[0] is found[1]


class Reduces:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "function", [print, eval, open, __import__, getattr, Path, np.load, np.array]
)
def test_calls_are_refused_by_name(function: Any, protocol: int, capsys):
    with pytest.raises(UnsafeFileError, match=r"face\.jpg asks for"):
        loads(pickle.dumps({"a": Reduces(function, "1")}, protocol), name="face.jpg")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "x"], object),
        np.zeros(2, "U4"),
        np.zeros(2, [("a", "i4")]),
        np.zeros(2, "V8"),
        np.zeros(2, "M8[s]"),
        np.ma.masked_array([1, 2]),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.dtype}",
)
def test_only_plain_arrays_of_numbers_are_built(value: Any):
    with pytest.raises(FormatError):
        loads(pickle.dumps(value), name="x")


def peak_memory(work: Callable[[], object]) -> int:
    """Bytes that Python allocated at most while working."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


HOSTILE = {
    "promised exabytes": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f.",
    "promised exabyte buffer": b"\x80\x05\x96" + b"\xff" * 7 + b"\x0f.",
    "persistent name": b"\x80\x04Pname\n.",
    "extension": b"\x80\x04\x82\x01.",
    "new object": b"\x80\x04cnumpy\nndarray\n)\x81.",
    "old instance": b"(inumpy\nndarray\n.",
    "call of a text": b"\x80\x04\x8c\x01a)R.",
    "call of the array class": b"\x80\x04cnumpy\nndarray\nK\x05\x85R.",
    "build on a dictionary": b"\x80\x04}}b.",
    "name from objects": b"\x80\x04]]\x93.",
    "unknown protocol": b"\x80\x09N.",
    "nothing": b"",
    "no end": b"\x80\x04N",
    "empty stack": b"\x80\x04.",
    "array without data": b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n"
    b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R.",
    "digits without end": b"L" + b"9" * 100_000 + b"L\n.",
    "number without end": b"\x80\x04\x8b"
    + (100_000).to_bytes(4, "little")
    + b"\x01" * 100_000
    + b".",
    "list as a key": b"\x80\x04}]Ns.",
    "mark as a value": b"\x80\x04(e.",
    "unpaired items": b"\x80\x04}(Nu.",
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_instructions_end_in_one_sentence(payload: bytes):
    def load() -> None:
        with pytest.raises(FormatError, match=r"^face\.jpg "):
            loads(payload, name="face.jpg")

    # The error itself with its traceback takes about a megabyte under pytest.
    assert peak_memory(load) < 10 * len(payload) + 3_000_000


def test_a_memo_entry_far_out_takes_no_memory():
    # Python's own unpickler would make room for four billion entries.
    assert peak_memory(lambda: loads(b"\x80\x04Nr\xff\xff\xff\xff.", name="x")) < 2_000_000


def test_a_tuple_of_shared_tuples_as_a_key_does_not_hang():
    # Hashing 60 levels of pairs of the same pair would visit 2**60 tuples.
    payload = b"\x80\x04}" + b"N" + b"2\x86" * 60 + b"Ns."
    began = time.perf_counter()
    with pytest.raises(FormatError):
        loads(payload, name="x")
    assert time.perf_counter() - began < 1


def test_one_text_encoded_often_takes_its_memory_once():
    text = b"X" + (50_000).to_bytes(4, "little") + b"a" * 50_000
    call = b"h\x00h\x01\x85R"
    payload = b"\x80\x02]c_codecs\nencode\nq\x000" + text + b"q\x010(" + call * 2000 + b"e."
    assert len(loads(payload, name="x")) == 2000
    # And not 2000 x 50,000 bytes.
    assert peak_memory(lambda: loads(payload, name="x")) < 5_000_000


def test_deep_nesting_is_data_like_any_other():
    assert loads(b"\x80\x04" + b"]" * 50_000 + b"a" * 49_999 + b".", name="x") is not None


FORBIDDEN = {
    "import",
    "exec",
    "compile",
    "open",
    "os.system",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
    "ctypes.dlopen",
}
_watching: list[list[str]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in FORBIDDEN:
        _watching[-1].append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_audit)


def load_watched(payload: bytes, seen: list[str]) -> None:
    _watching.append(seen)
    try:
        loads(payload, name="x")
    except FormatError:
        pass
    finally:
        _watching.pop()


def payloads() -> list[bytes]:
    found = [p.read_bytes() for p in sorted(VECTORS.glob("meta/*.dat"))]
    for path in sorted(VECTORS.glob("dfljpg/*.jpg")):
        with path.open("rb") as stream:
            found.append(read_header(stream, path.name).last(APP15) or b"N.")
    return [p for p in found if len(p) < 20_000]


PAYLOADS = payloads()


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(PAYLOADS),
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
    ),
    st.floats(0, 1),
)
def test_mutated_metadata_never_runs_anything(watched_payload, changes, keep):
    seen: list[str] = []
    mutated = bytearray(watched_payload)
    for place, value in changes:
        mutated[int(place * len(mutated))] = value
    load_watched(bytes(mutated), seen)
    load_watched(bytes(mutated[: int(keep * len(mutated))]), seen)
    assert seen == []


OPCODES = (
    [
        bytes([code])
        for code in b"(.0123IJKLMNRSTUVXabcdeghijlopqrstu}]\x80\x81\x82\x85\x86\x87\x88\x8a"
    ]
    + [bytes([code]) for code in b"\x8b\x8c\x8d\x8e\x8f\x90\x91\x93\x94\x95\x96\x97\x98"]
    + [
        b"cnumpy\nndarray\n",
        b"cnumpy\ndtype\n",
        b"cnumpy.core.multiarray\n_reconstruct\n",
        b"cnumpy._core.multiarray\nscalar\n",
        b"c_codecs\nencode\n",
        b"cos\nsystem\n",
        b"cbuiltins\neval\n",
        b"\x8c\x02f8",
        b"K\x00\x85C\x01b\x87R",
        b"K\x01",
        b"q\x00",
        b"h\x00",
        b"\x8c\x02os\x8c\x06system\x93",
        b"G" + bytes(8),
        b"C\x08" + bytes(8),
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(OPCODES) | st.binary(max_size=3), max_size=40))
@pytest.mark.bad_day("pak-cut")
def test_random_instructions_never_run_anything(parts: list[bytes]):
    seen: list[str] = []
    load_watched(b"\x80\x04" + b"".join(parts) + b".", seen)
    assert seen == []


@pytest.mark.parametrize("code", ["4f", "f4,f", "(2)f", "2,i", "f4,", "f 4", "f٤", "O8", "f", "i3"])
def test_a_type_that_numpy_would_have_to_parse_is_refused_before(code: str):
    """NumPy hands such descriptions to Python's own compiler."""
    raw = code.encode()
    payload = b"\x80\x04cnumpy\ndtype\n\x8c" + bytes([len(raw)]) + raw + b"\x89\x88\x87R."
    seen: list[str] = []

    load_watched(payload, seen)
    with pytest.raises(FormatError):
        loads(payload, name="x")

    assert seen == []


def test_writing_refuses_what_is_no_data():
    for value in (object(), {"a": {1, 2}}, np.array(["x"]), print):
        with pytest.raises(TypeError):
            dumps(value)
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="nested"):
        dumps(circle)
    with pytest.raises(ValueError, match="protocol 3 or 4"):
        dumps(1, protocol=5)
