# pyright: strict
"""A faceset in numbers: poses, light, expressions, sizes, people, and what is wrong with some.

Everything is counted from measures that were taken elsewhere; no file is read here.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.clean import propose_blur
from dflcolab.faceset.face_files import UNSAFE
from dflcolab.faceset.limits import (
    BLURRED_STEP,
    BURNT_PIXELS,
    DARK_PIXELS,
    ENLARGED,
    OPEN_MOUTH,
    PROFILE_DEG,
    SHUT_EYES,
    TILTED_DEG,
    TURNED_DEG,
)
from dflcolab.faceset.measures import FaceMeasure

YAW_EDGES = tuple(range(-75, 76, 10))
PITCH_EDGES = tuple(range(-45, 46, 10))
"""Borders of the pose map's cells in degrees; faces beyond the ends count in the last cells."""

_NAMED = 50
"""Faces of one kind that are named in the report; all are counted."""


class Region(enum.StrEnum):
    """Parts of the range of poses and expressions that a good src shows."""

    UP = "looking up"
    DOWN = "looking down"
    LEFT = "turned to the picture's left"
    RIGHT = "turned to the picture's right"
    LEFT_PROFILE = "in profile to the left"
    RIGHT_PROFILE = "in profile to the right"
    OPEN_MOUTH = "with an open mouth"
    SHUT_EYES = "with shut eyes"


EXPRESSIONS = (Region.OPEN_MOUTH, Region.SHUT_EYES)


@dataclass(frozen=True)
class Spread:
    """Where the middle of some numbers lies, and the middle 90 % of them."""

    low: float
    median: float
    high: float

    @property
    def width(self) -> float:
        """Of the middle 90 %."""
        return self.high - self.low


@dataclass(frozen=True)
class Named:
    """How many faces are of some kind, and the first of them by name, the worst first."""

    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Damaged:
    """A file that could not be used: why, in a sentence and in a few words."""

    name: str
    problem: str
    reason: str


@dataclass(frozen=True)
class PersonShare:
    """One person of a faceset.

    Attributes:
        number: 1 for the one with the most faces.
        faces: Number of faces among those looked at.
        share: Part of those looked at, 0..1.
        typical: The face most like all others of the person.
    """

    number: int
    faces: int
    share: float
    typical: str


@dataclass(frozen=True)
class PeopleFound:
    """Who is in a faceset; `looked_at` faces were compared."""

    looked_at: int
    people: tuple[PersonShare, ...]


@dataclass(frozen=True)
class LandmarksChecked:
    """How many landmarks failed a second look, out of `looked_at` faces."""

    looked_at: int
    failed: Named


@dataclass(frozen=True)
class FacesetSummary:
    """The numbers of one side. Angles are in degrees; other scales as in `measures`.

    Attributes:
        side: "src" or "dst".
        files: Number of face files, or faces in the pack.
        faces: Those that could be judged. Everything below counts these.
        packed: The faces lie in a `faceset.pak`.
        damaged: The rest; `damaged_files` names the first of them.
        unsafe: Those of them whose face data ask for more than data.
        sizes: Faces by side of their picture in pixels.
        face_types: Faces by face type.
        origins: Faces by video or photo; "not recorded" where the file does not say.
        sharpness: Spread; None where nothing could be measured, as for all that follow.
        blurred: Faces much less sharp than the middle of the set.
        frame_pixels: Size of the face in its frame.
        enlargement: Crop pixels for one frame pixel.
        enlarged: Number of faces that were enlarged beyond the limit.
        brightness: 0..1.
        contrast: 0..1.
        from_left: Light from the picture's left, -1..1.
        from_above: Light from above, -1..1.
        color: Median Lab a and b of the skin.
        dark: Faces too dark.
        burnt: Faces burnt out.
        mouth: Opening of the mouth.
        eyes: Opening of the eyes.
        yaw: Turned to the picture's left above 0.
        pitch: Looking up above 0.
        pose_map: Faces by pitch (rows, from down to up) and yaw (columns, from right to left);
            borders in `YAW_EDGES` and `PITCH_EDGES`.
        regions: Faces by `Region`; near-duplicates count once in poses, but all in expressions:
            two faces that differ by a blink look much the same.
        near_duplicates: Faces that add nothing beside a sharper one; None if not looked for.
        distinct: Faces without those.
        xseg_masks: Faces with an XSeg mask.
        polygons: Faces with drawn outlines and no XSeg mask.
        hull_only: Faces with neither.
        people: Who they are; None if not looked at.
        landmarks: Second look at the landmarks; None if not looked at.
    """

    side: str
    files: int
    faces: int
    packed: bool
    damaged: int
    damaged_files: tuple[Damaged, ...]
    unsafe: Named
    sizes: Mapping[str, int]
    face_types: Mapping[str, int]
    origins: Mapping[str, int]
    sharpness: Spread | None
    blurred: Named
    frame_pixels: Spread | None
    enlargement: Spread | None
    enlarged: int
    brightness: Spread | None
    contrast: Spread | None
    from_left: Spread | None
    from_above: Spread | None
    color: tuple[float, float] | None
    dark: Named
    burnt: Named
    mouth: Spread | None
    eyes: Spread | None
    yaw: Spread | None
    pitch: Spread | None
    pose_map: tuple[tuple[int, ...], ...]
    regions: Mapping[str, int]
    near_duplicates: int | None
    distinct: int
    xseg_masks: int
    polygons: int
    hull_only: int
    people: PeopleFound | None = None
    landmarks: LandmarksChecked | None = None


