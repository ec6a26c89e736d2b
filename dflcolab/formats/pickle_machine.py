# pyright: strict
"""The interpreter behind `restricted_pickle`: a stack, a memo, and the instructions for plain data.

Instructions that import, build objects of foreign classes or reach outside of the file are not in
the table at all. Memory stays within a small multiple of the file: bytes are sliced out of it,
arrays lie over those bytes, and each text is encoded at most once.
"""

from __future__ import annotations

import codecs
import mmap
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.formats.pickle_arrays import ArrayShell, DtypeShell, Name, unwrapped

Builder = Callable[..., Any]
MARK = object()
_HIGHEST_PROTOCOL = 5
_LONGEST_NUMBER = 4000  # digits or bytes; converting longer ones takes quadratic time
_U16, _U32, _I32, _U64, _F64 = (struct.Struct(code) for code in ("<H", "<I", "<i", "<Q", ">d"))
# Pairs of floats, as landmarks are stored by the thousand: `[`, perhaps its memo entry, the two,
# `]`. Reading them at a glance makes facesets load twice as fast.
_PAIRS = re.compile(rb"(?:\]\(G.{8}G.{8}e)+|(?:\]\x94\(G.{8}G.{8}e)+", re.DOTALL)
_OLD_PAIR = re.compile(rb"(?:q(.)|r(.{4}))\(G(.{8})G(.{8})e", re.DOTALL)


