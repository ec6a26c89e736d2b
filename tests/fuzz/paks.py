"""Damaged and hostile packs and weight files."""

from __future__ import annotations

import pickle
import random
import struct
from typing import Any

import numpy as np

from tests.fuzz.jpegs import random_jpeg
from tests.fuzz.material import DAMAGES, EXTREMES, faces, packs
from tests.fuzz.pickles import arrays, executing, mutated, random_pickle
from tests.fuzz.records import absurd_record

_NAMES = ("../evil.jpg", "..", ".", "", "/etc/passwd", "a/b.jpg", "a\\b.jpg", "C:\\a.jpg", "a\0.jpg",
          ".hidden.jpg", "x" * 300 + ".jpg", "\ud800.jpg", "CON", "a.jpg", "a.jpg", "a.exe",
          "faceset.pak", "\n.jpg", "ü" * 140 + ".jpg", b"a.jpg", 7, None, ["a.jpg"],
          "trash.jsonl", "con.jpg ", "a.jpg.")  # fmt: skip


def _config(rng: random.Random, number: int) -> dict[str, Any]:
    record = absurd_record(rng) if rng.random() < 0.5 else {}
    base = np.random.default_rng(number).uniform(20, 200, (68, 2)).tolist()
    config = {
        "sample_type": 1,
        "filename": f"{number:05d}.jpg",
        "face_type": 3,
        "shape": rng.choice([(256, 256, 3), (-1, 10**9, 3), None, "x"]),
        "landmarks": record.get("landmarks", base),
        "seg_ie_polys": record.get("seg_ie_polys"),
        "xseg_mask": None,
        "xseg_mask_compressed": record.get("xseg_mask"),
        "eyebrows_expand_mod": record.get("eyebrows_expand_mod", 1.0),
        "source_filename": record.get("source_filename", "00001.png"),
        "person_name": None,
    }
    if rng.random() < 0.3:
        config["filename"] = rng.choice(_NAMES)
    if rng.random() < 0.2:
        config["person_name"] = rng.choice(_NAMES)
    if rng.random() < 0.1:
        del config[rng.choice(list(config))]
    return config


def assembled(rng: random.Random) -> bytes:
    """A pack put together of absurd parts: names, sizes, positions, counts."""
    count = rng.choice([0, 1, 2, 4])
    pictures = [
        rng.choice(faces()) if rng.random() < 0.7 else random_jpeg(rng)[1] for _ in range(count)
    ]
    configs: Any = [_config(rng, number) for number in range(count)]
    if rng.random() < 0.2 and count > 1:
        configs[1]["filename"] = configs[0].get("filename")
    if rng.random() < 0.1:
        configs = rng.choice([None, {}, 5, tuple(configs), [configs], [None] * count, "x"])
    encoded = pickle.dumps(configs, rng.choice([3, 4, 5]))
    if rng.random() < 0.15:
        encoded = rng.choice([executing(rng), arrays(rng), mutated(rng, encoded)])
    ends = np.cumsum([len(picture) for picture in pictures]).tolist()
    offsets = [0, *ends]
    if rng.random() < 0.4:
        for _ in range(rng.randint(1, 2)):
            offsets[rng.randrange(len(offsets))] = rng.choice(
                [*EXTREMES, rng.choice(offsets), len(encoded)]
            )
    if rng.random() < 0.1:
        offsets = offsets[: rng.randrange(len(offsets) + 1)]
    version = 1 if rng.random() < 0.95 else rng.choice(EXTREMES)
    size = len(encoded) if rng.random() < 0.9 else rng.choice([*EXTREMES, len(encoded) - 1])
    head = struct.pack("<QQ", version, size) + encoded
    return head + struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(pictures)


def many_entries(rng: random.Random) -> bytes:
    """Millions of entries declared in few bytes, by doubling one on the stack."""
    entry = pickle.dumps(_config(rng, 0), 2)[2:-1]
    number = rng.choice([1000, 50_000, 400_000])
    body = b"\x80\x04](" + entry + b"2" * number + b"e."
    table = b"" if rng.random() < 0.5 else bytes(8 * min(number + 2, 60_000))
    return struct.pack("<QQ", 1, len(body)) + body + table


def random_pack(rng: random.Random) -> tuple[str, bytes]:
    """A pack and what is wrong with it."""
    base = rng.choice(packs())
    match rng.randrange(8):
        case 0:
            return "cut at a structure", base[: _structure(rng, base)]
        case 1:
            return "bytes", rng.choice(DAMAGES)(rng, base)
        case 2:
            start = 16 + struct.unpack_from("<Q", base, 8)[0]
            changed = bytearray(base)
            at = rng.choice([0, 8, start, start + 8, start + 16])
            struct.pack_into("<Q", changed, at, rng.choice([*EXTREMES, rng.randrange(1 << 20)]))
            return "numbers of the head", bytes(changed)
        case 3:
            size = struct.unpack_from("<Q", base, 8)[0]
            why, body = random_pickle(rng, [base[16 : 16 + size]])
            return f"head: {why}", struct.pack("<QQ", 1, len(body)) + body + base[16 + size :]
        case 4:
            return "endless entries", many_entries(rng)
        case _:
            return "absurd parts", assembled(rng)


def _structure(rng: random.Random, base: bytes) -> int:
    """Right at, before or behind one of the borders inside a pack."""
    size = struct.unpack_from("<Q", base, 8)[0]
    border = rng.choice([0, 8, 16, 16 + size, 24 + size, 32 + size, len(base)])
    return max(0, border + rng.choice([-1, 0, 1]))


def random_weights(rng: random.Random, good: list[bytes]) -> tuple[str, bytes]:
    """A weight file and what is wrong with it."""
    if rng.random() < 0.7:
        return random_pickle(rng, good)
    key = rng.choice(["w:0", "", "../w:0", "a/" * 50, 5, None, "w:0\0"])
    value = rng.choice(
        [np.zeros((0, 5), np.float32), np.full(3, np.nan), np.float16(1), "text", None, [1.0],
         {"a": 1}, 10**400, True, np.zeros((2, 2), np.complex64)]
    )  # fmt: skip
    return "absurd values", pickle.dumps(rng.choice([{key: value}, [value], value]), 4)
