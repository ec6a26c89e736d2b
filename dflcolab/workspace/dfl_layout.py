# pyright: strict
"""Which files of a folder are those of a DeepFaceLab workspace, and where they belong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dflcolab.errors import WorkspaceError
from dflcolab.files import storage_errors
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import VIDEO_SUFFIXES, Side

FOLDERS = ("data_src", "data_dst", "model")
"""Folders of a workspace that hold somebody's work."""

_VIDEOS = ("data_src", "data_dst", "result")
_JUNK = ("thumbs.db", "desktop.ini")
_MOST_CANDIDATES = 200


@dataclass(frozen=True)
class Material:
    """A file to bring in.

    Attributes:
        source: Where it is.
        place: Where it belongs, below the workspace.
        size: Bytes.
        time: When it was changed, seconds since 1970.
    """

    source: Path
    place: PurePosixPath
    size: int
    time: float


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Attributes:
        files: All that belongs to a workspace.
        left: Names at the top that do not.
        links: Links, which are not followed.
    """

    files: tuple[Material, ...]
    left: tuple[str, ...]
    links: tuple[Path, ...]


def find_root(folder: Path, shown: str) -> Path:
    """The folder that holds `data_src`, `data_dst` or `model`: this one, or one or two levels below.

    Args:
        folder: Where to look.
        shown: What it is called in sentences.

    Raises:
        WorkspaceError: There is none, or more than one.
    """
    level = [folder]
    for _ in range(3):
        roots = [path for path in level if _is_root(path)]
        if len(roots) > 1:
            names = ", ".join(path.relative_to(folder).as_posix() for path in roots[:4])
            raise WorkspaceError(
                f"{shown} holds several workspaces ({names}); give the one that you mean."
            )
        if roots:
            return roots[0]
        level = [inner for path in level for inner in _folders_in(path)][:_MOST_CANDIDATES]
    raise WorkspaceError(
        f"{shown} is no DeepFaceLab workspace (it holds no data_src, data_dst or model); give the "
        "folder or archive that holds them, or bring single facesets in with `dflcolab append`."
    )


def find_material(root: Path, progress: Progress) -> Found:
    """List what to bring in; nothing is read but names, sizes and times.

    Raises:
        Interrupted: The user asked to stop.
        StorageError: The drive does not answer.
    """
    files: list[Material] = []
    left: list[str] = []
    links: list[Path] = []
    with (
        storage_errors(root),
        progress.task(f"Looking into {root.name}", total=None, unit="files") as task,
    ):
        for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
            if entry.is_symlink():
                links.append(Path(entry.path))
            elif entry.is_dir() and entry.name in FOLDERS:
                for material in _walk(root, Path(entry.path), links):
                    progress.raise_if_stopped()
                    task.advance()
                    files.append(material)
            elif entry.is_file() and _is_video(entry.name):
                files.append(_material(root, entry))
            elif not _is_hidden(entry.name):
                left.append(entry.name)
    return Found(tuple(files), tuple(left), tuple(links))


def _walk(root: Path, folder: Path, links: list[Path]) -> Iterator[Material]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if _is_hidden(entry.name):
            continue
        if entry.is_symlink():
            links.append(Path(entry.path))
        elif entry.is_dir():
            yield from _walk(root, Path(entry.path), links)
        elif entry.is_file():
            yield _material(root, entry)


def _material(root: Path, entry: os.DirEntry[str]) -> Material:
    seen = entry.stat()
    path = Path(entry.path)
    place = PurePosixPath(path.relative_to(root).as_posix())
    return Material(path, place, seen.st_size, seen.st_mtime)


def _is_root(folder: Path) -> bool:
    if any((folder / name).is_dir() for name in FOLDERS):
        return True
    with os.scandir(folder) as entries:
        return any(
            entry.name.startswith(tuple(f"data_{side.value}" for side in Side))
            and _is_video(entry.name)
            for entry in entries
        )


def _folders_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        found = [
            Path(entry.path)
            for entry in entries
            if not _is_hidden(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    return sorted(found)


def _is_video(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in VIDEO_SUFFIXES and stem.startswith(_VIDEOS)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK or name == "__MACOSX"
