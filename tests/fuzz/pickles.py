"""Hostile pickles: such as would run something, ask for endless memory, or are simply broken."""

from __future__ import annotations

import builtins
import codecs
import copyreg
import functools
import importlib
import io
import operator
import os
import pickle
import pickletools
import posix
import random
import runpy
import shutil
import struct
import subprocess
import types
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.material import CANARY, DAMAGES, EXTREMES, weights

_MAKE = f"open({CANARY!r}, 'w').close()"
_TOUCH = f"touch {CANARY}"


class Call:
    """Pickles as a call of any function, and as more than that where `rest` says so."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, rest: tuple = ()) -> None:
        self.reduced = (function, arguments, *rest)

    def __reduce__(self) -> Any:
        return self.reduced

    def __call__(self) -> None:
        """So that Python takes one call as the function of another."""


def running_calls() -> list[Call]:
    """Calls that would leave the canary, directly or in a few steps."""
    return [
        Call(os.system, _TOUCH),
        Call(posix.system, _TOUCH),
        Call(subprocess.Popen, ["touch", CANARY]),
        Call(subprocess.check_output, ["touch", CANARY]),
        Call(os.popen, _TOUCH),
        Call(eval, f"__import__('os').system({_TOUCH!r})"),
        Call(exec, _MAKE),
        Call(compile, _MAKE, "x", "exec"),
        Call(open, CANARY, "w"),
        Call(os.open, CANARY, os.O_CREAT | os.O_WRONLY),
        Call(os.mkdir, CANARY),
        Call(os.symlink, "x", CANARY),
        Call(os.execvp, "touch", ["touch", CANARY]),
        Call(os.posix_spawnp, "touch", ["touch", CANARY], {}),
        Call(getattr, Call(importlib.import_module, "os"), "system"),
        Call(Call(getattr, Call(__import__, "os"), "system"), _TOUCH),
        Call(Call(operator.attrgetter, "system"), Call(__import__, "os")),
        Call(operator.methodcaller, "system", _TOUCH),
        Call(functools.partial, os.system, _TOUCH),
        Call(map, os.system, [_TOUCH]),
        Call(builtins.list, Call(map, os.system, [_TOUCH])),
        Call(codecs.decode, b"abc", "unicode_escape"),
        Call(codecs.encode, _TOUCH, "rot13"),
        Call(copyreg._reconstructor, types.SimpleNamespace, object, None),
        Call(types.SimpleNamespace),
        Call(runpy.run_path, CANARY),
        Call(shutil.copyfile, __file__, CANARY),
        Call(Path, CANARY),
        Call(Call(getattr, Call(Path, CANARY), "touch")),
        Call(np.load, CANARY),
        Call(np.fromfile, CANARY),
        Call(np.memmap, CANARY, "u1", "w+", 0, (4,)),
        Call(np.savetxt, CANARY, [1]),
        Call(np.frombuffer, b"1234"),
        Call(pickle.loads, pickle.dumps(Call(os.system, _TOUCH))),
        Call(io.open_code, __file__),
        Call(webbrowser.open, "file:///"),
        Call(type, "X", (), {}),
        Call(bytearray, 1 << 40),
        Call(list, rest=(None, iter([1]), iter([]))),
        Call(dict, rest=({"a": 1},)),
    ]


def _dumped(value: Any, protocol: int) -> bytes | None:
    try:
        return pickle.dumps(value, protocol)
    except Exception:  # noqa: BLE001
        return None  # not every call can be written in every protocol


def executing(rng: random.Random) -> bytes:
    """A call in some place of otherwise good metadata."""
    call = rng.choice(running_calls())
    landmarks = [[float(i), float(i)] for i in range(68)]
    value = rng.choice(
        [
            call,
            {"face_type": call, "landmarks": landmarks},
            {"landmarks": call},
            {"face_type": "full_face", "landmarks": landmarks, "xseg_mask": call},
            {"landmarks": [[call, 1.0]] * 68},
            [call, call],
            (1, (2, (3, call))),
            np.array([call, 1], object),
        ]
    )
    return _dumped(value, rng.randrange(6)) or executing(rng)


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


_NAMES = ("os system", "posix system", "builtins eval", "builtins exec", "builtins getattr",
          "subprocess Popen", "importlib import_module", "_codecs decode", "copyreg __newobj__",
          "copyreg _reconstructor", "numpy.core.multiarray _reconstruct", "numpy ndarray",
          "numpy dtype", "_codecs encode", "numpy.core.multiarray scalar", "numpy.load x",
          "os. system", " os system", "numpy.ndarray __reduce__", "numpy ndarray.tofile",
          "samplelib.Sample SampleType", "facelib.FaceType FaceType",
          "dflcolab.formats.restricted_pickle os.system")  # fmt: skip


def assembled(rng: random.Random) -> bytes:
    """Instructions put together by hand, each of which makes Python import, call or build."""
    module, _, name = rng.choice(_NAMES).rpartition(" ")
    argument = rng.choice(
        [_text(_TOUCH), _text(_MAKE), b"N", b"K\x01", b"}", b"]", b"C\x01x", _text("latin1")]
    )
    classic = f"c{module}\n{name}\n".encode()
    stacked = _text(module) + _text(name) + b"\x93"
    function = rng.choice([classic, stacked])
    body = rng.choice(
        [
            function + b"(" + argument + b"tR",
            function + argument + b"\x85R",
            b"(" + argument + f"i{module}\n{name}\n".encode(),
            b"(" + function + argument + b"o",
            function + argument + b"\x85\x81",
            function + argument + b"\x85}\x92",
            function + b")\x81" + argument + b"b",
            function + b"(" + argument * 3 + b"tR}" + _text("a") + argument + b"sb",
            rng.choice([b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"]) + b")R",
            b"P" + _TOUCH.encode() + b"\n",
            argument + b"Q",
            b"\x97\x98",
            function + b"q\x01" + b"h\x01(" + argument + b"tR" * 5,
            b"}" + _text("__setstate__") + function + b"s" + argument + b"b",
            function,
        ]
    )
    wrapped = rng.choice([body, b"}" + _text("landmarks") + body + b"s", b"](" + body + b"e"])
    head = rng.choice([b"", b"\x80\x02", b"\x80\x03", b"\x80\x04\x95" + bytes(8), b"\x80\x05"])
    return head + wrapped + b"."


def bombs(rng: random.Random) -> bytes:
    """A few bytes that ask for endless memory, time or depth."""
    n = rng.randint(20, 60_000)
    size = struct.pack("<Q", rng.choice(EXTREMES))
    body = rng.choice(
        [
            b"(" + b"N2" * n + b"l",
            b"]" * n + b"a" * (n - 1),
            b")" + b"\x85" * n,
            b"N" + b"2\x86" * min(n, 500),
            b"N" + b"2\x87" * 60 + b"}" + b"2" * 3,
            b"}" + _text("a") + b"}" * min(n, 900) + b"0" * (min(n, 900) - 1) + b"s",
            b"}" * n,
            b"(" * n,
            b"(" * n + b"l" * n,
            b"]q\x00" + b"h\x00a" * min(n, 3000),
            b"]q\x000" + b"](h\x00h\x00h\x00eq\x000" * 40 + b"h\x00",
            b"K\x01q\x00" + b"(" + b"h\x00" * n + b"t",
            b"N" + b"".join(b"r" + struct.pack("<I", i * 65_537 & 0xFFFFFFFF) for i in range(2000)),
            b"Nr\xff\xff\xff\xff",
            b"Np" + b"9" * rng.randint(1, 5000) + b"\n",
            b"\x8a\xff" + b"\xff" * 255,
            b"\x8b"
            + struct.pack("<i", rng.choice([-1, -(1 << 31), (1 << 31) - 1, 100_000]))
            + b"\x7f" * min(n, 9000),
            b"I" + b"9" * n + b"\n",
            b"L" + b"9" * n + b"L\n",
            b"F" + b"1" * n + b"\n",
            b"F1e999999\n",
            b"V" + b"\\U0010ffff" * min(n, 5000) + b"\n",
            b"S'" + b"\\x41" * n + b"'\n",
            b"X" + size[:4] + b"abc",
            b"\x8d" + size + b"abc",
            b"\x8e" + size + b"abc",
            b"\x96" + size + b"abc",
            b"T" + size[:4] + b"abc",
            b"B" + size[:4] + b"abc",
            b"\x95" + size + b"N",
            b"C\xff" + b"x" * rng.randrange(300),
            b"\x8c\x04\xff\xfe\xfd\xfc",
            b"G" + rng.choice([b"\x7f\xf0", b"\xff\xf8", b"\x7f\xef"]) + bytes(6),
            _text("a" * n) + b"q\x000c_codecs\nencode\nq\x010(" + b"h\x01h\x00\x85R" * 400 + b"t",
        ]
    )
    return rng.choice([b"", b"\x80\x02", b"\x80\x04", b"\x80\x05"]) + body + rng.choice([b".", b""])


def _array(shape: bytes, dtype: bytes, data: bytes, order: bytes = b"\x89") -> bytes:
    """An array as NumPy pickles it, of whatever shape, type and data."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R("
        b"K\x01" + shape + dtype + order + data + b"tb"
    )


