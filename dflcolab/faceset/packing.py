# pyright: strict
"""Which loose faces go into a pack, and under which names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import FacesetError, FormatError
from dflcolab.faceset.person_folders import person_folders
from dflcolab.faceset.whole_picture import is_whole
from dflcolab.files import list_files, storage_errors
from dflcolab.formats.dfl_jpeg import SUFFIXES, read_face
from dflcolab.formats.faceset_pak import PakItem, PakReader
from dflcolab.formats.pak_head import is_plain_name
from dflcolab.progress import Progress


@dataclass(frozen=True)
class LooseFaces:
    """Face files that wait to be packed.

    Attributes:
        files: Each file with the name of its person, or None, in the pack's order.
        notes: What stays loose and why, in sentences.
    """

    files: tuple[tuple[Path, str | None], ...]
    notes: tuple[str, ...]


def find_loose(folder: Path, *, persons: bool | None) -> LooseFaces:
    """The face files of an `aligned` folder.

    Args:
        folder: The folder.
        persons: True takes the sub-folders as people, False the folder's own files; None decides by
            what is there.

    Raises:
        FacesetError: There are both, and nobody said which; or there are no sub-folders of people.
    """
    own = list_files(folder, SUFFIXES)
    people = person_folders(folder)
    if persons is None and own and people:
        raise FacesetError(
            f"{folder} holds {len(own)} faces beside the folders of {_listed(people)}; move them "
            "into the folder of their person, or choose: --persons packs the folders, --no-persons "
            "the faces beside them, and what is left stays loose."
        )
    if persons and not people and own:
        raise FacesetError(
            f"{folder} has no sub-folder with faces; make one folder per person, or leave out "
            "--persons."
        )
    if persons or (persons is None and people):
        files = [(path, person.name) for person in people for path in list_files(person, SUFFIXES)]
        notes = _nested(people)
        if own:
            notes.append(
                f"{len(own)} faces outside of the people's folders stayed loose in {folder}; "
                "programs do not see them beside a pack, so move them into their person's folder "
                "and pack again."
            )
        return LooseFaces(tuple(files), tuple(notes))
    notes = [
        f"The faces in {person} stayed loose; programs do not see them beside a pack."
        for person in people
    ]
    return LooseFaces(tuple((path, None) for path in own), tuple(notes))


def read_loose(
    loose: LooseFaces, *, progress: Progress
) -> tuple[list[tuple[Path, PakItem]], list[str]]:
    """The faces with their metadata; and what cannot be packed, in sentences.

    Raises:
        Interrupted: The user asked to stop.
    """
    faces: list[tuple[Path, PakItem]] = []
    problems: list[str] = []
    with progress.task("Reading faces", total=len(loose.files), unit="faces") as task:
        for path, person in loose.files:
            progress.raise_if_stopped()
            task.advance()
            if not is_plain_name(path.name) or not (person is None or is_plain_name(person)):
                problems.append(f"{path} has a name that cannot be packed; rename it.")
                continue
            try:
                face = read_face(path)
                if not is_whole(face.jpeg()):
                    problems.append(
                        f"{path} stayed loose, because a part of its picture is missing; use "
                        "another copy of it, or delete it."
                    )
                    continue
                faces.append((path, PakItem(path.name, face, person)))
            except FormatError as error:
                problems.append(str(error))
    return faces, problems


def without_packed(
    faces: Sequence[tuple[Path, PakItem]], reader: PakReader
) -> tuple[list[tuple[Path, PakItem]], list[Path], dict[str, str]]:
    """Sort loose faces into new ones and ones that a pack holds already.

    Args:
        faces: Loose faces.
        reader: The pack.

    Returns:
        The new faces, under names that the pack does not have (`00001_0~2.jpg`); the files that the
        pack holds byte for byte, from an earlier run; and the new name of every face that got one.

    Raises:
        FacesetError: Faces of people and faces without would come into one pack.
    """
    places = {entry.path: index for index, entry in enumerate(reader.entries)}
    taken = set(places)
    new: list[tuple[Path, PakItem]] = []
    packed: list[Path] = []
    renamed: dict[str, str] = {}
    for path, item in faces:
        with storage_errors(path):
            size = path.stat().st_size
        folder = f"{item.person}/" if item.person else ""
        stem, dot, suffix = item.name.rpartition(".")
        name, number = item.name, 1
        while folder + name in taken:
            index = places.get(folder + name)
            if (
                index is not None
                and reader.entries[index].size == size
                and reader.jpeg(index) == item.face.jpeg()
            ):
                packed.append(path)
                break
            number += 1
            name = f"{stem}~{number}{dot}{suffix}"
        else:
            taken.add(folder + name)
            if name != item.name:
                renamed[folder + item.name] = folder + name
            new.append((path, PakItem(name, item.face, item.person)))
    _check_people(new, reader)
    return new, packed, renamed


def _check_people(new: Sequence[tuple[Path, PakItem]], reader: PakReader) -> None:
    if not new or not len(reader):
        return
    if reader.persons and any(item.person is None for _, item in new):
        raise FacesetError(
            f"{reader.path} holds the faces of {', '.join(reader.persons[:3])}, each in a folder; "
            "move the new faces into the folder of their person, then pack again."
        )
    if not reader.persons and any(item.person is not None for _, item in new):
        raise FacesetError(
            f"{reader.path} holds faces without people's folders; move the new faces out of their "
            "folders, or unpack and sort all faces into folders, then pack again."
        )


def _nested(people: Sequence[Path]) -> list[str]:
    return [
        f"The faces in {inner} stayed loose; a person's folder has no folders of its own in a pack."
        for person in people
        for inner in person_folders(person)
    ]


def _listed(people: Sequence[Path]) -> str:
    names = [person.name for person in people]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
