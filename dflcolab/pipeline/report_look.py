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
    summarize,
)
from dflcolab.faceset.duplicates import find_duplicates
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.face_source import FaceSource
from dflcolab.faceset.identity import Vector, identity_vector
from dflcolab.faceset.landmark_quality import LandmarkVerdict
from dflcolab.faceset.limits import LANDMARKS_OFF, SAME_PERSON
from dflcolab.faceset.measures import FaceMeasure, measure_face
from dflcolab.faceset.people import Person, find_people
from dflcolab.faceset.tracks import find_tracks
from dflcolab.faceset.vector_cache import FILE_NAME, VectorCache
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
        strangers: Indices of faces that belong to somebody clearly different.
    """

    source: FaceSource
    measures: Sequence[FaceMeasure]
    duplicates: Mapping[int, tuple[int, float]]
    summary: FacesetSummary
    main_person: Vector | None
    strangers: frozenset[int]
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
    duplicates = find_duplicates(measures)
    progress.raise_if_stopped()
    vectors, landmarks = _looked_closer(source, measures, side, sample, progress)
    progress.raise_if_stopped()
    found = _people(source, measures, vectors)
    summary = summarize(
        side,
        measures,
        name=lambda measure: source.name(measure.path),
        duplicates=duplicates,
        people=_shares(found, len(vectors)),
        landmarks=landmarks,
        packed=source.packed,
    )
    foreign = _strangers(found)
    return SideLook(
        source,
        measures,
        duplicates,
        summary,
        found[0].centre if found else None,
        frozenset(i for i, m in enumerate(measures) if source.name(m.path) in foreign),
    )


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
) -> tuple[dict[str, Vector], LandmarksChecked | None]:
    """Identity vectors by name, and landmarks, of a sample; nothing if nothing was looked at."""
    usable = [m for m in measures if not m.problem]
    chosen = [usable[i] for i in evenly(len(usable), sample)]
    if not chosen:
        return {}, None
    from dflcolab.detection.embedding import embed_face
    from dflcolab.detection.landmark_check import judge_landmarks
    from dflcolab.detection.models import EMBEDDING

    cache = VectorCache(source.folder.with_name(FILE_NAME), EMBEDDING)

    def closer(face: FaceFile) -> tuple[Vector | str, LandmarkVerdict] | None:
        if face.record is None:
            return None
        try:
            image = face.decode()
        except FormatError:
            return None
        vector = identity_vector(face, embed_face, cache=cache)
        return vector, judge_landmarks(image, face.record.landmarks)

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
        if not isinstance(vector, str):
            vectors[source.name(measure.path)] = vector
        if verdict.badness > LANDMARKS_OFF.value:
            failed.append((verdict.badness, source.name(measure.path)))
    cache.save(complete=False)
    failed.sort(key=lambda item: (-item[0], item[1]))
    checked = LandmarksChecked(
        len(chosen), Named(len(failed), tuple(name for _, name in failed[:_NAMED]))
    )
    return vectors, checked


def _people(
    source: FaceSource, measures: Sequence[FaceMeasure], vectors: Mapping[str, Vector]
) -> list[Person]:
    """Who they are; faces of one track through a video belong together."""
    records = {source.name(m.path): m.record for m in measures if m.record is not None}
    tracks = find_tracks({name: records[name] for name in vectors}, vectors)
    return find_people(vectors, groups=tracks)


def _shares(people: Sequence[Person], looked_at: int) -> PeopleFound | None:
    if not people:
        return None
    shares = [
        PersonShare(p.number, len(p.names), len(p.names) / looked_at, p.names[0]) for p in people
    ]
    return PeopleFound(looked_at, tuple(shares))


def _strangers(people: Sequence[Person]) -> set[str]:
    """Faces of people whose middle is clearly not the main person's.

    A lone blurred face may make a group of its own without being anybody else; such groups lie
    nearer.
    """
    if not people:
        return set()
    main = people[0].centre
    return {
        name
        for person in people[1:]
        if float(person.centre @ main) < SAME_PERSON.value
        for name in person.names
    }