def arrays(rng: random.Random) -> bytes:
    """Arrays with shapes, types and data that do not fit together."""

    def integer() -> bytes:
        value = rng.choice([0, 1, 2, 3, 68, -1, *EXTREMES, -(1 << 62), 1 << 40])
        raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(raw)]) + raw

    shape = rng.choice(
        [
            b"(" + b"".join(integer() for _ in range(rng.randrange(5))) + b"t",
            b"(" + b"K\x01" * 40 + b"t",
            b"]",
            b"N",
            b"(" + _text("3") + b"t",
            b"(\x88t",
            integer(),
            b"(G@\x00\x00\x00\x00\x00\x00\x00t",
        ]
    )
    code = rng.choice(
        ["f4", "f8", "i8", "u1", "b1", "f2", "c16", "O8", "O", "U4", "S9", "V8", "M8", "m8",
         "U1000000", "i3", "f16", "", "x", "(2,2)f4", "f4,f4", "4f", "<f4", ">f8", "=O", "g"]
    )  # fmt: skip
    order = rng.choice(["<", ">", "|", "=", "!", ""])
    dtype = b"cnumpy\ndtype\n" + _text(code) + b"\x89\x88\x87R"
    if rng.random() < 0.8:
        dtype += b"(K\x03" + _text(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    dtype = rng.choice([dtype, dtype, dtype, b"N", _text("f4"), b"cnumpy\ndtype\n"])
    size = rng.choice([0, 1, 4, 8, 24, 544, 1088])
    raw = b"B" + struct.pack("<I", size) + rng.randbytes(size)
    raw = rng.choice(
        [raw, raw, raw, _text("\u00e9" * 8), _text("\u0394" * 8), b"N", b"]", b"K\x01"]
    )
    body = rng.choice(
        [
            _array(shape, dtype, raw, rng.choice([b"\x88", b"\x89", b"N"])),
            b"cnumpy.core.multiarray\nscalar\n" + dtype + raw + b"\x86R",
            b"cnumpy._core.numeric\n_frombuffer\n(" + raw + dtype + shape + _text("C") + b"tR",
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + shape + b"\x86R",
            _array(shape, dtype, raw) + _array(shape, dtype, raw)[-40:],
        ]
    )
    key = rng.choice(["landmarks", "image_to_face_mat", "xseg_mask", "source_rect", "x"])
    return b"\x80\x04" + rng.choice([body, b"}" + _text(key) + body + b"s"]) + b"."


def mutated(rng: random.Random, base: bytes) -> bytes:
    """A good pickle with instructions exchanged, doubled, removed or put in."""
    try:
        places = [place for _, _, place in pickletools.genops(base)]
    except Exception:  # noqa: BLE001
        return rng.choice(DAMAGES)(rng, base)
    changed = bytearray(base)
    for _ in range(rng.randint(1, 4)):
        at = min(rng.choice(places), len(changed) - 1)
        code = ord(rng.choice(pickletools.opcodes).code)
        match rng.randrange(4):
            case 0:
                changed[at] = code
            case 1:
                changed.insert(at, code)
            case 2:
                del changed[at]
            case _:
                other = rng.choice(places)
                changed[at:at] = changed[other : other + rng.randint(1, 30)]
        if not changed:
            break
    return bytes(changed)


def random_pickle(rng: random.Random, good: list[bytes]) -> tuple[str, bytes]:
    """A pickle and what is wrong with it."""
    kind = rng.choice(
        ["would execute", "would execute", "assembled by hand", "assembled by hand", "bomb",
         "array", "array", "instruction changed", "instruction changed", "bytes damaged"]
    )  # fmt: skip
    match kind:
        case "would execute":
            return kind, executing(rng)
        case "assembled by hand":
            return kind, assembled(rng)
        case "bomb":
            return kind, bombs(rng)
        case "array":
            return kind, arrays(rng)
        case "instruction changed":
            return kind, mutated(rng, rng.choice(good))
        case _:
            return kind, rng.choice(DAMAGES)(rng, rng.choice(good))


def small_weights() -> list[bytes]:
    """Weight files cut down, so that pickletools reads them in time."""
    small = [pickle.dumps({"w:0": np.ones((3, 3, 2), np.float32), "iters:0": np.int64(5)}, 4)]
    return small + [data for data in weights() if len(data) < 60_000]
