# pyright: strict
"""The face files that the gallery shows, and the proof that a name still means the picture shown.

Sorting gives every file another name. A page that was drawn before would then delete other faces than
those somebody saw; so each picture has a key that stays with the file, not with its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.faceset.face_files import FaceFile, read_face_file
from dflcolab.faceset.face_source import open_faces
from dflcolab.files import storage_errors
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from dflcolab.widgets.patience import Patience
from dflcolab.workspace.trash import TrashEntry, removed_by


@dataclass(frozen=True)
class Picture:
    """A face file.

    Attributes:
        name: What the page calls it: the name inside its folder (`person/00001_0.jpg` too).
        path: The file; of a packed face the one it would have after unpacking.
        key: Changes with the content and stays through renaming and moving.
        reason: Why it lies in the trash; "" for a face of the set.
        removed_by: What removed it, in a word or two (`blur`, `by hand`); "" as well.
    """

    name: str
    path: Path
    key: str
    reason: str = ""
    removed_by: str = ""


class Pictures:
    """The pictures of one folder as they were listed.

    Attributes:
        folder: Where they are.
        items: In the order of their names (in the trash: newest first).
        packed: They are in a `faceset.pak`, from which nothing can be taken by hand.
    """

    def __init__(
        self, folder: Path, items: Sequence[Picture], *, pak: PakReader | None = None
    ) -> None:
        self.folder = folder
        self.items = tuple(items)
        self.packed = pak is not None
        self._pak = pak
        self._named = {picture.name: picture for picture in items}

    def chosen(self, names: object) -> list[Picture]:
        """The pictures that a page names.

        Raises:
            FacesetError: A name is none of a listed picture, whatever else it may be.
        """
        given = cast(list[object], names) if isinstance(names, list) else [names]
        found: list[Picture] = []
        for name in given:
            picture = self._named.get(name) if isinstance(name, str) else None
            if picture is None:
                raise FacesetError(
                    f"{str(name)[:80]!r} is no face in {self.folder}; reload the gallery."
                )
            found.append(picture)
        return found

    def read(self, pictures: Sequence[Picture]) -> list[FaceFile | None]:
        """Some of them with their bytes; None for one that is gone or another file by now."""
        if self._pak is None:
            return [_read_loose(picture) for picture in pictures]
        if _key_of(self._pak.path) != self.items[0].key.partition("/")[0]:
            return [None] * len(pictures)
        return [_read_packed(self._pak, picture) for picture in pictures]

    def refuse_changed(self, pictures: Sequence[Picture]) -> None:
        """Make sure that files are those that were shown; ask inside a lock on the folder.

        Raises:
            FacesetError: One is gone or is another face by now.
        """
        for picture in pictures:
            if _key_of(picture.path) != picture.key:
                raise FacesetError(
                    f"{picture.name} is not the face that was shown any more (a sort?); the gallery "
                    "was loaded anew and nothing was changed. Select once more."
                )


def faces_of(folder: Path) -> Pictures:
    """The faces of an `aligned` folder, loose, packed or in people's folders.

    Raises:
        FacesetError: There are none, or another program changes them just now.
        FormatError: The pack is damaged.
    """
    with open_faces(folder, progress=Patience(folder)) as source:
        if not source.packed:
            return Pictures(
                folder, [Picture(source.name(path), path, _key_of(path)) for path in source.paths]
            )
        pak = PakReader(folder / PAK_NAME)  # stays open: 10,000 entries take a while to read
        key = _key_of(pak.path)
        items = [
            Picture(name, folder / name, f"{key}/{place}") for place, name in enumerate(pak.names)
        ]
        return Pictures(folder, items, pak=pak)


def pictures_of_trash(folder: Path, entries: Sequence[TrashEntry]) -> Pictures:
    """What lies in a trash folder, the newest first."""
    items = [
        Picture(
            entry.trash_name,
            folder / entry.trash_name,
            _key_of(folder / entry.trash_name),
            entry.reason,
            removed_by(entry),
        )
        for entry in reversed(entries)
    ]
    return Pictures(folder, items)


def _key_of(path: Path) -> str:
    try:
        seen = path.stat()
    except OSError:
        return ""
    return f"{seen.st_ino}-{seen.st_size}-{seen.st_mtime_ns}"


def _read_packed(pak: PakReader, picture: Picture) -> FaceFile:
    try:
        face = pak.read(int(picture.key.rpartition("/")[2]))
        return FaceFile(picture.path, face.jpeg(), face.record, face.width)
    except DFLColabError as error:
        return FaceFile(picture.path, b"", None, problem=str(error))


def _read_loose(picture: Picture) -> FaceFile | None:
    try:
        with storage_errors(picture.path):
            face = read_face_file(picture.path)
    except FileNotFoundError:
        return None
    return face if _key_of(picture.path) == picture.key else None
