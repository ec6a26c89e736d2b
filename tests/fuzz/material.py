"""Good files that get damaged, and the small tools of damaging."""

from __future__ import annotations

import functools
import io
import random
from dataclasses import dataclass
from pathlib import Path

from dflcolab.formats.jpeg_segments import APP15, read_header

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
CANARY = "dflcolab_fuzz_canary"
"""Name of the file that a payload would make (in the working folder) if it ran."""


@dataclass(frozen=True)
class Input:
    """One file to be read.

    Attributes:
        kind: What was done to it, for the table.
        suffix: `.jpg`, `.pak`, `.npy` or `.pickle`; says who reads it.
        data: Its bytes.
    """

    kind: str
    suffix: str
    data: bytes


@functools.cache
def faces() -> list[bytes]:
    """Face files: real ones of every kind, from the vectors."""
    folder = VECTORS / "imaging"
    paths = [*sorted(folder.glob("dfljpg/*.jpg")), *sorted(folder.glob("sort/faces/*.jpg"))[:4]]
    return [path.read_bytes() for path in paths if "hostile" not in path.name]


@functools.cache
def payloads() -> list[bytes]:
    """Pickled metadata of those faces."""
    found = (read_header(io.BytesIO(data), "face").last(APP15) for data in faces())
    return [payload for payload in found if payload]


@functools.cache
def packs() -> list[bytes]:
    return [path.read_bytes() for path in sorted(VECTORS.glob("imaging/pak/*.pak"))]


@functools.cache
def weights() -> list[bytes]:
    paths = sorted(VECTORS.glob("models/**/*.npy"), key=lambda path: path.stat().st_size)
    return [path.read_bytes() for path in paths[:3]]


@functools.cache
def backups() -> list[bytes]:
    """DeepFaceLab's `meta.dat`: metadata of a whole folder in one pickle."""
    return [path.read_bytes() for path in sorted(VECTORS.glob("imaging/meta/*.dat"))]


def flip_bits(rng: random.Random, data: bytes, most: int = 12) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, most)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def insert_bytes(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    extra = rng.choice([rng.randbytes(rng.randint(1, 40)), b"\xff" * rng.randint(1, 9), bytes(8)])
    return data[:place] + extra + data[place:]


def remove_bytes(rng: random.Random, data: bytes) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.randint(1, 64) :]


def truncate(rng: random.Random, data: bytes) -> bytes:
    # Half of the cuts fall into the head, where the structure is.
    limit = len(data) if rng.random() < 0.5 else min(len(data), 1500)
    return data[: rng.randrange(limit)]


DAMAGES = (flip_bits, insert_bytes, remove_bytes, truncate)
EXTREMES = (0, 1, 2, 3, 7, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000,
            0xFFFFFFFF, 0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF)  # fmt: skip
