# pyright: strict
"""A result video in parts: which frames are made, kept and made anew together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PART_FRAMES = 100
"""Frames of a part: what a killed run loses at most, at the price of a key frame each."""


@dataclass(frozen=True)
class Part:
    """Consecutive frames of one dst video.

    Attributes:
        video: Number of the dst video.
        first: Number of the first frame within that video.
        stems: Names of the frames.
    """

    video: int
    first: int
    stems: tuple[str, ...]

    @property
    def name(self) -> str:
        """What its files are called: its first frame."""
        return self.stems[0]


def cut_into_parts(video: int, stems: Sequence[str], *, length: int) -> list[Part]:
    """All parts of a video: of equal length, but the last one takes a short rest in.

    So no part has a single frame: two pictures in a row that both begin a stream may be taken for one.

    Args:
        video: Number of the dst video.
        stems: Its frames.
        length: Frames of a part.
    """
    starts = list(range(0, len(stems), length))
    if len(starts) > 1 and len(stems) - starts[-1] <= length // 2:
        starts.pop()
    ends = [*starts[1:], len(stems)]
    return [
        Part(video, start, tuple(stems[start:end])) for start, end in zip(starts, ends, strict=True)
    ]


def part_key(facts: str, keys: Iterable[str]) -> str:
    """What a part depends on.

    Args:
        facts: Text of how it is encoded.
        keys: Of its frames.
    """
    return hashlib.sha256("\0".join([facts, *keys]).encode()).hexdigest()[:24]


def touched(parts: Sequence[Part], start: int, stop: int | None) -> list[Part]:
    """The parts that hold one of the frames `start` up to and without `stop`, counted over all videos."""
    found: list[Part] = []
    before = 0
    for part in parts:
        behind = before + len(part.stems)
        if behind > start and (stop is None or before < stop):
            found.append(part)
        before = behind
    return found
