# pyright: strict
"""Which faces are kept away from training, to judge it.

Neighbouring frames of a video are near-copies, so faces kept out at random would tell nothing new.
Whole stretches of frames are kept out instead.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Sequence

from dflcolab.errors import ConfigError

_NUMBERED = re.compile(r"^(.*?)(\d+)$", re.DOTALL)
_LARGEST_SHARE = 0.3
_STRETCHES = 3
_SHORTEST = 8


def split_held_out(
    frame_keys: Sequence[str], share: float, *, seed: int = 0, at_least: int = 8
) -> tuple[list[int], list[int]]:
    """Indices of the faces to train on, and of those kept out of training; both ascending.

    The frames of each video are cut into stretches of equal length, as many frames as make a few
    stretches of the wanted share. A hash of video, stretch and seed ranks them, and the first ones
    are kept out until the share is reached. So the choice depends on nothing but the names: it is
    the same in every run, and a few faces more or less hardly change it. All faces of a frame stay
    together; names without a number count as frames of their own.

    Args:
        frame_keys: Frame of each face, such as `00012.png`, `2-00012.png`, `folder/00012.png` (see
            `Faceset.frame_keys`).
        share: Part of the faces to keep out, 0 to 0.5.
        seed: Another number makes another choice.
        at_least: With fewer faces kept out, the judgement would be noise. The share grows to this
            number if that takes no more than 30 % of the faces; otherwise nothing is kept out.

    Returns:
        Training and held-out indices; the latter are empty for a share of 0 or a faceset that is
        too small.

    Raises:
        ConfigError: `share` is out of range.
    """
    if not 0.0 <= share <= 0.5:
        raise ConfigError(f"The held-out share {share} is out of range; allowed is 0 to 0.5.")
    n = len(frame_keys)
    target = max(round(share * n), at_least)
    limit = max(_LARGEST_SHARE, share) * n
    if share == 0.0 or target > limit:
        return list(range(n)), []
    stretches = _stretches([_parsed(key) for key in frame_keys], target)
    ranked = sorted(stretches, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())
    chosen: set[int] = set()
    for key in ranked:
        members = stretches[key]
        if len(chosen) >= target:
            break
        if len(chosen) + len(members) <= limit:
            chosen.update(members)
    if len(chosen) < at_least:
        chosen.clear()
    return [i for i in range(n) if i not in chosen], sorted(chosen)


def _parsed(key: str) -> tuple[str, int | None]:
    """Video (folder and prefix) and frame number of a key; None for a name without number."""
    folder, _, name = key.rpartition("/")
    found = _NUMBERED.match(name.rpartition(".")[0] or name)
    if found is None or len(found[2]) > 15:
        return key, None
    return f"{folder}/{found[1]}", int(found[2])


def _stretches(
    frames: Sequence[tuple[str, int | None]], target: int
) -> dict[tuple[str, int], list[int]]:
    """Indices of the faces in each stretch, by video and number of the stretch."""
    by_video: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, (video, number) in enumerate(frames):
        by_video[video].append((0 if number is None else number, index))
    result: dict[tuple[str, int], list[int]] = defaultdict(list)
    for video, members in by_video.items():
        numbers = sorted({number for number, _ in members})
        step = (numbers[-1] - numbers[0] + 1) / len(numbers)
        # Powers of two, so that a handful of faces more does not move every border.
        wanted = max(target / _STRETCHES, _SHORTEST) * step
        length = 2 ** round(math.log2(wanted))
        for number, index in members:
            result[video, number // length].append(index)
    return result
