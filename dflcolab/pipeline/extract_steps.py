"""What `extract`, `append` and looking again do in the same way."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import FacesetError, FormatError
from dflcolab.extraction.config import FaceOptions
from dflcolab.extraction.journal import FILE_NAME, Journal
from dflcolab.extraction.sources import Source, stem_of_key
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.person_folders import people_alone
from dflcolab.faceset.renaming import recover
from dflcolab.files import exclusive, list_files, remove_temporaries, storage_errors
from dflcolab.formats.dfl_jpeg import read_record
from dflcolab.formats.faceset_pak import PAK_NAME
from dflcolab.workspace.workspace import Side, Workspace


def refuse_to_hide_faces(workspace: Workspace, config: FaceOptions) -> None:
    """Refuse to add faces beside a pack, which would hide them, or beside people's folders.

    Where these have no faces beside them yet, the new ones would be all that is used.

    Raises:
        FacesetError: The side's faces are packed, or lie in people's folders.
    """
    folder = workspace.aligned_dir(config.side)
    recover(folder)  # faces of a sort that was killed half-way are not gone
    pak = folder / PAK_NAME
    if pak.exists():
        raise FacesetError(
            f"{pak} holds this side's faces in packed form; run "
            f"`dflcolab unpack -w {workspace.root} --side {config.side.value}` first."
        )
    if people := people_alone(folder):
        raise FacesetError(
            f"The faces of {folder} lie in people's folders ({people[0].name} …), and new ones beside "
            f"these folders would be the only ones that are used; move all faces up into {folder} "
            "first, or add the new ones in another workspace and move them into their people's folders."
        )


@contextmanager
def adding_faces(workspace: Workspace, config: FaceOptions) -> Generator[None]:
    """Keep other processes from adding faces to the side meanwhile; makes the side's folder.

    Raises:
        FacesetError: One is at work.
        StorageError: The disk is full or read-only.
    """
    folder = workspace.frames_dir(config.side)
    busy = FacesetError(f"Another extraction is writing {folder}; wait until it has ended.")
    with exclusive(folder / ".extract.lock", busy):
        yield


def make_folders(aligned_dir: Path, debug_dir: Path | None) -> None:
    """Make the folders that are missing."""
    for folder in (aligned_dir, debug_dir):
        if folder is not None:
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)


def clear_leftovers(aligned_dir: Path, debug_dir: Path | None) -> None:
    """Remove what a killed run left half-written; inside `adding_faces`, and `using` the faces."""
    for folder in (aligned_dir, debug_dir):
        if folder is not None:
            remove_temporaries(folder)


def done_frames(workspace: Workspace, journal: Journal) -> dict[str, dict[str, str]]:
    """Frames in the journal: name of the source → key → name without ending."""
    found: dict[str, dict[str, str]] = {}
    for name, log in journal.sources.items():
        prefix = workspace.frame_prefix(Path(name))
        found[name] = {key: stem_of_key(name, key, prefix) for key in log.faces}
    return found


@dataclass(frozen=True)
class FacesSoFar:
    """What a side has found by now, as `ExtractReport` tells it."""

    frames: int
    frames_with_face: int
    faces: int
    removed: int


def faces_so_far(journal: Journal, aligned_dir: Path) -> FacesSoFar:
    """Frames looked at and faces found in them, by the journal; faces that are files, by the folder."""
    counts = [n for log in journal.sources.values() for n in log.faces.values()]
    n_files = len(list_files(aligned_dir, (".jpg",)))
    return FacesSoFar(
        frames=len(counts),
        frames_with_face=sum(n > 0 for n in counts),
        faces=n_files,
        removed=max(sum(counts) - n_files, 0),
    )


def check_identities(sources: Sequence[Source], journal: Journal, aligned_dir: Path) -> None:
    """Refuse a video that was exchanged for another one of the same name."""
    for source in sources:
        log = journal.source(source.name)
        if log.faces and log.identity != source.identity:
            raise FacesetError(
                f"{source.name} is not the file that the faces in {aligned_dir} came from; give the "
                f"new one another name (such as data_src_2.mp4) to add it, or rename that folder to "
                "start over."
            )


def is_packed(workspace: Workspace, side: Side) -> bool:
    """True where the faces of a side are in a `faceset.pak`."""
    return (workspace.aligned_dir(side) / PAK_NAME).exists()


def faces_stay(workspace: Workspace, side: Side) -> bool:
    """True where a side's faces are to be used as they are.

    That is where they are packed, in people's folders, or extracted by another program: whoever brought
    them may have deleted some on purpose, and extraction would look at those frames again.
    """
    if is_packed(workspace, side) or people_alone(workspace.aligned_dir(side)):
        return True
    journal = workspace.frames_dir(side) / FILE_NAME
    return not journal.exists() and bool(list_files(workspace.aligned_dir(side), (".jpg",)))


def foreign_faces(aligned_dir: Path, face_type: FaceType) -> dict[str, int]:
    """Faces per frame (by the stem of its name) that another program extracted.

    Raises:
        FacesetError: They are of another type, so that the two would not mix.
    """
    found: dict[str, int] = {}
    for path in list_files(aligned_dir, (".jpg",)):
        try:
            record = read_record(path)
        except FormatError:
            continue  # damaged files are the faceset's business; nothing here reads them
        if record is None or record.source_filename is None:
            continue
        if record.assumed_face_type is not face_type:
            raise FacesetError(
                f"{aligned_dir} holds faces of type {record.assumed_face_type.value}, not "
                f"{face_type.value}; give --face-type {record.assumed_face_type.value}, or rename "
                "that folder to start over."
            )
        stem = Path(record.source_filename).stem
        found[stem] = found.get(stem, 0) + 1
    return found


def take_over(foreign: dict[str, int], sources: Sequence[Source], journal: Journal) -> int:
    """Enter frames that have faces already into the journal; their number."""
    n_frames = 0
    for source in sources:
        keys = {source.key_of(stem): n_faces for stem, n_faces in foreign.items()}
        known = {key: n_faces for key, n_faces in keys.items() if key is not None}
        if known:
            journal.add(source.name, known, (), identity=source.identity, fps=None)
            n_frames += len(known)
    return n_frames
