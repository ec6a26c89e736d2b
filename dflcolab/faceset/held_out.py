# pyright: strict
"""Which faces are kept away from training, to judge it.

Neighbouring frames of a video are near-copies, so faces kept out at random would tell nothing new.
Whole stretches of frames are kept out instead, and the frames right beside them are not trained on
either. The choice is made once and goes with the model: it holds for faces that come later too.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.errors import ConfigError
from dflcolab.faces.pose import pose
from dflcolab.faceset.faceset import Faceset
from dflcolab.faceset.stretches import Frame, Stretch, blocks_of, frame_of, split_faces

FEWEST_FACES = 50
"""Of fewer faces none is held out: training needs them all, and a judgement would be noise."""

FEWEST_HELD_OUT = 8
"""Fewer held-out faces are worth nothing."""

_SHORTEST = 4
"""Faces in a stretch; a video with fewer is held out as a whole or not at all."""

_SHORT, _JUDGED = 3, 3
"""Faces of a stretch, and stretches, where there are too few faces for stretches of the usual length."""

_STRETCHES = (8, 12)
"""How many stretches are wanted: uncertainty is reckoned from the spread between them."""

_BESIDE = 0.1
"""Part of the faces that may lie beside held-out stretches, unless two stretches take more."""

_LEAST = 0.15
"""Part of the faces up to which stretches are added beyond the share, to have about eight."""

_MOST = 0.4
"""Part of the faces that training loses at most, if the share alone is not larger."""

_CLEAR = (2, 25)
"""Frames that are cleared beside a stretch, at least and at most (a second)."""

_CLEARED_PART = 8
"""An eighth of a stretch's length is cleared on each side, within these limits."""

_WHOLE_VIDEO_FROM = 4
"""Videos of a side from which on one may be held out as a whole."""

_YAW_CELLS, _PITCH_CELLS = 7, 5
_THIRDS = 3

Poses = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HeldOutChoice:
    """What is held out of one side, as it goes with a model.

    Attributes:
        share: Part of the faces that was asked for when the choice was made.
        stretches: What is held out.
        videos: Videos that the choice was made from, without those of fewer than four faces. Others
            are new.
    """

    share: float
    stretches: tuple[Stretch, ...] = ()
    videos: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """For a checkpoint's `state.json`; the stretches stand apart there."""
        return {"share": self.share, "videos": list(self.videos)}

    @classmethod
    def from_plain(
        cls, plain: Mapping[str, Any], stretches: Iterable[Mapping[str, Any]]
    ) -> HeldOutChoice:
        """What `to_plain` gave, with the stretches."""
        return cls(
            share=float(plain["share"]),
            stretches=tuple(Stretch.from_plain(stretch) for stretch in stretches),
            videos=tuple(map(str, plain["videos"])),
        )


def poses_of(faceset: Faceset) -> Poses:
    """`[N, 2]`: yaw and pitch of all faces in radians, from their landmarks; reads no picture.

    About 0.35 ms a face.
    """
    angles = [pose(face.record.landmarks, face.width) for face in faceset.faces]
    return np.array([(angle.yaw, angle.pitch) for angle in angles]).reshape(-1, 2)


