# pyright: strict
"""Which files of a workspace travel.

Left out: what can be made again in minutes (debug pictures, frames of a video that is there),
hidden and temporary files, and merged frames unless asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import SyncError, UnsafeFileError
from dflcolab.files import TEMPORARY_SUFFIX, storage_errors
from dflcolab.sync.manifest import safe_path
from dflcolab.workspace.workspace import VIDEO_SUFFIXES, Side, Workspace

_CHUNK = 4 << 20
_JOURNALS = (".json", ".jsonl")
_PREVIEW = re.compile(r"model/([^/]+)/ckpt-0*(\d+)/preview\.jpg")


class SourceChangedError(SyncError):
    """A file changed or went while it was read; plan again.

    Args:
        path: The file, below the workspace.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} keeps changing while it is copied; push again when it is at rest."
        )
        self.path = path


@dataclass(frozen=True)
class LocalFile:
    """A file as it was when it was looked at.

    Attributes:
        path: Path below the workspace.
        place: Where it is on this machine.
        size: Number of bytes.
        mtime_ns: When it was changed last.
        inode: Its number on the disk; another one after it was replaced.
    """

    path: str
    place: Path
    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def look(cls, root: Path, place: Path) -> LocalFile:
        """The file at `place` in the workspace at `root`, as it is now.

        Raises:
            SourceChangedError: It has gone.
        """
        path = place.relative_to(root).as_posix()
        try:
            found = place.stat()
        except FileNotFoundError as error:
            raise SourceChangedError(path) from error
        return cls(path, place, found.st_size, found.st_mtime_ns, found.st_ino)

    def has_changed(self) -> bool:
        """True if it is not as it was when it was looked at."""
        return LocalFile.look(self.place.parents[self.path.count("/")], self.place) != self

    @property
    def readable_name(self) -> str | None:
        """Name under which people find it on the remote; None for what only programs read."""
        preview = _PREVIEW.fullmatch(self.path)
        if preview:
            return f"previews/{preview[1]} {preview[2]}.jpg"
        parts = self.path.split("/")
        suffix = os.path.splitext(self.path)[1].lower()
        if len(parts) == 1 and suffix in VIDEO_SUFFIXES:
            return self.path
        if parts[0] == "history" and suffix in (*VIDEO_SUFFIXES, ".html"):
            return self.path
        return None

    def chunks(self, *, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """`size` bytes from `offset`: what a running step appends meanwhile goes with the next copy.

        Raises:
            SourceChangedError: It is shorter than it was, or has gone.
            StorageError: The disk does not answer.
        """
        left = self.size - offset if size is None else size
        try:
            with storage_errors(self.place), self.place.open("rb") as stream:
                stream.seek(offset)
                while left and (piece := stream.read(min(_CHUNK, left))):
                    left -= len(piece)
                    yield piece
        except FileNotFoundError as error:
            raise SourceChangedError(self.path) from error
        if left:
            raise SourceChangedError(self.path)


def travelling_files(
    workspace: Workspace, *, merged: bool = False, keep: Callable[[str], bool] | None = None
) -> list[LocalFile]:
    """Everything of a workspace that travels, by path.

    Args:
        workspace: What to copy.
        merged: Copy merged frames and masks as well.
        keep: Asked for every file of `model/` by its path below the workspace; False leaves it
            out (checkpoints that are not complete).

    Raises:
        SyncError: A file has a name that no pull would take, or went while listing.
    """
    root = workspace.root
    with storage_errors(root):
        places = set(_plain_files(root))
        for side in Side:
            # The journal of an extraction (which frames are done) travels, frames may not.
            frames = _plain_files(workspace.frames_dir(side))
            places |= {path for path in frames if path.suffix in _JOURNALS}
            for folder in _picture_folders(workspace, side, merged=merged):
                places |= set(_plain_files(folder))
        for path in files_below(workspace.models_dir):
            if keep is None or keep(path.relative_to(root).as_posix()):
                places.add(path)
        places |= set(files_below(workspace.history_dir))
        found = [LocalFile.look(root, place) for place in places]
    for file in found:
        _refuse_lost_name(file)
    return sorted(found, key=lambda file: file.path)


def _refuse_lost_name(file: LocalFile) -> None:
    """Refuse what `pull` would refuse: a copy that cannot come back is none."""
    try:
        safe_path(file.path, name=str(file.place)).encode()
    except (UnsafeFileError, UnicodeEncodeError) as error:
        shown = str(file.place).encode(errors="replace").decode()
        raise SyncError(
            f"{shown} has a name that not every system can hold, so nothing was copied; rename it "
            "(letters, digits, spaces, - and _ are safe), then push again."
        ) from error


def _picture_folders(workspace: Workspace, side: Side, *, merged: bool) -> list[Path]:
    folders = [workspace.aligned_dir(side), workspace.trash_dir(side)]
    folders += _sub_folders(workspace.aligned_dir(side))  # one per person
    folders += _sub_folders(workspace.photos_dir(side))
    if not _frames_can_be_made_again(workspace, side):
        folders.append(workspace.frames_dir(side))
    if merged and side is Side.DST:
        folders += [workspace.merged_dir, workspace.merged_mask_dir]
    return folders


def _sub_folders(folder: Path) -> list[Path]:
    """Folders directly in a folder; none if it is missing."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and _travels(path.name)]


def _frames_can_be_made_again(workspace: Workspace, side: Side) -> bool:
    """True if every picture in `data_src/` is named as a frame of a video that is there."""
    prefixes = [re.escape(workspace.frame_prefix(video)) for video in workspace.videos(side)]
    if not prefixes:
        return False
    of_a_video = re.compile(rf"(?:{'|'.join(prefixes)})\d{{5,}}\.(?:png|jpg)")
    frames = _plain_files(workspace.frames_dir(side))
    return all(of_a_video.fullmatch(path.name) or path.suffix in _JOURNALS for path in frames)


def _plain_files(folder: Path) -> list[Path]:
    """Files directly in a folder; none if it is missing."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [
            folder / entry.name for entry in entries if entry.is_file() and _travels(entry.name)
        ]


def files_below(folder: Path, *, depth: int | None = None) -> list[Path]:
    """Files of a folder and its sub-folders that travel.

    Args:
        folder: Where to look; it may be missing.
        depth: How many levels of sub-folders to enter; None enters all.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        level = len(Path(parent).parts) - len(folder.parts)
        is_last = depth is not None and level >= depth
        folders[:] = [] if is_last else [name for name in folders if _travels(name)]
        found += [Path(parent) / name for name in names if _travels(name)]
    return sorted(found)


def _travels(name: str) -> bool:
    """Not hidden or temporary, and not the file that asks a running training to stop."""
    return not (name.startswith(".") or name.endswith(TEMPORARY_SUFFIX) or name == "STOP")