def summarize(
    side: str,
    measures: Sequence[FaceMeasure],
    *,
    name: Callable[[FaceMeasure], str] = lambda measure: measure.name,
    duplicates: Iterable[int] | None = None,
    people: PeopleFound | None = None,
    landmarks: LandmarksChecked | None = None,
    packed: bool = False,
) -> FacesetSummary:
    """Count what the measures of one side say.

    Args:
        side: "src" or "dst".
        measures: Every face file of the side, damaged ones too.
        name: How a face is called in the report.
        duplicates: Indices of near-duplicates; None: not looked for.
        people: Who was found, if looked at.
        landmarks: What a second look at the landmarks found, if taken.
        packed: The faces lie in a `faceset.pak`.
    """
    copies = set(duplicates or ())
    usable = [m for m in measures if not m.problem]
    distinct = [m for i, m in enumerate(measures) if not m.problem and i not in copies]
    damaged = [Damaged(name(m), m.problem, m.reason or m.problem) for m in measures if m.problem]
    unsafe = [item.name for item in damaged if item.reason == UNSAFE]
    records = [m.record for m in usable if m.record is not None]
    sharpness = spread(m.sharpness for m in usable)
    enlargements = [value for value in map(enlargement, records) if value is not None]
    lights = [m.light for m in usable if m.light is not None]
    xseg = sum(record.xseg_mask is not None for record in records)
    drawn = sum(record.xseg_mask is None and record.has_points for record in records)
    return FacesetSummary(
        side=side,
        files=len(measures),
        faces=len(usable),
        packed=packed,
        damaged=len(damaged),
        damaged_files=tuple(damaged[:_NAMED]),
        unsafe=Named(len(unsafe), tuple(unsafe[:_NAMED])),
        sizes=_counted(str(m.size) for m in usable),
        face_types=_counted(record.assumed_face_type.value for record in records),
        origins=_counted(map(origin, records)),
        sharpness=sharpness,
        blurred=_blurred(usable, name),
        frame_pixels=spread(m.frame_pixels for m in usable),
        enlargement=spread(enlargements),
        enlarged=sum(value >= ENLARGED.value for value in enlargements),
        brightness=spread(light.brightness for light in lights),
        contrast=spread(light.contrast for light in lights),
        from_left=spread(light.from_left for light in lights),
        from_above=spread(light.from_above for light in lights),
        color=middle_color([light.color for light in lights]),
        dark=_worst(usable, lambda m: m.light.dark - DARK_PIXELS.value if m.light else -1.0, name),
        burnt=_worst(
            usable, lambda m: m.light.bright - BURNT_PIXELS.value if m.light else -1.0, name
        ),
        mouth=spread(m.mouth for m in usable),
        eyes=spread(m.eyes for m in usable),
        yaw=spread(yaw for yaw, _ in map(angles, usable)),
        pitch=spread(pitch for _, pitch in map(angles, usable)),
        pose_map=pose_map(usable),
        regions=_regions(usable, distinct),
        near_duplicates=None if duplicates is None else len(usable) - len(distinct),
        distinct=len(distinct),
        xseg_masks=xseg,
        polygons=drawn,
        hull_only=len(records) - xseg - drawn,
        people=people,
        landmarks=landmarks,
    )


def angles(measure: FaceMeasure) -> tuple[float, float]:
    """Yaw and pitch in degrees; NaN for a face that could not be measured."""
    if measure.pose is None:
        return math.nan, math.nan
    return math.degrees(measure.pose.yaw), math.degrees(measure.pose.pitch)


