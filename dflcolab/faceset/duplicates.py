# pyright: strict
"""Near-copies in a faceset: which faces add nothing beside a sharper one that looks the same.

The whole set is compared, not only neighbours. The sharpest face not yet spoken for keeps its
place and speaks for all that are close to it; so every duplicate is close to its own keeper, and no
chain of small steps carries a face away. A blink or a word hardly changes a small picture, so copies
must share the openings of mouth and eyes too. Candidates come from a tree over a few area means, whose
difference can never exceed that of the whole pictures; only they are compared in full.

Of one video, two frames are copies below a low limit. The same frame in two videos (a clip that was
compressed again, or made smaller) differs by more than that, by what the compression has left out:
between videos the limit is twice as high.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
from scipy import spatial  # pyright: ignore[reportMissingTypeStubs]

from dflcolab.faceset.clean_checks import THUMBNAIL_SIDE, Gray, thumbnail_of_gray
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.limits import NEAR_DUPLICATE, OTHER_VIDEO
from dflcolab.faceset.measures import FaceMeasure, expression
from dflcolab.progress import Progress

_SAME_OPENING = 0.05
"""Difference of mouth or eye openings below which an expression is the same. Frames of five clips
that differ by less than 0.005 differ by 0.01 in 90 of 100 cases, single ones by 0.1 (a word)."""

_OTHER_VIDEO = OTHER_VIDEO.value
"""How many times higher the limit is between faces of different videos."""

_SAME_PLACE = 1.0
"""Pixels of the frame by which the landmarks of one face differ at most in two files of it."""

_COARSE, _FINE = 4, 8
"""Side of the tables of area means: for the tree, and for a second look at its candidates."""

_REDUCED = (
    (8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
    (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
)

_BLOCK = 256
"""Faces asked of the tree at a time."""

_SLACK = 1e-6
"""What rounding in float32 may add to a difference."""

Table = npt.NDArray[np.float32]


def find_duplicates(
    measures: Sequence[FaceMeasure], *, threshold: float = NEAR_DUPLICATE.value
) -> dict[int, tuple[int, float]]:
    """Near-copies in a faceset.

    Two faces in one frame are never each other's duplicates, but a second file of the same face is.
    Of several equally sharp ones the first is kept. Faces without a thumbnail (damaged ones) take no
    part.

    Args:
        measures: The faces.
        threshold: Mean difference of the small gray pictures, 0..1, below which two faces of one
            expression and one video are copies (frames named `2-00017.png`, `2-00018.png`... are of
            one video); twice as much between two videos.

    Returns:
        For every duplicate by index: the index of the face that is kept in its place, and the
        difference to that.
    """
    comparable = [index for index, m in enumerate(measures) if m.thumbnail is not None]
    if not comparable:
        return {}
    # The sharpest first; `sorted` keeps equal ones in order.
    members = sorted(comparable, key=lambda index: -_sharpness(measures[index]))
    return {
        members[copy]: (members[keeper], difference)
        for copy, (keeper, difference) in _within(measures, members, threshold).items()
    }


def copies_of_before(before: Sequence[Path], new: Sequence[Path], *, progress: Progress) -> int:
    """How many new faces look like one that was there before, in another video.

    Args:
        before: The faces that were there.
        new: The faces that came.
        progress: Shows the work and carries the wish to stop.

    Raises:
        Interrupted: The user asked to stop.
    """
    if not (before and new):
        return 0
    looks = list(
        for_each_face((*before, *new), _look, progress=progress, title="Looking for known faces")
    )
    found = find_duplicates(looks)
    return sum(
        copy >= len(before) > keeper
        and video_of(looks[copy].frame) != video_of(looks[keeper].frame)
        for copy, (keeper, _) in found.items()
    )


def _look(face: FaceFile) -> FaceMeasure:
    """What comparing faces needs, and no sharpness: so the earlier of two is the one that stays."""
    picture = _small_gray(face)
    if picture is None or face.record is None:
        return FaceMeasure(face.path, problem="cannot be compared")
    mouth, eyes = expression(face.record.landmarks)
    small = thumbnail_of_gray(picture)
    return FaceMeasure(face.path, record=face.record, mouth=mouth, eyes=eyes, thumbnail=small)


def _small_gray(face: FaceFile) -> Gray | None:
    """The gray picture, no larger than its thumbnail needs: means of areas, which the JPEG holds.

    Nothing but these is decoded, in about a third of the time.
    """
    flags = cv2.IMREAD_GRAYSCALE
    for share, reduced in _REDUCED:
        if face.size >= share * THUMBNAIL_SIDE:
            flags = reduced
            break
    picture = None
    with suppress(cv2.error):  # an empty or damaged file
        picture = cv2.imdecode(
            np.frombuffer(face.data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION
        )
    return cast("Gray | None", picture)


def video_of(frame: str) -> str:
    """The part of a frame's name before its number: `2-00017.png` → `2-`, the same for a video."""
    found = re.fullmatch(r"(.*?)(\d+)(\.[^.]*)?", frame)
    return found[1] if found else frame


