"""Copying the faces of another faceset into a side's own."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.extraction import append_log
from dflcolab.extraction.append_log import Appended
from dflcolab.extraction.extractor import n_cores
from dflcolab.extraction.present_faces import FaceFormat
from dflcolab.extraction.writing import bring_to_disk
from dflcolab.faceset.append import (
    FaceLook,
    IncomingFace,
    IncomingFaceset,
    KnownPictures,
    appended_record,
    look_at,
    new_name,
)
from dflcolab.faceset.convert import convert_face
from dflcolab.files import write_bytes
from dflcolab.formats.dfl_jpeg import embed, face_from_bytes
from dflcolab.pipeline.append_labels import Labels
from dflcolab.pipes import map_ordered
from dflcolab.progress import Progress

_BATCH = 64
_LEAST_QUALITY = 95
_STOPPED = "Stopped as asked; the faces copied so far stay, run the same command again to go on."


@dataclass(frozen=True)
class LookedFaceset:
    """A faceset of which every face was read once.

    Attributes:
        faceset: The faceset; it must stay open.
        looks: Its usable faces.
        problems: What was left out, one sentence each.
    """

    faceset: IncomingFaceset
    looks: list[FaceLook]
    problems: list[str]

    @property
    def usual_format(self) -> FaceFormat:
        """Face type and size that most of the faces have."""
        formats = Counter(FaceFormat(look.face_type, look.size) for look in self.looks)
        return formats.most_common(1)[0][0]


@dataclass
class CopiedFaces:
    """What `copy_faces` did with one faceset.

    Attributes:
        label: What the names of its frames begin with; "" if nothing was new.
        n_new: Faces copied.
        n_known: Faces that the side had or has in its trash, and faces copied before.
        n_converted: Those of the new ones whose face type or size was changed.
        least_covered: Smallest share of a converted picture that the old one fills.
        problems: Faces that were left out, one sentence each.
    """

    label: str = ""
    n_new: int = 0
    n_known: int = 0
    n_converted: int = 0
    least_covered: float = 1.0
    problems: list[str] = field(default_factory=list[str])


def look_through(faceset: IncomingFaceset, *, progress: Progress) -> LookedFaceset:
    """Read every face of a faceset once; damaged ones become problems.

    Raises:
        FacesetError: None is usable.
        Interrupted: The user asked to stop; nothing was added.
    """
    looks: list[FaceLook] = []
    problems = list(faceset.problems)
    title = f"Looking at {faceset.origin}"
    with (
        progress.task(title, total=len(faceset.faces), unit="faces") as task,
        ThreadPoolExecutor(max(2, n_cores())) as pool,
    ):
        for looked in map_ordered(pool, _looked, faceset.faces, 8):
            progress.raise_if_stopped("Stopped as asked; nothing was added.")
            if isinstance(looked, str):
                problems.append(looked)
            else:
                looks.append(looked)
            task.advance()
    if not looks:
        first = f" (the first: {problems[0].rstrip('.')})" if problems else ""
        raise FacesetError(f"There is no usable face in {faceset.path}{first}.")
    return LookedFaceset(faceset, looks, problems)


def _looked(face: IncomingFace) -> FaceLook | str:
    try:
        return look_at(face)
    except DFLColabError as error:
        return f"{str(error).rstrip('.')}. It was left out."


def copy_faces(
    faceset: LookedFaceset,
    wanted: FaceFormat,
    aligned_dir: Path,
    log_path: Path,
    *,
    known: KnownPictures,
    labels: Labels,
    jpeg_quality: int,
    progress: Progress,
) -> CopiedFaces:
    """Copy the faces that the side does not have.

    Files first, then the log: a run that was killed in between finds its faces by their pictures.

    Args:
        faceset: Where they come from.
        wanted: Face type and size of the side; other faces are converted.
        aligned_dir: Where they go.
        log_path: `append.jsonl`.
        known: The side's pictures; gets the new ones.
        labels: Names of sets.
        jpeg_quality: Of faces that are converted, at least 95.
        progress: Shows the work and carries the wish to stop.

    Raises:
        Interrupted: Stopped as asked; what was copied stays.
        StorageError: Disk full, read-only or gone; what was copied stays.
    """
    log = append_log.read_log(log_path)
    looks = {
        look.picture: look
        for look in reversed(faceset.looks)  # of two with one picture the first counts
        if look.picture not in log.pictures and look.picture not in known.labels
    }
    done = CopiedFaces(n_known=len(faceset.looks) - len(looks), problems=list(faceset.problems))
    if not looks:
        return done
    done.label = _label(faceset, log, known, labels, log_path)
    used = {path.name.lower() for path in aligned_dir.iterdir()}
    batch: list[tuple[Path, str]] = []

    def commit() -> None:
        bring_to_disk([path for path, _ in batch])
        append_log.log_faces(log_path, done.label, [picture for _, picture in batch])
        known.labels.update((picture, done.label) for _, picture in batch)
        batch.clear()

    def made(look: FaceLook) -> tuple[FaceLook, _Made | str]:
        try:
            return look, _made(look, faceset.faceset.origin, done.label, wanted, jpeg_quality)
        except DFLColabError as error:
            return look, f"{str(error).rstrip('.')}. It was left out."

    title = f"Copying {faceset.faceset.origin}"
    with (
        progress.task(title, total=len(looks), unit="faces") as task,
        ThreadPoolExecutor(max(2, n_cores())) as pool,
    ):
        for look, face in map_ordered(pool, made, reversed(looks.values()), 8):
            if progress.stop_requested:
                break
            task.advance()
            if isinstance(face, str):
                done.problems.append(face)
                continue
            path = aligned_dir / new_name(look, done.label, used)
            used.add(path.name.lower())
            write_bytes(path, face.data, durable=False)
            batch.append((path, look.picture))
            done.n_new += 1
            if face.converted:
                done.n_converted += 1
                done.least_covered = min(done.least_covered, face.covered)
            if len(batch) >= _BATCH:
                commit()
        if batch:
            commit()
    progress.raise_if_stopped(_STOPPED)
    return done


@dataclass(frozen=True)
class _Made:
    """A face file to be written."""

    data: bytes
    converted: bool
    covered: float


def _made(look: FaceLook, origin: str, label: str, wanted: FaceFormat, jpeg_quality: int) -> _Made:
    """The copy of a face; its picture is compressed anew only if it must change."""
    face = look.face.load()
    data, record, covered = face.jpeg(), face.record, 1.0
    converted = FaceFormat(look.face_type, look.size) != wanted
    if converted:
        result = convert_face(
            face,
            size=wanted.size,
            face_type=wanted.face_type,
            jpeg_quality=max(jpeg_quality, _LEAST_QUALITY),
        )
        data, covered = result.data, result.covered
        record = face_from_bytes(data, face.name).record
    record = appended_record(record, look.face, label=label, origin=origin)
    return _Made(embed(data, record, name=face.name), converted, covered)


def _label(
    faceset: LookedFaceset, log: Appended, known: KnownPictures, labels: Labels, log_path: Path
) -> str:
    """The label of the faces that were copied from here before, else a new one.

    So a run that was killed goes on under its label, and a faceset that has grown keeps its own.
    """
    origin = faceset.faceset.origin
    used = {**known.labels, **log.pictures}
    before = Counter(used.get(look.picture, "") for look in faceset.looks)
    mine = log.labels_of("faceset", origin)
    begun = [label for label in mine if before[label]]
    unused = [label for label in mine if label not in used.values()]
    if begun or unused:
        return max(begun or unused, key=lambda label: before[label])
    label = labels.new(origin, "faces")
    append_log.log_set(log_path, "faceset", label, origin)
    return label
