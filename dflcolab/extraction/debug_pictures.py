# pyright: strict
"""Debug pictures of faces that are there already, from their own metadata: no face is looked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import FacesetError
from dflcolab.extraction.alignment import encode_jpeg
from dflcolab.extraction.debug_view import QUALITY, draw_face
from dflcolab.extraction.extractor import n_cores
from dflcolab.extraction.present_faces import PresentFaces
from dflcolab.extraction.sources import Source, SourceFrame, chosen_frames
from dflcolab.faces.alignment import rect_from_landmarks
from dflcolab.faces.face_record import FaceRecord
from dflcolab.files import list_files, write_bytes
from dflcolab.formats.dfl_jpeg import Face
from dflcolab.pipes import map_ordered
from dflcolab.progress import Progress

_PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class DrawnPictures:
    """What `draw_missing` did.

    Attributes:
        n_pictures: Debug pictures written.
        problems: Faces that are in none of them, in one sentence per reason.
    """

    n_pictures: int = 0
    problems: list[str] = field(default_factory=list[str])


def stems_of_pictures(debug_dir: Path) -> set[str]:
    """Frames that have a debug picture, by name without ending; none if the folder is missing."""
    return {path.stem for path in list_files(debug_dir, _PICTURES)}


def draw_missing(
    present: PresentFaces,
    empty: Iterable[str],
    sources: Sequence[Source],
    debug_dir: Path,
    *,
    progress: Progress,
) -> DrawnPictures:
    """Draw the debug pictures that a side lacks.

    Args:
        present: The side's faces.
        empty: Names, without ending, of frames that were looked at and have no face: they get a
            plain picture.
        sources: Where frames may be found; the first that has a frame counts.
        debug_dir: Where the pictures go; must exist.
        progress: Shows the work and carries the wish to stop.

    Raises:
        Interrupted: Stopped as asked; run again to go on.
        StorageError: Disk full, read-only or gone.
    """
    there = stems_of_pictures(debug_dir)
    faces: dict[str, list[tuple[Path, Face]]] = {stem: [] for stem in empty if stem not in there}
    faces |= {stem: items for stem, items in present.by_stem.items() if stem not in there}
    places = places_of(faces, sources)
    done: set[str] = set()
    problems = list(present.problems)

    total = sum(len(keys) for keys in places.values())
    if total:
        with (
            progress.task("Drawing debug pictures", total=total, unit="frames") as task,
            ThreadPoolExecutor(max(2, n_cores())) as pool,
        ):
            for source in sources:
                stems = places[source.name]

                def draw(
                    frame: SourceFrame, stems: Mapping[str, str] = stems
                ) -> tuple[str, list[str]]:
                    stem = stems[frame.key]
                    return stem, _draw(frame.image, stem, faces[stem], debug_dir)

                frames = chosen_frames(source, stems, pool)
                for stem, unusable in map_ordered(pool, draw, frames, 4):
                    done.add(stem)
                    problems += unusable
                    task.advance()
                    progress.raise_if_stopped()
    lost = [stem for stem in faces if faces[stem] and stem not in done]
    if lost:
        problems.append(_lost(lost, faces))
    return DrawnPictures(len(done), problems)


def places_of(stems: Iterable[str], sources: Sequence[Source]) -> dict[str, dict[str, str]]:
    """Where frames are: by the source's name, the frame's key and its name without ending.

    Frames that no source knows are left out.
    """
    places: dict[str, dict[str, str]] = {source.name: {} for source in sources}
    for stem in stems:
        for source in sources:
            key = source.key_of(stem)
            if key is not None:
                places[source.name].setdefault(key, stem)
                break
    return places


def draw_stored(image: Image, record: FaceRecord, *, size: int) -> None:
    """Draw a face into its frame by what its file says, in place.

    Args:
        image: `[H, W, 3]` BGR, changed.
        record: Of the face.
        size: Side of the face picture in pixels.

    Raises:
        FacesetError: It has no usable landmarks of its frame.
    """
    landmarks = record.source_landmarks
    if landmarks is None:
        raise FacesetError("The face does not say where it is in its frame; run extract again.")
    rect = record.source_rect
    box = rect_from_landmarks(landmarks) if rect is None else tuple(rect.tolist())
    draw_face(
        image,
        landmarks,
        np.array(box, np.float32),
        face_type=record.assumed_face_type,
        size=size,
    )


def _draw(
    image: Image, stem: str, faces: Sequence[tuple[Path, Face]], debug_dir: Path
) -> list[str]:
    """Write one picture; names the faces that cannot be drawn."""
    picture = image.copy() if faces else image
    problems: list[str] = []
    for path, face in faces:
        try:
            draw_stored(picture, face.record, size=face.width)
        except FacesetError:
            problems.append(f"{path.name} has no usable landmarks of its frame; it is not drawn.")
    write_bytes(debug_dir / f"{stem}.jpg", encode_jpeg(picture, QUALITY), durable=False)
    return problems


def _lost(stems: Sequence[str], faces: Mapping[str, Sequence[tuple[Path, Face]]]) -> str:
    n_faces = sum(len(faces[stem]) for stem in stems)
    path, face = faces[stems[0]][0]
    what = "1 face has" if n_faces == 1 else f"{n_faces} faces have"
    first = "it is" if n_faces == 1 else "the first is"
    return (
        f"{what} no debug picture, as the frame is neither among the side's pictures nor in its "
        f"videos ({first} {path.name} from {face.record.source_filename})."
    )