class Machine:
    """The pickle machine: a stack, a memo, and a position in the data."""

    def __init__(
        self, data: bytes | mmap.mmap, allowed: Mapping[tuple[str, str], Builder | None]
    ) -> None:
        self.data = data
        self.size = len(data)
        self.position = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.allowed = allowed
        self.encoded: dict[str, bytes] = {}
        self.has_shells = False

    def run(self) -> Any:
        data, operations = self.data, _OPERATIONS
        while self.position < self.size:
            code = data[self.position]
            self.position += 1
            if code == 0x2E:
                return unwrapped(self.stack.pop())
            operation = operations.get(code)
            if operation is None:
                raise UnsafeFileError(f"uses the instruction {chr(code)!r} that data does not need")
            operation(self)
        raise FormatError("is truncated")

    # Reading arguments.

    def take(self, size: int) -> bytes:
        start = self.position
        self.position = start + size
        if size < 0 or self.position > self.size:
            raise FormatError("is truncated")
        return self.data[start : self.position]

    def number(self, layout: struct.Struct) -> int:
        value: int = layout.unpack_from(self.data, self.position)[0]
        self.position += layout.size
        return value

    def byte(self) -> int:
        return self.take(1)[0]

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise FormatError("is truncated")
        text = self.data[self.position : end]
        self.position = end + 1
        return text

    def digits(self) -> str:
        text = self.line()
        if len(text) > _LONGEST_NUMBER:
            raise FormatError("holds a number of absurd length")
        return text.decode("ascii").rstrip("L")

    def since_mark(self) -> list[Any]:
        stack = self.stack
        for start in range(len(stack) - 1, -1, -1):
            if stack[start] is MARK:
                items = stack[start + 1 :]
                del stack[start:]
                return [unwrapped(item) for item in items] if self.has_shells else items
        raise FormatError("is damaged")

    # Operations with more than one line.

    def text_integer(self) -> None:
        text = self.digits()
        self.stack.append({"00": False, "01": True}[text] if text in ("00", "01") else int(text))

    def long(self, size: int) -> None:
        if size > _LONGEST_NUMBER:
            raise FormatError("holds a number of absurd length")
        self.stack.append(int.from_bytes(self.take(size), "little", signed=True))

    def floating(self) -> None:
        self.stack.append(_F64.unpack_from(self.data, self.position)[0])
        self.position += 8

    def text_string(self) -> None:
        quoted = self.line()
        if len(quoted) < 2 or quoted[:1] != quoted[-1:] or quoted[:1] not in (b"'", b'"'):
            raise FormatError("is damaged")
        self.stack.append(codecs.escape_decode(quoted[1:-1])[0].decode("latin1"))

    def empty_list(self) -> None:
        pairs = _PAIRS.match(self.data, self.position - 1)
        if pairs is not None:
            self.pairs(pairs[0])
            return
        found = _OLD_PAIR.match(self.data, self.position)
        if found is None:
            self.stack.append([])
            return
        short, long, x, y = found.groups()
        pair = [_F64.unpack(x)[0], _F64.unpack(y)[0]]
        self.memo[short[0] if short else _U32.unpack(long)[0]] = pair
        self.stack.append(pair)
        self.position = found.end()

    def pairs(self, raw: bytes) -> None:
        """A run of lists of two floats."""
        memoized = raw[1] == 0x94
        rows = np.frombuffer(raw, np.uint8).reshape(-1, 22 if memoized else 21)
        first = 4 if memoized else 3
        places = [*range(first, first + 8), *range(first + 9, first + 17)]
        values = np.frombuffer(rows[:, places].tobytes(), ">f8")
        pairs: list[list[float]] = values.reshape(-1, 2).tolist()
        if memoized:
            known = len(self.memo)
            self.memo.update(enumerate(pairs, known))
        self.stack += pairs
        self.position += len(raw) - 1

    def empty_dict(self) -> None:
        self.stack.append({})

    def pop(self) -> None:
        self.stack.pop()

    def pop_mark(self) -> None:
        self.since_mark()

    def append(self) -> None:
        item = unwrapped(self.stack.pop())
        cast(list[Any], self.expect(list)).append(item)

    def appends(self) -> None:
        items = self.since_mark()
        cast(list[Any], self.expect(list)).extend(items)

    def set_item(self) -> None:
        value = unwrapped(self.stack.pop())
        key = self.stack.pop()
        self.fill([key, value])

    def set_items(self) -> None:
        self.fill(self.since_mark())

    def make_dict(self) -> None:
        items = self.since_mark()
        self.stack.append({})
        self.fill(items)

    def fill(self, items: list[Any]) -> None:
        """Put keys and values in turn into the dictionary on top of the stack."""
        keys = items[::2]
        # Hashing a nest of shared tuples would take forever.
        if not all(isinstance(key, (str, int, float, bytes, type(None))) for key in keys):
            raise FormatError("holds a dictionary with keys that are neither texts nor numbers")
        cast(dict[Any, Any], self.expect(dict)).update(zip(keys, items[1::2], strict=True))

    def make_tuple(self, size: int) -> None:
        items = self.stack[-size:]
        if len(items) < size:
            raise FormatError("is damaged")
        del self.stack[-size:]
        self.stack.append(tuple(unwrapped(item) for item in items))

    def expect(self, kind: type) -> object:
        """The top of the stack, which must be a container that can still be filled."""
        top: object = self.stack[-1]
        if type(top) is not kind:
            raise FormatError("is damaged")
        return top

    def name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise FormatError("is damaged")
        full = f"{module}.{name}"
        if (module, name) not in self.allowed:
            raise UnsafeFileError(f"asks for {full[:80]!r}, which data does not need")
        self.stack.append(Name(full, self.allowed[module, name]))

    def stack_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(module, name)

    def reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise UnsafeFileError("calls something that is no function")
        given = cast(Sequence[Any], arguments)
        if called.full == "_codecs.encode":
            self.stack.append(self.encode(*given))
        elif called.build is None:
            raise UnsafeFileError(f"calls {called.full!r}, which data does not need")
        else:
            result = called.build(*given)
            self.has_shells |= isinstance(result, ArrayShell)
            self.stack.append(result)

    def encode(self, text: object, encoding: object = "latin1") -> bytes:
        """Bytes as protocols 0 to 2 write them; each text is converted once."""
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise UnsafeFileError("encodes a text in a way that data does not need")
        if text not in self.encoded:
            self.encoded[text] = text.encode("latin1")
        return self.encoded[text]

    def build(self) -> None:
        state: object = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, (ArrayShell, DtypeShell)):
            raise UnsafeFileError("changes an object in a way that data does not need")
        if isinstance(target, ArrayShell) and isinstance(state, tuple):
            parts = cast(Sequence[Any], state)
            if parts and isinstance(parts[-1], str):  # Python 2 wrote bytes as text.
                state = (*parts[:-1], self.encode(parts[-1]))
        target.set_state(cast(object, state))

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]