def choose_held_out(
    frame_keys: Sequence[str],
    poses: Callable[[], Poses],
    share: float,
    *,
    known: HeldOutChoice | None = None,
    seed: int = 0,
) -> HeldOutChoice:
    """The stretches of source frames to keep out of training.

    About eight to twelve stretches of at least four faces are chosen (fewer in a faceset of less than
    about 300 faces, but three), together about the wanted share and at least eight faces, such that turned, raised
    and lowered heads and all parts of all videos have their part in them as in the whole. Of four
    videos and more, a short one is held out as a whole besides. Beside each stretch, frames are
    cleared: two on each side, more beside a long stretch, and at least the nearest one with a face
    unless it is more than 25 frames away. That costs training up to a tenth of the faces in small
    facesets (a quarter of 50), 1 % of 10,000. Below about 110 faces it is three stretches of three.

    What is known rules: its stretches stay, and only new videos of together 50 faces or more get
    some of their own. A known choice with hardly a face in it (because the share was 0, the faceset
    was too small, or the faces were deleted) is filled up from all faces. A video of fewer than four
    faces counts as new when it grows.

    Names alone tell what is near: photographs that are near-copies under names far apart cannot be
    told. The tool for them is `clean`. Faces that do not say their frame go by their file names.

    Args:
        frame_keys: Frame of each face (see `Faceset.frame_keys`).
        poses: Gives yaw and pitch of each face (see `poses_of`); asked only for a new choice.
        share: Part of the faces to keep out, 0 to 0.5.
        known: The choice that goes with the model.
        seed: Another number makes another choice.

    Raises:
        ConfigError: `share` is out of range.
    """
    if not 0.0 <= share <= 0.5:
        raise ConfigError(f"The held-out share {share} is out of range; allowed is 0 to 0.5.")
    frames = [frame_of(key) for key in frame_keys]
    videos: dict[str, list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        videos[frame.video].append(index)
    large = {video for video, members in videos.items() if len(members) >= _SHORTEST}
    known = known or HeldOutChoice(share)
    looked_at = tuple(sorted({*known.videos, *large}))
    n_held_out = len(split_faces(frame_keys, known.stretches).held_out)
    new = [video for video in sorted(large) if video not in known.videos]
    chosen: tuple[Stretch, ...] = ()
    if share and n_held_out < FEWEST_HELD_OUT:
        if len(frames) >= FEWEST_FACES:
            chooser = _Chooser(frames, poses(), share, known.stretches, n_held_out, seed)
            chosen = chooser.chosen(videos, at_least=FEWEST_HELD_OUT)
    elif share and sum(len(videos[video]) for video in new) >= FEWEST_FACES:
        chooser = _Chooser(frames, poses(), share, known.stretches, 0, seed)
        chosen = chooser.chosen({video: videos[video] for video in new}, at_least=_SHORTEST)
    return HeldOutChoice(
        known.share if known.stretches else share, (*known.stretches, *chosen), looked_at
    )


@dataclass(frozen=True)
class _Candidate:
    """A stretch that could be held out.

    Attributes:
        stretch: It.
        faces: Indices of its faces.
        beside: Number of faces beside it.
    """

    stretch: Stretch
    faces: list[int]
    beside: int


class _Chooser:
    """Picks stretches whose poses and places are as those of all faces.

    Args:
        frames: Frame of each face of the side.
        poses: `[N, 2]`, yaw and pitch in radians.
        share: Part to keep out, above 0.
        taken: Stretches held out already.
        n_held_out: Faces held out already that count for what is wanted.
        seed: Another number makes another choice.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        poses: Poses,
        share: float,
        taken: Sequence[Stretch],
        n_held_out: int,
        seed: int,
    ) -> None:
        self._frames, self._poses, self._share = frames, poses, share
        self._taken, self._n_held_out = taken, n_held_out
        self._random = np.random.default_rng([seed, len(taken)])

    def chosen(self, videos: Mapping[str, Sequence[int]], *, at_least: int) -> tuple[Stretch, ...]:
        """Stretches from some videos; none if not as many faces as wanted can be spared.

        Args:
            videos: Indices of faces by video.
            at_least: Fewest faces, with those held out already.
        """
        n = sum(len(members) for members in videos.values())
        candidates = self._candidates(videos, _SHORTEST)
        beside = sum(candidate.beside for candidate in candidates) / len(candidates)
        few, many = _STRETCHES
        n_stretches = min(max(self._share * n / _SHORTEST, few), many)
        if beside:
            n_stretches = max(min(n_stretches, _BESIDE * n / beside), 2)
        wanted = max(self._share * n, min(_SHORTEST * n_stretches, _LEAST * n), at_least)
        wanted -= self._n_held_out
        length = int(wanted / n_stretches)
        if length > _SHORTEST:
            candidates = self._candidates(videos, length)
        elif wanted < _JUDGED * _SHORTEST and _JUDGED * (_SHORT + beside) <= _MOST * n:
            # Two stretches cannot be judged: rather three shorter ones.
            candidates = self._candidates(videos, _SHORT)
            wanted = _JUDGED * _SHORT
        most = max(_MOST, 1.2 * self._share) * n
        picked = self._spread(candidates, videos, wanted, most)
        held_out = self._n_held_out + sum(len(candidate.faces) for candidate in picked)
        return tuple(c.stretch for c in picked) if held_out >= at_least else ()

    def _candidates(self, videos: Mapping[str, Sequence[int]], length: int) -> list[_Candidate]:
        """All videos cut into stretches, each with what must be cleared beside it."""
        result: list[_Candidate] = []
        for video in sorted(videos):
            blocks = blocks_of(self._frames, videos[video], length)
            numbers = np.array(sorted(self._frames[index].number for index in videos[video]))
            if len(blocks) == 1:
                result.append(_Candidate(Stretch.whole(video), blocks[0], 0))
                continue
            for block in blocks:
                stretch = _cleared(video, [self._frames[i].number for i in block], numbers)
                ends = np.searchsorted(numbers, [stretch.clear_from, stretch.clear_to + 1])
                result.append(_Candidate(stretch, block, int(ends[1] - ends[0]) - len(block)))
        return result

    def _spread(
        self,
        candidates: list[_Candidate],
        videos: Mapping[str, Sequence[int]],
        wanted: float,
        most: float,
    ) -> list[_Candidate]:
        """Candidates that together come closest to the poses and places of all.

        The first is a whole video, or drawn; each further one leaves the least missing of what all
        together should hold.

        Args:
            candidates: To pick from.
            videos: Faces that they are to stand for.
            wanted: Faces to pick.
            most: Faces that training may lose.
        """
        whole = _whole_videos(videos, wanted)
        order = self._random.permutation(len(candidates)) + len(whole)
        offered = [*whole, *candidates]
        sizes = np.array([len(candidate.faces) for candidate in offered])
        costs = sizes + [candidate.beside for candidate in offered]
        free = np.ones(len(offered), bool)
        rows: dict[str, list[int]] = defaultdict(list)
        for row, candidate in enumerate(offered):
            rows[candidate.stretch.video].append(row)

        def take_out(stretch: Stretch) -> None:
            for row in rows[stretch.video]:
                free[row] &= not offered[row].stretch.touches(stretch)

        for stretch in self._taken:
            take_out(stretch)
        members = [index for faces in videos.values() for index in faces]
        cells = self._cells(videos, members)
        counts = np.zeros((len(offered), int(cells.max()) + 1))
        for row, candidate in enumerate(offered):
            np.add.at(counts[row], cells[candidate.faces].ravel(), 1)
        missing = np.bincount(cells[members].ravel(), minlength=counts.shape[1]) * (
            wanted / len(members)
        )
        # Seldom poses count by what they lack of their own part, but not below a stretch.
        weights = 1 / (missing + sizes.mean())
        picked: list[int] = []
        first = np.arange(len(whole)) if whole else order[:1]
        for pool in itertools.chain([first], itertools.repeat(order)):
            if sizes[picked].sum() >= wanted:
                break
            pool_now = pool[free[pool] & (costs[picked].sum() + costs[pool] <= most)]
            if len(pool_now):
                left = (missing - counts[pool_now]) ** 2 @ weights
                picked.append(int(pool_now[np.argmin(left)]))
                missing -= counts[picked[-1]]
                take_out(offered[picked[-1]].stretch)
            elif pool is order:
                break
        return [offered[row] for row in picked]

    def _cells(
        self, videos: Mapping[str, Sequence[int]], members: Sequence[int]
    ) -> npt.NDArray[np.int64]:
        """`[N, 3]`: for each face the cells of its yaw, its pitch and its place.

        Angles are cut into cells of equal width between those that few faces pass. A place is a third
        of a video; small videos share one.
        """
        cells = np.zeros((len(self._frames), 3), np.int64)
        next_cell = 0
        for column, n_cells in enumerate((_YAW_CELLS, _PITCH_CELLS)):
            angles = self._poses[:, column]
            low, high = np.quantile(angles[members], (0.02, 0.98)).tolist()
            edges = low + (high - low) * np.arange(1, n_cells) / n_cells
            cells[:, column] = next_cell + np.searchsorted(edges, angles)
            next_cell += n_cells
        cells[:, 2] = next_cell
        for faces in videos.values():
            if len(faces) >= _THIRDS * _SHORTEST:
                for third, part in enumerate(np.array_split(self._in_order(faces), _THIRDS)):
                    cells[part, 2] = next_cell + 1 + third
                next_cell += _THIRDS
        return cells

    def _in_order(self, faces: Sequence[int]) -> list[int]:
        return sorted(faces, key=lambda index: (self._frames[index].number, index))


def _whole_videos(videos: Mapping[str, Sequence[int]], wanted: float) -> list[_Candidate]:
    """Videos that may be held out as a whole; none where there are few."""
    n_several = sum(len(faces) >= 2 * _SHORTEST for faces in videos.values())
    if n_several < _WHOLE_VIDEO_FROM:
        return []
    return [
        _Candidate(Stretch.whole(video), list(faces), 0)
        for video, faces in sorted(videos.items())
        if _SHORTEST <= len(faces) <= wanted / 2
    ]


def _cleared(video: str, held_out: Sequence[int], numbers: npt.NDArray[np.int64]) -> Stretch:
    """A stretch with the frames to clear on its sides.

    Args:
        video: Its video.
        held_out: Numbers of its frames.
        numbers: Numbers of all frames of the video that have faces, ascending.
    """
    first, last = min(held_out), max(held_out)
    fewest, most = _CLEAR
    least = min(max(fewest, (last - first + 1) // _CLEARED_PART), most)
    before = numbers[numbers < first][-1:].tolist()
    after = numbers[numbers > last][:1].tolist()
    clear_from, clear_to = max(0, first - least), last + least
    if before and before[0] >= first - most:
        clear_from = min(clear_from, before[0])
    if after and after[0] <= last + most:
        clear_to = max(clear_to, after[0])
    return Stretch(video, first, last, clear_from, clear_to)
