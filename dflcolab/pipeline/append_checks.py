"""What the paths given to `append` are. All are looked at before anything is added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dflcolab.errors import FacesetError, MediaError, WorkspaceError
from dflcolab.faceset.append import (
    IncomingFaceset,
    is_face_file,
    is_faceset,
    open_files,
    open_incoming,
)
from dflcolab.media.frame_sequence import FRAME_SUFFIXES, list_frames, read_image
from dflcolab.media.video_reader import VideoReader
from dflcolab.workspace.settings import FILE_NAME

Kind = Literal["video", "photos", "faceset"]


@dataclass(frozen=True)
class Material:
    """One thing to append.

    Attributes:
        kind: What it is.
        path: The video, folder, pack or single file; for several files of a folder that folder.
        files: The pictures, for photos and single face files; () otherwise.
    """

    kind: Kind
    path: Path
    files: tuple[Path, ...] = ()

    @property
    def origin(self) -> str:
        """Name of the photos' folder, from which their frames get their names."""
        return self.files[0].absolute().parent.name

    def open_faces(self) -> AbstractContextManager[IncomingFaceset]:
        """A faceset for reading, as a context manager."""
        return open_files(self.files) if self.files else open_incoming(self.path)


def look_at_paths(paths: Sequence[Path]) -> list[Material]:
    """What each path is; single pictures of one folder are taken together.

    Raises:
        WorkspaceError: There is no such path, or a folder holds nothing of use.
        MediaError: A file is neither a picture nor a video, or cannot be decoded.
        FormatError: A pack is damaged.
        FacesetError: A pack is empty.
    """
    found: list[Material] = []
    singles: dict[tuple[Kind, Path], list[Path]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        if not path.exists():
            raise WorkspaceError(f"There is no {path}; check the path behind --from.")
        if path.is_dir():
            found.append(_folder(path))
        elif path.suffix.lower() == ".pak":
            found.append(_pack(path))
        elif path.suffix.lower() in FRAME_SUFFIXES:
            kind: Kind = "faceset" if is_face_file(path) else "photos"
            if kind == "photos":
                read_image(path)
            singles[kind, path.absolute().parent].append(path)
        else:
            found.append(_video(path))
    for (kind, folder), files in singles.items():
        found.append(Material(kind, files[0] if len(files) == 1 else folder, tuple(files)))
    return found


def _folder(path: Path) -> Material:
    _refuse_workspace(path)
    if is_faceset(path):
        return Material("faceset", path)
    pictures = list_frames(path)
    if not pictures:
        raise WorkspaceError(
            f"The folder {path} holds neither face files nor pictures "
            f"({', '.join(FRAME_SUFFIXES)}); give a folder of these, or a video."
        )
    for picture in pictures:
        try:
            read_image(picture)
        except MediaError:
            continue
        return Material("photos", path, tuple(pictures))
    raise MediaError(f"None of the {len(pictures)} pictures in {path} can be read.")


def _refuse_workspace(path: Path) -> None:
    for side in ("", "data_src", "data_dst"):
        aligned = path / side / "aligned"
        if aligned.is_dir() and (side or path.name in ("data_src", "data_dst")):
            raise WorkspaceError(
                f"{path} is {'a workspace' if side else 'one side of a workspace'}; give "
                f"{aligned} for the faces in it, or the video."
            )
    if (path / FILE_NAME).is_file():
        raise WorkspaceError(f"{path} is a workspace; give its video or its aligned folder.")


def _pack(path: Path) -> Material:
    with open_incoming(path) as faceset:
        if not faceset.faces:
            raise FacesetError(f"{path} holds no faces; give another pack.")
    return Material("faceset", path)


def _video(path: Path) -> Material:
    reader = VideoReader(path)
    if next(iter(reader.frames()), None) is None:
        raise MediaError(f"No frame of {path} can be decoded; use another copy of the video.")
    return Material("video", path)
