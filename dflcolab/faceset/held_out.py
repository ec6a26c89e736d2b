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
    are kept out until the share is reached. Every video that is long enough is split by itself; the
    others (short ones, photographs) are split together. So the choice depends on nothing but the
    names: it is the same in every run, a few faces more or less hardly change it, and another
    video or a folder of photographs leaves the choice among the others (almost) as it was. All
    faces of a frame stay together; names without a number count as frames of their own.

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
    frames = [_parsed(key) for key in frame_keys]
    videos: dict[str, list[int]] = defaultdict(list)
    for index, (video, _) in enumerate(frames):
        videos[video].append(index)
    groups: list[list[int]] = []
    rest: list[int] = []
    for members in videos.values():
        if round(share * len(members)) >= max(at_least, 1):
            groups.append(members)
        else:
            rest += members
    chosen: set[int] = set()
    for members in groups:
        chosen |= _choice(frames, members, share, seed=seed, at_least=at_least, growing=True)
    chosen |= _choice(frames, rest, share, seed=seed, at_least=at_least, growing=False)
    return [i for i in range(len(frame_keys)) if i not in chosen], sorted(chosen)


def stretch_ids(frame_keys: Sequence[str]) -> list[int]:
    """A number for the stretch of neighbouring frames that each face is from.

    Args:
        frame_keys: Frame of each face (see `Faceset.frame_keys`).
    """
    frames = [_parsed(key) for key in frame_keys]
    result = [0] * len(frames)
    stretches = _stretches(frames, range(len(frames)), _SHORTEST)
    for number, key in enumerate(sorted(stretches)):
        for index in stretches[key]:
            result[index] = number
    return result


def _choice(
    frames: Sequence[tuple[str, int | None]],
    members: Sequence[int],
    share: float,
    *,
    seed: int,
    at_least: int,
    growing: bool,
) -> set[int]:
    """Indices to keep out of a group of faces; none if the group is too small.

    Args:
        frames: Video and number of all faces.
        members: Indices of the group.
        share: Part to keep out, above 0.
        seed: Another number makes another choice.
        at_least: Fewer are not worth it.
        growing: Stretches grow with the group; False keeps them short, so that a video that joins
            the group does not move those of the others.
    """
    n = len(members)
    target = max(round(share * n), at_least)
    limit = max(_LARGEST_SHARE, share) * n
    if share == 0.0 or target > limit:
        return set()
    wanted = max(target / _STRETCHES, _SHORTEST) if growing else _SHORTEST
    stretches = _stretches(frames, members, wanted)
    ranked = sorted(stretches, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())
    chosen: set[int] = set()
    for key in ranked:
        if len(chosen) >= target:
            break
        if len(chosen) + len(stretches[key]) <= limit:
            chosen.update(stretches[key])
    return chosen if len(chosen) >= at_least else set()


def _parsed(key: str) -> tuple[str, int | None]:
    """Video (folder and prefix) and frame number of a key; None for a name without number."""
    folder, _, name = key.rpartition("/")
    found = _NUMBERED.match(name.rpartition(".")[0] or name)
    if found is None or len(found[2]) > 15:
        return key, None
    return f"{folder}/{found[1]}", int(found[2])


def _stretches(
    frames: Sequence[tuple[str, int | None]], members: Sequence[int], wanted: float
) -> dict[tuple[str, int], list[int]]:
    """Indices of the faces in each stretch of about `wanted` faces, by video and number."""
    by_video: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index in members:
        video, number = frames[index]
        by_video[video].append((0 if number is None else number, index))
    result: dict[tuple[str, int], list[int]] = defaultdict(list)
    for video, items in by_video.items():
        numbers = sorted({number for number, _ in items})
        step = (numbers[-1] - numbers[0] + 1) / len(numbers)
        # Powers of two, so that a handful of faces more does not move every border.
        length = 2 ** round(math.log2(wanted * step))
        for number, index in items:
            result[video, number // length].append(index)
    return result
