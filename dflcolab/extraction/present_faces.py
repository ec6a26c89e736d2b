# pyright: strict
"""The faces that a side has already, by the frame they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import FormatError
from dflcolab.extraction.journal import read_options, write_options
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.person_folders import person_folders
from dflcolab.files import list_files
from dflcolab.formats.dfl_jpeg import SUFFIXES, Face, read_face


@dataclass(frozen=True)
class PresentFaces:
    """Face files of a folder, read up to their metadata.

    Attributes:
        by_stem: Name of the frame without ending → its face files, by name.
        problems: Files that cannot be read, and faces that name no frame; one sentence each.
    """

    by_stem: dict[str, list[tuple[Path, Face]]] = field(
        default_factory=dict[str, list[tuple[Path, Face]]]
    )
    problems: list[str] = field(default_factory=list[str])


def present_faces(aligned_dir: Path) -> PresentFaces:
    """Read the metadata of all face files of a folder; faces that name no frame are left out."""
    found = PresentFaces()
    for path in list_files(aligned_dir, SUFFIXES):
        try:
            face = read_face(path)
        except FormatError as error:
            found.problems.append(str(error))
            continue
        name = face.record.source_filename
        if name is None:
            found.problems.append(f"{path.name} does not say which frame it came from.")
            continue
        found.by_stem.setdefault(Path(name).stem, []).append((path, face))
    return found


@dataclass(frozen=True)
class FaceFormat:
    """What all faces of a side have in common.

    Attributes:
        face_type: Extent of the crops.
        size: Side of the pictures in pixels.
    """

    face_type: FaceType
    size: int

    def __str__(self) -> str:
        return f"{self.face_type.value} at {self.size} pixels"


def format_of_side(journal_path: Path, aligned_dir: Path) -> FaceFormat | None:
    """Face type and size of the faces that a side has; None if it has none.

    The journal of the extraction says it; without one, most of the face files do.

    Args:
        journal_path: `extract.jsonl`, which may be missing.
        aligned_dir: The faceset, which may be missing.

    Raises:
        FormatError: The journal is damaged.
    """
    paths = _face_paths(aligned_dir)
    if not paths:
        return None
    options = read_options(journal_path)
    if options is not None:
        return FaceFormat(FaceType.parse(str(options["face_type"])), int(options["size"]))
    return _usual_format(paths)


def note_format(journal_path: Path, aligned_dir: Path) -> None:
    """Have the journal say what most faces are now, so that later ones are made alike.

    For tools that give all faces another size or type. Without a journal the faces say it anyway.

    Args:
        journal_path: `extract.jsonl`, which may be missing.
        aligned_dir: The faceset.

    Raises:
        FormatError: The journal is damaged.
        StorageError: Disk full, read-only or gone.
    """
    if read_options(journal_path) is None:
        return
    found = _usual_format(_face_paths(aligned_dir))
    if found is not None:
        write_options(journal_path, {"face_type": found.face_type.value, "size": found.size})


def _face_paths(aligned_dir: Path) -> list[Path]:
    folders = (aligned_dir, *person_folders(aligned_dir))
    return [path for folder in folders for path in list_files(folder, SUFFIXES)]


def _usual_format(paths: Sequence[Path]) -> FaceFormat | None:
    """What most of the files are; None if none of them is a face."""
    formats: Counter[FaceFormat] = Counter()
    for path in paths:
        try:
            face = read_face(path)
        except FormatError:
            continue
        formats[FaceFormat(face.record.assumed_face_type, face.width)] += 1
    return formats.most_common(1)[0][0] if formats else None
