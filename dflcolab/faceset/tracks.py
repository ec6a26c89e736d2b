# pyright: strict
"""Faces of one person through neighbouring frames of a video.

A single frame may show a face blurred, hidden or from the side, and then it looks like nobody in
particular. Its neighbours in time say who it is. So faces that follow each other in place and time
are linked to a track, and whoever judges identity judges the track.

Everything comes from the face files: name of the frame, landmarks in the frame, and (where known)
the identity vectors, which tell a cut to another person from a bad frame.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.identity import Vector
from dflcolab.faceset.people import SAME_GROUP, middle_of

_NUMBERED = re.compile(r"(.*?)(\d{4,15})", re.DOTALL)
"""Frames end in four digits or more; a photograph rarely does (as in `extract`)."""

_LONGEST_STEP = 30
"""Frames between two neighbours above which nothing is a video any more (a second, usually)."""

_STEPS = 3
_LONGEST_GAP = 60

_NEAR, _GROWTH = 0.35, 1.5
"""By place alone: the middle moved by less than that share of the face, its size by that factor."""

_FAR, _FAR_GROWTH = 2.5, 2.0
"""The same where the faces are alike too: at 3 frames a second a head moves further."""

_VIDEO_LIKENESS = 0.75
"""Faces of neighbouring video frames are alike by 0.88 or more (measured on five clips, 1,118
pairs), at 3 frames a second by 0.75 in the middle; pre-cropped photographs named by number are not."""

_TWO_PEOPLE = 0.5
"""The middles of a few frames of two people lie below that (measured: at most 0.43 of five clips)."""

_WINDOW = 5
_SHORTEST_SHOT = 5
"""Frames: a fifth of a second."""


@dataclass(frozen=True, eq=False)
class _Sight:
    """One face of one frame."""

    name: str
    number: int
    x: float
    y: float
    size: float
    vector: Vector | None


def find_tracks(
    records: Mapping[str, FaceRecord], vectors: Mapping[str, Vector] | None = None
) -> dict[str, str]:
    """Track of every face that comes from a video.

    Faces of one video are linked if few frames lie between them and they overlap or, where
    `vectors` are known, lie near each other and are alike. A track ends at a cut: where the faces
    before and after it are different people.

    Args:
        records: Face data by file name. Faces without landmarks or box in the frame, and faces of
            photographs, take no part.
        vectors: Unit identity vectors by file name; without them only place and time count.

    Returns:
        File name → name of the track, which is that of its first face.
    """
    videos: dict[str, list[_Sight]] = defaultdict(list)
    timed: set[str] = set()
    for name, record in records.items():
        place = _place(record)
        key = _frame(record)
        if place is None or key is None:
            continue
        video, number = key
        if "time_s" in record.provenance:
            timed.add(video)
        videos[video].append(_Sight(name, number, *place, (vectors or {}).get(name)))
    found: dict[str, str] = {}
    for video, sights in sorted(videos.items()):
        sights.sort(key=lambda sight: (sight.number, sight.name))
        for track in _linked(sights, is_video=video in timed):
            for part in _without_cuts(track):
                found |= {sight.name: part[0].name for sight in part}
    return found


def track_vectors(tracks: Mapping[str, str], vectors: Mapping[str, Vector]) -> dict[str, Vector]:
    """Identity of every face as its track shows it; a face outside of all tracks speaks for itself.

    The middle of a track is taken twice, the second time without the faces far from the first, so
    that a stretch of bad frames does not spoil it. Faces of a track without a vector get its too.

    Args:
        tracks: From `find_tracks`.
        vectors: Unit vectors of the faces by file name.
    """
    members: dict[str, list[Vector]] = defaultdict(list)
    for name, track in tracks.items():
        if name in vectors:
            members[track].append(vectors[name])
    middles = {track: _steady_middle(rows) for track, rows in members.items()}
    found = dict(vectors)
    found |= {name: middles[track] for name, track in tracks.items() if track in middles}
    return found


def _steady_middle(rows: Sequence[Vector]) -> Vector:
    middle = middle_of(rows)
    near = [row for row in rows if float(row @ middle) >= SAME_GROUP]
    return middle_of(near) if 2 * len(near) >= len(rows) else middle


def _frame(record: FaceRecord) -> tuple[str, int] | None:
    """Video and frame number of a face; None for a photograph."""
    name = (record.source_filename or "").replace("\\", "/").rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    found = _NUMBERED.fullmatch(stem)
    if found is None:
        return None
    return f"{record.provenance.get('video', '')}/{found[1]}", int(found[2])


def _place(record: FaceRecord) -> tuple[float, float, float] | None:
    """Middle (x, y) and size of the face in its frame, in pixels."""
    points = record.source_landmarks
    if points is None or points.shape != (68, 2):
        if record.source_rect is None or record.source_rect.shape != (4,):
            return None
        points = np.asarray(record.source_rect, np.float32).reshape(2, 2)
    if not np.isfinite(points).all():
        return None
    left, top = (float(value) for value in points.min(axis=0))
    right, bottom = (float(value) for value in points.max(axis=0))
    size = math.sqrt(max(right - left, 0.0) * max(bottom - top, 0.0))
    return ((left + right) / 2, (top + bottom) / 2, size) if size > 0.5 else None


def _linked(sights: Sequence[_Sight], *, is_video: bool) -> list[list[_Sight]]:
    """Tracks of one video; empty if the faces do not follow each other as in a video."""
    numbers = sorted({sight.number for sight in sights})
    if len(numbers) < 2:
        return []
    step = float(np.median(np.diff(numbers)))
    if step > _LONGEST_STEP:
        return []
    reach = min(_STEPS * max(step, 1.0), _LONGEST_STEP)
    tracks: list[list[_Sight]] = []
    active: list[list[_Sight]] = []
    for here in _frames(sights):
        active = [track for track in active if here[0].number - track[-1].number <= _LONGEST_GAP]
        pairs: list[tuple[float, int, int]] = []
        for one, track in enumerate(active):
            for other, sight in enumerate(here):
                cost = _cost(track, sight, reach)
                if cost is not None:
                    pairs.append((cost, one, other))
        taken_tracks: set[int] = set()
        taken_faces: set[int] = set()
        for _, one, other in sorted(pairs):
            if one not in taken_tracks and other not in taken_faces:
                taken_tracks.add(one)
                taken_faces.add(other)
                active[one].append(here[other])
        new = [[sight] for other, sight in enumerate(here) if other not in taken_faces]
        tracks += new
        active += new
    return tracks if is_video or _looks_like_video(tracks) else []


def _frames(sights: Sequence[_Sight]) -> Iterator[list[_Sight]]:
    """Faces of one frame after the other."""
    here: list[_Sight] = []
    for sight in sights:
        if here and sight.number != here[0].number:
            yield here
            here = []
        here.append(sight)
    yield here


def _cost(track: Sequence[_Sight], sight: _Sight, reach: float) -> float | None:
    """How badly a face continues a track, smaller is better; None if it cannot."""
    last = track[-1]
    gap = sight.number - last.number
    size = (last.size + sight.size) / 2
    moved = math.hypot(sight.x - last.x, sight.y - last.y) / size
    growth = max(last.size, sight.size) / min(last.size, sight.size)
    alike = _alike(track[-_WINDOW:], sight)
    if gap <= reach and moved <= _NEAR and growth <= _GROWTH:
        return moved - (alike or 0.0) + gap / 100
    if alike is not None and alike >= SAME_GROUP and moved <= _FAR and growth <= _FAR_GROWTH:
        return moved - alike + gap / 100
    return None


def _alike(track: Sequence[_Sight], sight: _Sight) -> float | None:
    """Likeness of a face to the last ones of a track; None where it is not known."""
    rows = [other.vector for other in track if other.vector is not None]
    if sight.vector is None or not rows:
        return None
    return float(middle_of(rows) @ sight.vector)


def _looks_like_video(tracks: Sequence[Sequence[_Sight]]) -> bool:
    """True if the faces that follow each other are as alike as in a video (or nobody knows)."""
    likeness = [
        float(one.vector @ other.vector)
        for track in tracks
        for one, other in itertools.pairwise(track)
        if one.vector is not None and other.vector is not None
    ]
    return not likeness or float(np.median(likeness)) >= _VIDEO_LIKENESS


def _without_cuts(track: Sequence[_Sight]) -> list[list[_Sight]]:
    """A track in parts, cut where another person takes the place of the one before.

    A few bad frames are no cut: the faces after them are like those before them again, and no shot
    is as short as a blink.
    """
    parts: list[list[_Sight]] = [[]]
    for place, sight in enumerate(track):
        part = parts[-1]
        if (
            part
            and sight.number - part[0].number >= _SHORTEST_SHOT
            and track[-1].number - part[-1].number >= _SHORTEST_SHOT
            and _is_cut(part[-_WINDOW:], track[place : place + _WINDOW])
        ):
            parts.append([])
        parts[-1].append(sight)
    return parts


def _is_cut(before: Sequence[_Sight], after: Sequence[_Sight]) -> bool:
    rows = [sight.vector for sight in before if sight.vector is not None]
    following = [sight.vector for sight in after if sight.vector is not None]
    if not rows or not following:
        return False
    if float(rows[-1] @ following[0]) >= SAME_GROUP:
        return False
    return float(middle_of(rows) @ middle_of(following)) < _TWO_PEOPLE
