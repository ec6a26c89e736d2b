# pyright: strict
"""Faces of another faceset, ready to be copied into this one without mixing up names.

Pictures are told apart by their content: by the parts of the JPEG file that make its pixels. So a
face is recognised whatever it is called and whatever its metadata say.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import DFLColabError, FormatError
from dflcolab.faces.face_record import PROVENANCE_KEY, FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.person_folders import person_folders
from dflcolab.files import list_files
from dflcolab.formats.dfl_jpeg import SUFFIXES, Face, read_face, read_record, read_record_bytes
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from dflcolab.formats.jpeg_segments import DRI, end_of_picture, read_header

_COMMENT = 0xFE
_USUAL_NAMES = ("aligned", "faceset", "")
_LONGEST_LABEL = 40
_LONGEST_STEM = 200  # bytes
_ODD = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


@dataclass(frozen=True)
class IncomingFace:
    """A face of another faceset.

    Attributes:
        name: Its file name there.
        person: Name of its person's folder there, or None.
        load: Reads it, with its metadata.
    """

    name: str
    person: str | None
    load: Callable[[], Face] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.person}/{self.name}" if self.person else self.name


@dataclass(frozen=True)
class IncomingFaceset:
    """Another faceset, open for reading.

    Attributes:
        path: The folder or pack.
        origin: Its name for people: that of the folder above where its own says nothing.
        faces: Its faces by name, one person after the other.
        problems: What was left out, one sentence each.
    """

    path: Path
    origin: str
    faces: list[IncomingFace]
    problems: list[str]


@dataclass(frozen=True)
class FaceLook:
    """What must be known of a face before anything is copied.

    Attributes:
        face: The face.
        picture: See `picture_hash`.
        face_type: Extent of the crop.
        size: Side of the picture in pixels.
    """

    face: IncomingFace
    picture: str
    face_type: FaceType
    size: int


def is_faceset(path: Path) -> bool:
    """True for a pack, a folder with a pack or face files in it, or with sub-folders of these.

    Raises:
        UnsafeFileError: A file's metadata ask for more than data.
    """
    if path.is_file():
        return path.suffix.lower() == ".pak"
    if any((folder / PAK_NAME).is_file() for folder in (path, *_sub_folders(path))):
        return True
    return any(_has_faces(list_files(folder, SUFFIXES)) for folder in (path, *person_folders(path)))


def _sub_folders(path: Path) -> list[Path]:
    return sorted(sub for sub in path.iterdir() if sub.is_dir() and not sub.name.startswith("."))


def _has_faces(paths: Iterable[Path]) -> bool:
    return any(_is_face(path) for path in paths)


def _is_face(path: Path) -> bool:
    try:
        return read_record(path) is not None
    except FormatError:
        return False


@contextmanager
def open_incoming(path: Path) -> Generator[IncomingFaceset]:
    """A faceset to copy faces from: a pack, a folder, or its persons' sub-folders.

    A pack hides the loose files beside it, as in DeepFaceLab, and faces those in sub-folders: these
    were set aside. Nothing is read yet but lists.

    Raises:
        FormatError: A pack is damaged as a whole.
        UnsafeFileError: A pack asks for more than data, or holds names that leave its folder.
    """
    found = IncomingFaceset(path, _origin(path), [], [])
    readers: list[PakReader] = []
    try:
        if path.is_file():
            readers.append(_add_pack(found, path, None))
        else:
            people = _sub_folders(path)
            if (path / PAK_NAME).is_file() or _has_faces(list_files(path, SUFFIXES)):
                found.problems.extend(
                    f"The faces in {folder} were left out, because {path} holds faces beside that "
                    "folder; append that folder too, if they are wanted."
                    for folder in people
                    if (folder / PAK_NAME).is_file() or list_files(folder, SUFFIXES)
                )
                people = []
            for folder in (path, *people):
                person = None if folder == path else folder.name
                files = list_files(folder, SUFFIXES)
                if (folder / PAK_NAME).is_file():
                    readers.append(_add_pack(found, folder / PAK_NAME, person))
                    if files:
                        found.problems.append(
                            f"{len(files)} loose files beside {folder / PAK_NAME} were left out, as "
                            "the pack stands for the folder."
                        )
                    continue
                for file in files:
                    found.faces.append(IncomingFace(file.name, person, _reading(file)))
        yield found
    finally:
        for reader in readers:
            reader.close()


@contextmanager
def open_files(paths: Sequence[Path]) -> Generator[IncomingFaceset]:
    """Single face files, all of one folder."""
    folder = paths[0].absolute().parent
    faces = [IncomingFace(path.name, None, _reading(path)) for path in paths]
    yield IncomingFaceset(folder, _origin(folder), faces, [])


def is_face_file(path: Path) -> bool:
    """Whether a picture carries a face's metadata."""
    return path.suffix.lower() in SUFFIXES and _is_face(path)


def _reading(path: Path) -> Callable[[], Face]:
    return lambda: read_face(path)


def _add_pack(found: IncomingFaceset, path: Path, person: str | None) -> PakReader:
    reader = PakReader(path)

    def reading(index: int) -> Callable[[], Face]:
        return lambda: reader.read(index)

    for index, entry in enumerate(reader.entries):
        found.faces.append(IncomingFace(entry.name, entry.person or person, reading(index)))
    return reader