def _protocol(machine: Machine) -> None:
    if machine.byte() > _HIGHEST_PROTOCOL:
        raise FormatError("is a pickle of an unknown version")


def _skip_frame(machine: Machine) -> None:
    machine.position += 8


def _push(value: Callable[[Machine], Any]) -> Callable[[Machine], None]:
    """An operation that puts one value on the stack."""

    def operation(machine: Machine) -> None:
        machine.stack.append(value(machine))

    return operation


def _constant(value: Any) -> Callable[[Machine], None]:
    """An operation that puts an immutable value on the stack."""

    def operation(machine: Machine) -> None:
        machine.stack.append(value)

    return operation


_OPERATIONS: dict[int, Callable[[Machine], None]] = {
    0x80: _protocol,
    0x95: _skip_frame,
    # Constants and numbers.
    ord("N"): _constant(None),
    0x88: _constant(True),
    0x89: _constant(False),
    ord("I"): Machine.text_integer,
    ord("L"): _push(lambda m: int(m.digits())),
    ord("J"): _push(lambda m: m.number(_I32)),
    ord("K"): _push(lambda m: m.byte()),
    ord("M"): _push(lambda m: m.number(_U16)),
    0x8A: lambda m: m.long(m.byte()),
    0x8B: lambda m: m.long(m.number(_I32)),
    ord("F"): _push(lambda m: float(m.digits())),
    ord("G"): Machine.floating,
    # Texts and bytes.
    ord("S"): Machine.text_string,
    ord("T"): _push(lambda m: m.take(m.number(_I32)).decode("latin1")),
    ord("U"): _push(lambda m: m.take(m.byte()).decode("latin1")),
    ord("V"): _push(lambda m: m.line().decode("raw-unicode-escape")),
    0x8C: _push(lambda m: m.take(m.byte()).decode("utf-8", "surrogatepass")),
    ord("X"): _push(lambda m: m.take(m.number(_U32)).decode("utf-8", "surrogatepass")),
    0x8D: _push(lambda m: m.take(m.number(_U64)).decode("utf-8", "surrogatepass")),
    ord("C"): _push(lambda m: m.take(m.byte())),
    ord("B"): _push(lambda m: m.take(m.number(_U32))),
    0x8E: _push(lambda m: m.take(m.number(_U64))),
    0x96: _push(lambda m: m.take(m.number(_U64))),
    # Containers.
    ord("]"): Machine.empty_list,
    ord("a"): Machine.append,
    ord("e"): Machine.appends,
    ord("l"): _push(lambda m: m.since_mark()),
    ord(")"): _constant(()),
    ord("t"): _push(lambda m: tuple(m.since_mark())),
    0x85: lambda m: m.make_tuple(1),
    0x86: lambda m: m.make_tuple(2),
    0x87: lambda m: m.make_tuple(3),
    ord("}"): Machine.empty_dict,
    ord("d"): Machine.make_dict,
    ord("s"): Machine.set_item,
    ord("u"): Machine.set_items,
    # The stack and the memo.
    ord("("): _constant(MARK),
    ord("0"): Machine.pop,
    ord("1"): Machine.pop_mark,
    ord("2"): _push(lambda m: m.stack[-1]),
    ord("g"): _push(lambda m: m.memo[int(m.digits())]),
    ord("h"): _push(lambda m: m.memo[m.byte()]),
    ord("j"): _push(lambda m: m.memo[m.number(_U32)]),
    ord("p"): lambda m: m.put(int(m.digits())),
    ord("q"): lambda m: m.put(m.byte()),
    ord("r"): lambda m: m.put(m.number(_U32)),
    0x94: lambda m: m.put(len(m.memo)),
    # Names, calls, states.
    ord("c"): lambda m: m.name(m.line().decode("utf-8"), m.line().decode("utf-8")),
    0x93: Machine.stack_name,
    ord("R"): Machine.reduce,
    ord("b"): Machine.build,
}