def pose_map(measures: Sequence[FaceMeasure]) -> tuple[tuple[int, ...], ...]:
    """Faces by cell of pitch and yaw; see `FacesetSummary.pose_map`."""
    table = np.array([angles(m) for m in measures if m.pose is not None]).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    counts = np.zeros((len(PITCH_EDGES) - 1, len(YAW_EDGES) - 1), dtype=np.int64)
    columns = _cells(table[:, 0], YAW_EDGES)
    rows = _cells(table[:, 1], PITCH_EDGES)
    np.add.at(counts, (rows, columns), 1)
    return tuple(tuple(int(value) for value in row) for row in counts)


def regions_of(measure: FaceMeasure) -> set[Region]:
    """The parts of the range that a face shows; empty for a calm frontal one."""
    yaw, pitch = angles(measure)
    found = {
        Region.UP: pitch > TILTED_DEG.value,
        Region.DOWN: pitch < -TILTED_DEG.value,
        Region.LEFT: yaw > TURNED_DEG.value,
        Region.RIGHT: yaw < -TURNED_DEG.value,
        Region.LEFT_PROFILE: yaw > PROFILE_DEG.value,
        Region.RIGHT_PROFILE: yaw < -PROFILE_DEG.value,
        Region.OPEN_MOUTH: measure.mouth is not None and measure.mouth > OPEN_MOUTH.value,
        Region.SHUT_EYES: measure.eyes is not None and measure.eyes < SHUT_EYES.value,
    }
    return {region for region, shown in found.items() if shown}


def region_counts(measures: Sequence[FaceMeasure]) -> dict[Region, int]:
    """Faces by region; every region is there."""
    counts = Counter(region for measure in measures for region in regions_of(measure))
    return {region: counts[region] for region in Region}


def _regions(usable: Sequence[FaceMeasure], distinct: Sequence[FaceMeasure]) -> dict[str, int]:
    counts, all_counts = region_counts(distinct), region_counts(usable)
    for region in EXPRESSIONS:
        counts[region] = all_counts[region]
    return {region.value: count for region, count in counts.items()}


def spread(values: Iterable[float | None]) -> Spread | None:
    """5 %, 50 % and 95 % points of the finite numbers; None if there are none."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return None
    low, median, high = np.percentile(finite, [5, 50, 95]).round(5).tolist()
    return Spread(low, median, high)


def enlargement(record: FaceRecord) -> float | None:
    """Crop pixels for one frame pixel, above 1 where the face was enlarged; None if unknown."""
    if record.source_landmarks is None:
        return None
    inside, outside = (
        # Distance from the middle, root mean square: a turn in the plane does not change it.
        math.sqrt(float(np.var(np.asarray(points, np.float64), axis=0).sum()))
        if np.isfinite(points).all()
        else 0.0
        for points in (record.landmarks, record.source_landmarks)
    )
    return inside / outside if inside > 0 and outside > 0 else None


def origin(record: FaceRecord) -> str:
    """The video or photo of a face, "not recorded" where the file does not say."""
    video = record.provenance.get("video")
    return video if isinstance(video, str) and video else "not recorded"


def _cells(values: npt.NDArray[np.float64], edges: Sequence[int]) -> npt.NDArray[np.int64]:
    found = np.searchsorted(np.array(edges), values, side="right") - 1
    return np.clip(found, 0, len(edges) - 2).astype(np.int64)


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _blurred(measures: Sequence[FaceMeasure], name: Callable[[FaceMeasure], str]) -> Named:
    """The faces that `clean --blur` would propose, the worst first."""
    by_path = {m.path: m for m in measures}
    found = propose_blur(measures, BLURRED_STEP.value)
    return Named(len(found), tuple(name(by_path[item.path]) for item in found[:_NAMED]))


def _worst(
    measures: Sequence[FaceMeasure],
    excess: Callable[[FaceMeasure], float],
    name: Callable[[FaceMeasure], str],
) -> Named:
    """The faces whose excess is above 0, the largest first."""
    over = [(value, m) for m in measures if (value := excess(m)) > 0]
    over.sort(key=lambda item: -item[0])
    return Named(len(over), tuple(name(m) for _, m in over[:_NAMED]))


def middle_color(colors: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Median of Lab a and b; None if there are none."""
    if not colors:
        return None
    a, b = np.median(np.array(colors), axis=0).tolist()
    return a, b
