"""Metadata that is a good pickle and still absurd."""

from __future__ import annotations

import pickle
import random
import struct
import zlib
from typing import Any

import numpy as np

_INFINITE = (float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 1e-320, 1e7, 9.9e6, -1e6)


def _png(width: int, height: int, rows: bytes | None = None, *, depth: int = 8) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    raw = zlib.compress(bytes(min(height * (width + 1), 1 << 16)) if rows is None else rows, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", raw) + chunk(b"IEND", b"")


def masks(rng: random.Random) -> Any:
    """Encoded masks: bombs, wrong sizes, truncated, no picture at all."""
    size = rng.choice([0, 1, 3, 64, 255, 4096, 8192, 8193, 65_535, 0x7FFFFFFF, 0xFFFFFFFF])
    other = rng.choice([1, 64, size])
    picture = rng.choice(
        [
            _png(size, other),
            _png(4096, 4096, zlib.compress(bytes(4096))),
            _png(64, 64, depth=rng.choice([1, 3, 16, 255])),
            _png(64, 64)[: rng.randint(0, 60)],
            b"\xff\xd8\xff\xe0",
            b"GIF89a" + bytes(20),
            b"",
            rng.randbytes(50),
        ]
    )
    array = np.frombuffer(picture, np.uint8)
    return rng.choice(
        [array, array[:, None], array[None], array.astype(np.float32), picture, picture.hex(),
         [1, 2, 3], np.zeros((64, 64), np.uint8), np.zeros((4, 4, 4), np.uint8)]
    )  # fmt: skip


def points(rng: random.Random, count: int = 68) -> Any:
    """Landmarks that are no face."""
    good = (np.random.default_rng(rng.randrange(1 << 30)).uniform(0, 256, (count, 2))).tolist()
    place = rng.randrange(count)
    bad = [row[:] for row in good]
    bad[place][rng.randrange(2)] = rng.choice(_INFINITE)
    return rng.choice(
        [
            good,
            bad,
            bad[: rng.randrange(count)],
            good + good,
            good[:5],
            [[1.0, 2.0]] * count,
            [[float(i), 0.0] for i in range(count)],
            [[0.0, 0.0]] * count,
            [[1e6 * x, -1e6 * y] for x, y in good],
            [[x, y, 1.0] for x, y in good],
            [x for x, _ in good],
            [[str(x), str(y)] for x, y in good],
            [[complex(x), y] for x, y in good],
            [good],
            np.array(good, np.float16),
            np.array(good, np.float64)[:, :, None],
            np.array(good, "U8"),
            np.full((count, 2), np.nan, np.float32),
            np.zeros((0, 2)),
            "landmarks",
            None,
            {},
            True,
            10**400,
            [[10**400, 0]] * count,
        ]
    )


def polygons(rng: random.Random) -> Any:
    few = [[1.0, 2.0], [30.0, 4.0], [20.0, 50.0]]
    many = [[float(i % 256), float(i * 7 % 256)] for i in range(rng.choice([1000, 3000]))]
    item = {"type": rng.choice([0, 1, 2, -1, 1.5, "1", None, True, float("nan"), 10**30]),
            "pts": rng.choice([few, many, points(rng, 9), [], [[]], None, np.array(few)])}  # fmt: skip
    good = {"type": 1, "pts": np.array(few, np.float32)}
    return rng.choice(
        [
            {"polys": [item]},
            {"polys": [good] * rng.choice([1, 500])},
            {"polys": [{"type": 1, "pts": np.zeros((6000, 2), np.uint8)}] * 15_000},
            {"polys": {"a": good}},
            {"polys": None},
            {"wrong": 1},
            [item],
            [(1, few), (0, many)],
            [[good]],
            "polys",
            7,
        ]
    )


def _names(rng: random.Random) -> Any:
    return rng.choice(
        ["../../etc/passwd", "..", ".", "", "/", "C:\\x\\00001.png", "a\0b.png", "\n\n", "x" * 300,
         ".hidden.png", "\ud800.png", "\u202egnp.exe", "CON", "a/" * 99, "🙂" * 80 + ".png", b"x.png",
         5, None, ["a"], "00001.png", "-rf", "%s%n", "'; rm -rf ~; '"]
    )  # fmt: skip


def _anything(rng: random.Random) -> Any:
    return rng.choice(
        [None, True, 0, -1, 1.5, float("nan"), "text", b"bytes", [], {}, (), [[1]], {"a": {"b": []}},
         np.float32(1), np.int8(-1), np.zeros(3), np.zeros((2, 3)), np.full((2, 3), np.inf), 10**50,
         complex(1, 2), [None] * 68]
    )  # fmt: skip


def absurd_record(rng: random.Random) -> dict[Any, Any]:
    """A face's dictionary with one to three absurd values, or of the wrong shape altogether."""
    base = np.random.default_rng(7).uniform(20, 200, (68, 2)).tolist()
    values: dict[Any, Any] = {
        "face_type": "full_face",
        "landmarks": base,
        "source_filename": "00001.png",
        "source_rect": [10, 20, 200, 220],
        "source_landmarks": base,
        "image_to_face_mat": np.eye(3)[:2],
    }
    for _ in range(rng.randint(1, 3)):
        match rng.randrange(9):
            case 0:
                values["landmarks"] = points(rng)
            case 1:
                values["source_landmarks"] = points(rng)
            case 2:
                values["xseg_mask"] = masks(rng)
            case 3:
                values["seg_ie_polys"] = polygons(rng)
            case 4:
                values["source_filename"] = _names(rng)
            case 5:
                values["face_type"] = rng.choice(
                    [
                        "",
                        "FULL_FACE",
                        "full_face\0",
                        "nonsense",
                        4,
                        -1,
                        10**9,
                        None,
                        [],
                        "head",
                        2.5,
                    ]
                )
            case 6:
                values["image_to_face_mat"] = rng.choice(
                    [np.zeros((2, 3)), np.full((2, 3), 1e9), np.zeros((3, 3)), [[1, 2, 3]] * 2,
                     np.full((2, 3), np.nan), None, "mat"]
                )  # fmt: skip
            case 7:
                values["eyebrows_expand_mod"] = rng.choice(
                    [0, -5, 1e6, float("nan"), "1", None, [1.0], np.float64(2), 10**20]
                )
            case _:
                key = rng.choice([*values, "dflcolab", "unknown", "", 5, None, b"k"])
                values[key] = _anything(rng)
    if rng.random() < 0.1:
        del values[rng.choice(list(values))]
    return values


def record_pickle(rng: random.Random) -> bytes:
    return pickle.dumps(absurd_record(rng), rng.choice([2, 3, 4, 4, 4, 5]))
