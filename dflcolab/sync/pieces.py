# pyright: strict
"""What of a workspace travels, and in which pieces.

Single files: videos, results, model files. Packs: folders with many small files, as uncompressed
tar shards that are the same bytes for the same content. Left out: what can be made again in
minutes (debug pictures, frames of a video that is there), hidden and temporary files, and merged
frames unless asked for.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dflcolab.errors import SyncError, UnsafeFileError
from dflcolab.files import TEMPORARY_SUFFIX, storage_errors
from dflcolab.sync.manifest import safe_path
from dflcolab.workspace.workspace import VIDEO_SUFFIXES, Side, Workspace

SHARD_BYTES = 256 << 20
_CHUNK = 4 << 20
_READABLE = (*VIDEO_SUFFIXES, ".jpg", ".jpeg", ".png", ".html", ".toml", ".txt", ".md", ".json")
_JOURNALS = (".json", ".jsonl")


class SourceChangedError(Exception):
    """A file changed or went while it was read; plan again."""


@dataclass(frozen=True)
class SourceFile:
    """A file to send: its name inside the pack (or ""), place and size when planned."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True)
class Piece:
    """One stream of bytes for the remote.

    Attributes:
        path: Path of the file, or of the packed folder, below the workspace.
        kind: "file", or "pack" for one tar shard.
        files: The files in it; one for a single file.
    """

    path: str
    kind: Literal["file", "pack"]
    files: tuple[SourceFile, ...]

    @property
    def is_readable(self) -> bool:
        """True for what a person wants to open on the remote (videos, pictures, reports)."""
        return self.kind == "file" and self.path.lower().endswith(_READABLE)

    @property
    def suffix(self) -> str:
        """Ending of the name under which the bytes are stored."""
        return ".tar" if self.kind == "pack" else os.path.splitext(self.path)[1].lower()

    @property
    def size(self) -> int:
        """Number of bytes in the stream."""
        if self.kind == "file":
            return self.files[0].size
        return sum(len(_header(file)) + _padded(file.size) for file in self.files) + 1024

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces.

        Raises:
            SourceChangedError: A file is shorter than planned, or has gone.
            StorageError: The disk does not answer.
        """
        for file in self.files:
            if self.kind == "pack":
                yield _header(file)
            yield from _content(file)
            if self.kind == "pack":
                yield bytes(_padded(file.size) - file.size)
        if self.kind == "pack":
            yield bytes(1024)

    def sha256(self, *, advance: Callable[[int], None] | None = None) -> str:
        """Hash of the stream; `advance` gets the number of bytes after each chunk."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
            if advance is not None:
                advance(len(chunk))
        return digest.hexdigest()


