# pyright: strict
"""Frames by video and number, and the stretches of neighbouring frames that are kept out of training.

A frame's number is the one at the end of its name, also in brackets, as Windows numbers files; what
stands before it, with the folder, names the video. Photographs count by the same rule: `IMG_0012.jpg`
and `IMG_0013.jpg` may be of one burst and are taken for neighbours; a name without a number is a
video of one frame.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_NUMBERED = re.compile(r"^(.*?)(\d{1,15})\)?$", re.DOTALL)

END = 10**15
"""Beyond every number of a frame."""


class Frame(NamedTuple):
    """Where a face is from.

    Attributes:
        video: Folder and name up to the number.
        number: 0 or more; 0 for a name without a number.
        numbered: False for a name without a number.
    """

    video: str
    number: int
    numbered: bool = True


def frame_of(key: str) -> Frame:
    """The frame of a key such as `/00012.png`, `/2-00012.png`, `folder/00012.png`."""
    folder, _, name = key.rpartition("/")
    found = _NUMBERED.match(name.rpartition(".")[0] or name)
    if found is None or found[1][-1:].isdecimal():
        return Frame(f"{folder}/{name}", 0, numbered=False)
    return Frame(f"{folder}/{found[1]}", int(found[2]))


@dataclass(frozen=True)
class Stretch:
    """Frames of a video that are kept out of training, with those beside them.

    The frames beside it are too much like the held-out ones to be trained on, and too much like
    trained ones to be judged by: they are used for neither.

    Attributes:
        video: See `Frame`.
        first: Number of the first held-out frame.
        last: Of the last; all frames between are held out, also such as come later.
        clear_from: Number of the first frame that is not trained on, at most `first`.
        clear_to: Of the last, at least `last`.
    """

    video: str
    first: int
    last: int
    clear_from: int
    clear_to: int

    @classmethod
    def whole(cls, video: str) -> Stretch:
        """All frames of a video."""
        return cls(video, 0, END, 0, END)

    def holds(self, frame: Frame) -> bool:
        """True if the frame is held out by this stretch."""
        return frame.video == self.video and self.first <= frame.number <= self.last

    def clears(self, frame: Frame) -> bool:
        """True if the frame is held out by this stretch, or lies beside it."""
        return frame.video == self.video and self.clear_from <= frame.number <= self.clear_to

    def touches(self, other: Stretch) -> bool:
        """True if one's held-out frames lie in or beside the other."""
        return self.video == other.video and (
            (self.first <= other.clear_to and other.clear_from <= self.last)
            or (other.first <= self.clear_to and self.clear_from <= other.last)
        )

    def to_plain(self) -> dict[str, Any]:
        """For a checkpoint's `state.json`."""
        return {
            "video": self.video,
            "frames": [self.first, self.last],
            "clear": [self.clear_from, self.clear_to],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Stretch:
        """What `to_plain` gave."""
        (first, last), (clear_from, clear_to) = plain["frames"], plain["clear"]
        return cls(str(plain["video"]), int(first), int(last), int(clear_from), int(clear_to))


@dataclass(frozen=True)
class Split:
    """The faces of one side by their use; all indices ascending.

    Attributes:
        training: Faces to train on.
        held_out: Faces kept out of training.
        beside: Faces of frames beside a held-out stretch, used for neither.
        stretch: For every face a number that it shares with those of its stretch of neighbouring
            frames; no number is shared by faces of different use, -1 for `beside`.
    """

    training: tuple[int, ...]
    held_out: tuple[int, ...]
    beside: tuple[int, ...]
    stretch: tuple[int, ...]


def split_faces(frame_keys: Sequence[str], stretches: Sequence[Stretch]) -> Split:
    """Part faces into those to train on, those held out, and those for neither.

    The faces to train on are numbered by stretches as well, of about as many faces as the held-out
    ones have, none across a held-out one.

    Args:
        frame_keys: Frame of each face (see `Faceset.frame_keys`).
        stretches: What is held out.
    """
    frames = [frame_of(key) for key in frame_keys]
    by_video: dict[str, list[tuple[int, Stretch]]] = defaultdict(list)
    for number, stretch in enumerate(stretches):
        by_video[stretch.video].append((number, stretch))
    ids = [-1] * len(frames)
    held_out: list[int] = []
    beside: list[int] = []
    training: list[int] = []
    for index, frame in enumerate(frames):
        near = [(number, s) for number, s in by_video.get(frame.video, ()) if s.clears(frame)]
        holding = [number for number, s in near if s.holds(frame)]
        if holding:
            ids[index] = holding[0]
            held_out.append(index)
        elif near:
            beside.append(index)
        else:
            training.append(index)
    holding_any = {ids[index] for index in held_out}
    length = max(1, round(len(held_out) / len(holding_any))) if holding_any else NEIGHBOURS
    number = len(stretches)
    for members in _parts(frames, training, by_video):
        for block in blocks_of(frames, members, length):
            for index in block:
                ids[index] = number
            number += 1
    return Split(tuple(training), tuple(held_out), tuple(beside), tuple(ids))


NEIGHBOURS = 8
"""Faces in a stretch of training faces where nothing is held out."""


def _parts(
    frames: Sequence[Frame],
    indices: Sequence[int],
    held_out: Mapping[str, Sequence[tuple[int, Stretch]]],
) -> Iterable[list[int]]:
    """Faces by video, and by what lies between the same held-out stretches."""
    parts: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index in indices:
        video, number, _ = frames[index]
        passed = sum(stretch.first <= number for _, stretch in held_out.get(video, ()))
        parts[video, passed].append(index)
    return parts.values()


def blocks_of(frames: Sequence[Frame], members: Sequence[int], length: int) -> list[list[int]]:
    """Faces of one video cut into blocks of neighbouring frames, each of `length` faces or more.

    All blocks are about equally long; a video shorter than twice `length` is one block. The faces of
    a frame stay together.

    Args:
        frames: The frame of every face.
        members: Faces of one video.
        length: Fewest faces in a block, if there are as many.
    """
    by_number: dict[int, list[int]] = defaultdict(list)
    for index in members:
        by_number[frames[index].number].append(index)
    n_blocks = max(1, len(members) // length)
    blocks: list[list[int]] = []
    block: list[int] = []
    done = 0
    for number in sorted(by_number):
        block += by_number[number]
        done += len(by_number[number])
        left = len(members) - done
        due = done * n_blocks >= (len(blocks) + 1) * len(members)
        if due and len(block) >= length <= left:
            blocks.append(block)
            block = []
    return [*blocks, block] if block else blocks