def duplicate_groups(
    duplicates: dict[int, tuple[int, float]], count: int
) -> list[tuple[int, list[int]]]:
    """All faces in groups of near-copies, the largest group first, single faces last.

    Args:
        duplicates: From `find_duplicates`.
        count: Number of faces.

    Returns:
        Keeper and its duplicates, the closest first. Groups of one size are in order of keepers.
    """
    members: dict[int, list[int]] = {i: [] for i in range(count) if i not in duplicates}
    for copy, (keeper, _) in sorted(duplicates.items(), key=lambda item: (item[1][1], item[0])):
        members[keeper].append(copy)
    return sorted(members.items(), key=lambda item: -len(item[1]))


def _sharpness(measure: FaceMeasure) -> float:
    value = measure.sharpness
    return value if value is not None and math.isfinite(value) else -math.inf


def _within(
    measures: Sequence[FaceMeasure], members: Sequence[int], threshold: float
) -> dict[int, tuple[int, float]]:
    """Duplicates among faces in the order in which they may become keepers; places in `members`."""
    pictures = np.stack([cast(Any, measures[index].thumbnail) for index in members])
    frames = [measures[index].frame for index in members]
    videos = np.unique([video_of(frame) for frame in frames], return_inverse=True)[1]
    several = len(videos) > 0 and bool(videos.any())
    widest = threshold * (_OTHER_VIDEO if several else 1.0)
    coarse, fine = _area_means(pictures, _COARSE), _area_means(pictures, _FINE)
    full = pictures.reshape(len(pictures), -1)
    tree = cast(Any, spatial).cKDTree(coarse)
    radius = (widest + _SLACK) * coarse.shape[1]
    found: dict[int, tuple[int, float]] = {}
    spoken_for = np.zeros(len(members), dtype=bool)
    for start in range(0, len(members), _BLOCK):
        asked = [i for i in range(start, min(start + _BLOCK, len(members))) if not spoken_for[i]]
        if not asked:
            continue
        near = cast(
            "list[list[int]]", tree.query_ball_point(coarse[asked], radius, p=1, workers=-1)
        )
        for keeper, around in zip(asked, near, strict=True):
            if spoken_for[keeper]:
                continue
            close = np.asarray(around, dtype=np.intp)
            close = close[(close > keeper) & ~spoken_for[close]]
            close = close[_differences(fine, keeper, close) < widest + _SLACK]
            differences = _differences(full, keeper, close)
            near_enough = differences < np.where(
                videos[close] == videos[keeper], threshold, threshold * _OTHER_VIDEO
            )
            close, differences = close[near_enough], differences[near_enough]
            for index, difference in zip(
                cast("list[int]", close.tolist()), differences.tolist(), strict=True
            ):
                one, other = measures[members[index]], measures[members[keeper]]
                if _same_expression(one, other) and not _two_in_a_frame(one, other):
                    found[index] = keeper, difference
                    spoken_for[index] = True
    return found


def _two_in_a_frame(one: FaceMeasure, other: FaceMeasure) -> bool:
    """Whether both come from one frame, and (if they say it) from different places in it."""
    if one.frame == "" or one.frame != other.frame or one.record is None or other.record is None:
        return False
    places = one.record.source_landmarks, other.record.source_landmarks
    if places[0] is None or places[1] is None:
        return True
    return not np.allclose(places[0], places[1], atol=_SAME_PLACE)


def _same_expression(one: FaceMeasure, other: FaceMeasure) -> bool:
    """False if a mouth or an eye opens between the two: few pixels, but what a faceset needs."""
    pairs = ((one.mouth, other.mouth), (one.eyes, other.eyes))
    return all(a is None or b is None or abs(a - b) < _SAME_OPENING for a, b in pairs)


def _differences(table: Table, one: int, others: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Mean absolute difference of one row to others."""
    return np.abs(table[others] - table[one]).mean(axis=1, dtype=np.float64)


def _area_means(pictures: Table, side: int) -> Table:
    """`[N, H, W]` → `[N, side * side]`: means of equal areas."""
    n, height, width = pictures.shape
    parts = pictures.reshape(n, side, height // side, side, width // side)
    return parts.mean(axis=(2, 4)).reshape(n, side * side)