def pieces_of(
    workspace: Workspace,
    *,
    merged: bool = False,
    keep: Callable[[str], bool] | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> list[Piece]:
    """Everything of a workspace that travels, in a fixed order.

    Args:
        workspace: What to send.
        merged: Send merged frames and masks as well.
        keep: Asked for every file of `model/` by its path below the workspace; False leaves it
            out (checkpoints that are not complete).
        shard_bytes: Size from which a new shard of a pack begins.

    Raises:
        SyncError: A file has a name that no pull would take.
    """
    root = workspace.root
    with storage_errors(root):
        found = [_single(root, path) for path in _plain_files(root)]
        for side in Side:
            # The journal of an extraction: which frames are done.
            journals = [
                path
                for path in _plain_files(workspace.frames_dir(side))
                if path.suffix in _JOURNALS
            ]
            found += [_single(root, path) for path in journals]
            for folder in _packed_folders(workspace, side, merged=merged):
                files = _plain_files(folder)
                found += [_single(root, path) for path in files if path.suffix == ".pak"]
                loose = [path for path in files if path.suffix != ".pak" and path not in journals]
                found += _shards(root, folder, loose, shard_bytes)
        for path in _files_below(workspace.models_dir):
            if keep is None or keep(path.relative_to(root).as_posix()):
                found.append(_single(root, path))
        found += _shards(
            root, workspace.history_dir, _files_below(workspace.history_dir), shard_bytes
        )
    for piece in found:
        for file in piece.files:
            _refuse_lost_name(file.name or piece.path, file.path)
    return found


def _refuse_lost_name(name: str, path: Path) -> None:
    """Refuse what `pull` would refuse: a copy that cannot come back is none."""
    try:
        safe_path(name, name=str(path)).encode()
    except (UnsafeFileError, UnicodeEncodeError) as error:
        shown = str(path).encode(errors="replace").decode()
        raise SyncError(
            f"{shown} has a name that not every system can hold, so nothing was copied; rename it "
            "(letters, digits, spaces, - and _ are safe), then push again."
        ) from error


def _packed_folders(workspace: Workspace, side: Side, *, merged: bool) -> list[Path]:
    folders = [workspace.aligned_dir(side), workspace.trash_dir(side)]
    folders += _sub_folders(workspace.aligned_dir(side))  # one per person
    folders += _sub_folders(workspace.photos_dir(side))
    if not _frames_can_be_made_again(workspace, side):
        folders.insert(0, workspace.frames_dir(side))
    if merged and side is Side.DST:
        folders += [workspace.merged_dir, workspace.merged_mask_dir]
    return folders


def _sub_folders(folder: Path) -> list[Path]:
    """Folders directly in a folder, by name; none if it is missing."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and _travels(path.name))


def _frames_can_be_made_again(workspace: Workspace, side: Side) -> bool:
    """True if every picture in `data_src/` is named as a frame of a video that is there."""
    prefixes = [re.escape(workspace.frame_prefix(video)) for video in workspace.videos(side)]
    if not prefixes:
        return False
    of_a_video = re.compile(rf"(?:{'|'.join(prefixes)})\d{{5,}}\.(?:png|jpg)")
    frames = _plain_files(workspace.frames_dir(side))
    return all(of_a_video.fullmatch(path.name) or path.suffix in _JOURNALS for path in frames)


def _plain_files(folder: Path) -> list[Path]:
    """Files directly in a folder, by name; none if it is missing."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_file() and _travels(entry.name)]
    return [folder / name for name in sorted(names)]


def _files_below(folder: Path) -> list[Path]:
    """Files of a folder and its sub-folders, by path."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if _travels(name))
        found += [Path(parent) / name for name in sorted(names) if _travels(name)]
    return found


def _travels(name: str) -> bool:
    """Not hidden or temporary, and not the file that asks a running training to stop."""
    return not (name.startswith(".") or name.endswith(TEMPORARY_SUFFIX) or name == "STOP")


def _single(root: Path, path: Path) -> Piece:
    relative = path.relative_to(root).as_posix()
    return Piece(relative, "file", (SourceFile("", path, path.stat().st_size),))


def _shards(root: Path, folder: Path, paths: Sequence[Path], shard_bytes: int) -> list[Piece]:
    """Tar shards in order of names."""
    relative = folder.relative_to(root).as_posix()
    shards: list[Piece] = []
    files: list[SourceFile] = []
    total = 0
    for path in paths:
        file = SourceFile(path.relative_to(folder).as_posix(), path, path.stat().st_size)
        if files and total + file.size > shard_bytes:
            shards.append(Piece(relative, "pack", tuple(files)))
            files, total = [], 0
        files.append(file)
        total += file.size
    if files:
        shards.append(Piece(relative, "pack", tuple(files)))
    return shards


def _content(file: SourceFile) -> Iterator[bytes]:
    """The first `file.size` bytes: what a running step appends meanwhile goes with the next copy."""
    left = file.size
    try:
        with storage_errors(file.path), file.path.open("rb") as stream:
            while left and (piece := stream.read(min(_CHUNK, left))):
                left -= len(piece)
                yield piece
    except FileNotFoundError as error:
        raise SourceChangedError(str(file.path)) from error
    if left:
        raise SourceChangedError(str(file.path))


def _header(file: SourceFile) -> bytes:
    info = tarfile.TarInfo(file.name)
    info.size = file.size
    info.mode = 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _padded(size: int) -> int:
    return -(-size // 512) * 512
