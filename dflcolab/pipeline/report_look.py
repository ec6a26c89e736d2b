"""Looking at every face of a side once for the report: measures, copies, people, landmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import FormatError
from dflcolab.faceset.coverage import (
    FacesetSummary,
    LandmarksChecked,
    Named,
    PeopleFound,
    PersonShare,
    landmark_limit,
    summarize,
)
from dflcolab.faceset.duplicates import find_duplicates
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.face_source import FaceSource
from dflcolab.faceset.identity import Vector
from dflcolab.faceset.landmark_quality import LandmarkVerdict
from dflcolab.faceset.limits import NEAR_DUPLICATE
from dflcolab.faceset.measures import FaceMeasure, measure_face
from dflcolab.faceset.people import find_people
from dflcolab.progress import Progress

_NAMED = 50


@dataclass(frozen=True, eq=False)
class SideLook:
    """Everything that was measured of one side.

    Attributes:
        source: Where the faces are.
        measures: One per face file.
        duplicates: Copy → kept face and difference, by index.
        summary: The numbers.
        main_person: Vector of the person seen most; None if nobody was looked at.
    """

    source: FaceSource
    measures: Sequence[FaceMeasure]
    duplicates: Mapping[int, tuple[int, float]]
    summary: FacesetSummary
    main_person: Vector | None
    _by_name: dict[str, FaceMeasure] = field(default_factory=dict, repr=False)

    def name(self, measure: FaceMeasure) -> str:
        """How a face is called in the report."""
        return self.source.name(measure.path)

    def picture(self, name: str) -> Image | None:
        """The picture of a face by its name; None if it cannot be read any more."""
        if not self._by_name:
            self._by_name.update((self.name(m), m) for m in self.measures)
        measure = self._by_name.get(name)
        if measure is None:
            return None
        try:
            return self.source.read(measure.path).decode()
        except FormatError:
            return None


def look_at_side(side: str, source: FaceSource, *, sample: int, progress: Progress) -> SideLook:
    """Measure all faces of a side, and look at an evenly spread sample with networks.

    Args:
        side: "src" or "dst".
        source: The faces.
        sample: Most faces that the networks look at; 0 leaves people and landmarks out.
        progress: Shows the work and carries the wish to stop.

    Raises:
        Interrupted: The user asked to stop.
    """
    title = f"Looking at {side} faces"
    measures = list(
        for_each_face(source.paths, measure_face, progress=progress, title=title, read=source.read)
    )
    progress.raise_if_stopped()
    duplicates = find_duplicates(measures, threshold=NEAR_DUPLICATE.value)
    progress.raise_if_stopped()
    people, main, landmarks = _looked_closer(source, measures, side, sample, progress)
    summary = summarize(
        side,
        measures,
        name=lambda measure: source.name(measure.path),
        duplicates=duplicates,
        people=people,
        landmarks=landmarks,
        packed=source.packed,
    )
    return SideLook(source, measures, duplicates, summary, main)


def evenly(count: int, wanted: int) -> list[int]:
    """Indices of `wanted` of `count` things, evenly spread; all if there are no more."""
    if wanted >= count:
        return list(range(count))
    return sorted({int(i) for i in np.linspace(0, count - 1, wanted).round()}) if wanted else []


def _looked_closer(
    source: FaceSource,
    measures: Sequence[FaceMeasure],
    side: str,
    sample: int,
    progress: Progress,
) -> tuple[PeopleFound | None, Vector | None, LandmarksChecked | None]:
    """People and landmarks of a sample; Nones if nothing was looked at."""
    usable = [m for m in measures if not m.problem]
    chosen = [usable[i] for i in evenly(len(usable), sample)]
    if not chosen:
        return None, None, None
    from dflcolab.detection.embedding import embed_face
    from dflcolab.detection.landmark_check import judge_landmarks

    def closer(face: FaceFile) -> tuple[Vector, LandmarkVerdict] | None:
        if face.record is None:
            return None
        try:
            image = face.decode()
        except FormatError:
            return None
        landmarks = face.record.landmarks
        return embed_face(image, landmarks), judge_landmarks(image, landmarks)

    results = for_each_face(
        [m.path for m in chosen],
        closer,
        progress=progress,
        title=f"Comparing {side} faces",
        read=source.read,
    )
    vectors: dict[str, Vector] = {}
    failed: list[tuple[float, str]] = []
    for measure, result in zip(chosen, results, strict=True):
        if result is None:
            continue
        vector, verdict = result
        if np.isfinite(vector).all():
            vectors[source.name(measure.path)] = vector
        limit = 0.0 if measure.record is None else landmark_limit(measure.record)
        if verdict.badness > limit:
            failed.append((verdict.badness, source.name(measure.path)))
    failed.sort(key=lambda item: (-item[0], item[1]))
    checked = LandmarksChecked(
        len(chosen), Named(len(failed), tuple(name for _, name in failed[:_NAMED]))
    )
    people = find_people(vectors)
    if not people:
        return None, None, checked
    shares = tuple(
        PersonShare(p.number, len(p.names), len(p.names) / len(vectors), p.names[0]) for p in people
    )
    return PeopleFound(len(vectors), shares), people[0].centre, checked