def _origin(path: Path) -> str:
    base = path.stem if path.is_file() else path.name
    if base not in _USUAL_NAMES:
        return base
    above = path.absolute().parent
    if path.is_file() and above.name in _USUAL_NAMES:
        above = above.parent
    return above.name or "faces"


def look_at(face: IncomingFace) -> FaceLook:
    """Read a face once, to know its kind and to recognise its picture.

    Raises:
        FormatError: The face is damaged.
        UnsafeFileError: Its metadata ask for more than data.
    """
    loaded = face.load()
    return FaceLook(
        face,
        picture_hash(loaded.jpeg(), loaded.name),
        loaded.record.assumed_face_type,
        loaded.width,
    )


def picture_hash(jpeg: bytes, name: str) -> str:
    """Hex hash of a JPEG file's picture; metadata and comments do not count.

    Args:
        jpeg: The file.
        name: What to call it in errors.

    Raises:
        FormatError: It is damaged or truncated.
    """
    header = read_header(io.BytesIO(jpeg), name)
    end = end_of_picture(jpeg, header.scan_offset)
    if end < 0:
        raise FormatError(f"{name} is truncated; use another copy of it.")
    digest = hashlib.sha256()
    for segment in header.segments:
        is_note = 0xE0 <= segment.marker <= 0xEF or segment.marker == _COMMENT
        is_empty_interval = segment.marker == DRI and not any(segment.payload)
        if not (is_note or is_empty_interval):
            digest.update(segment.encode())
    digest.update(jpeg[header.scan_offset : end])
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class KnownPictures:
    """What lies in the folders of a side.

    Attributes:
        labels: Hash of a picture → label of the set it was appended with; "" for all others.
        stems: Names of the frames of the faces, without ending.
    """

    labels: dict[str, str] = field(default_factory=dict[str, str])
    stems: set[str] = field(default_factory=set[str])


def pictures_in(folders: Iterable[Path]) -> KnownPictures:
    """All faces in some folders by their pictures; files that are damaged are nobody's twins."""
    found = KnownPictures()
    for folder in folders:
        for path in list_files(folder, SUFFIXES):
            try:
                data = path.read_bytes()
                picture = picture_hash(data, path.name)
                record = read_record_bytes(data, path.name)
            except DFLColabError:
                continue
            label = "" if record is None else record.provenance.get("faceset", "")
            found.labels[picture] = str(label)
            if record is not None and record.source_filename:
                found.stems.add(Path(record.source_filename).stem)
    return found


def label_for(origin: str, kind: str, taken: Callable[[str], bool]) -> str:
    """A short name for a set: what the names of its frames begin with, before a hyphen.

    Args:
        origin: Name of the folder or pack.
        kind: "photos" or "faces": stands in for names that say nothing. A mere number would look
            like that of a video.
        taken: Whether names that begin so exist already.
    """
    base = re.sub(r"[^\w. -]", "_", origin).strip(" .-_")[:_LONGEST_LABEL].strip(" .-_")
    if not base or base.isdecimal():
        base = f"{kind}-{base}".strip("-")
    label, number = base, 1
    while taken(label):
        number += 1
        label = f"{base}_{number}"
    return label


def new_name(look: FaceLook, label: str, used: Collection[str]) -> str:
    """A free file name for a copied face.

    Args:
        look: The face.
        label: Of its set.
        used: Names that are taken, in lower case.
    """
    stem = plain_stem(f"{_prefix(look.face, label)}{Path(look.face.name).stem}")
    name, number = f"{stem}.jpg", 1
    while name.lower() in used:
        number += 1
        name = f"{stem}~{number}.jpg"
    return name


def plain_stem(text: str) -> str:
    """A file name's stem that every system can hold, as close to `text` as possible."""
    plain = _ODD.sub("_", _readable(text))
    return plain.encode()[:_LONGEST_STEM].decode("utf-8", "ignore").strip(" .") or "picture"


def _readable(text: str) -> str:
    """The text without halves of characters, which names from other systems may hold."""
    return text.encode("utf-8", "replace").decode()


def _prefix(face: IncomingFace, label: str) -> str:
    person = re.sub(r"[^\w. -]", "_", face.person)[:_LONGEST_LABEL] if face.person else ""
    return f"{label}-{person}-" if person else f"{label}-"


def appended_record(
    record: FaceRecord, face: IncomingFace, *, label: str, origin: str
) -> FaceRecord:
    """The metadata of a copied face: a frame name of its own, and where it came from.

    What the face said of its video before is kept under other names, as the videos of this
    workspace may have the same.

    Args:
        record: Its metadata there.
        face: The face.
        label: Of its set.
        origin: Name of the faceset for people.
    """
    source = _readable(record.source_filename or face.name)
    kept = {
        f"original_{key}" if key in ("video", "photo", "photos") else key: value
        for key, value in record.provenance.items()
        if isinstance(value, (str, int, float))
    }
    provenance = {
        **kept,
        "faceset": label,
        "origin": _readable(origin),
        "original_name": _readable(str(face)),
        "original_source": source,
    }
    return record.replace(
        source_filename=_prefix(face, label) + source,
        extra={**record.extra, PROVENANCE_KEY: provenance},
    )
