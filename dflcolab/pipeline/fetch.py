# pyright: strict
"""Material that a verb was given by its address: fetched, unpacked once, and kept for the next time."""

from __future__ import annotations

from pathlib import Path

from dflcolab.errors import FacesetError
from dflcolab.faceset.faceset import SUFFIXES
from dflcolab.formats.faceset_pak import PAK_NAME
from dflcolab.progress import Progress
from dflcolab.transfer.archive import unpack
from dflcolab.transfer.cache import Entry
from dflcolab.transfer.content import ARCHIVES, Expected, Kind, kind_of
from dflcolab.transfer.download import Download, download
from dflcolab.transfer.links import Link, LinkKind, is_link, parse_link

_ARCHIVE = Expected(kinds=ARCHIVES, what="a zip or tar archive")
_FACESET = Expected(kinds=ARCHIVES | {Kind.OTHER}, what="a faceset.pak or an archive of faces")


def fetched_workspace(source: str, progress: Progress, cache: Path | None = None) -> Path:
    """The archive, or the folder of Google Drive, behind a link.

    Raises:
        DownloadError: It cannot be fetched, or is no archive.
        Interrupted: The user asked to stop; the next call goes on.
    """
    return _fetched(parse_link(source), _ARCHIVE, progress, cache).path


def faceset_path(source: str, progress: Progress, cache: Path | None = None) -> Path:
    """Where a faceset lies that is given as a path or as a link.

    Args:
        source: A folder of faces, a faceset.pak, or the address of a pack, of an archive of either, or
            of a folder on Google Drive.
        progress: Shows the work; a stop request keeps what was fetched.
        cache: Folder for downloads; the user's cache when None.

    Raises:
        DownloadError: It cannot be fetched, or is something else.
        FormatError: The archive is damaged or hostile.
        FacesetError: There are no faces in it.
        Interrupted: The user asked to stop.
    """
    if Path(source).exists() or not is_link(source):
        return Path(source)
    link = parse_link(source)
    found = _fetched(link, _FACESET, progress, cache)
    if found.path.is_dir():
        return _faces_in(found.path, link)
    if kind_of(found.path) is Kind.OTHER:
        return found.path if found.path.suffix.lower() == ".pak" else _as_pack(found.path)
    return _faces_in(_unpacked(found, link, progress), link)


def model_folder(source: str, progress: Progress) -> Path:
    """Where a model's files lie that are given as a folder or as a link to an archive or a folder.

    Without a hash behind the link it is said what came, and how to make sure of it: weights of somebody
    else's look the same from outside.

    Raises:
        DownloadError: It cannot be fetched, or is no archive.
        FormatError: The archive is damaged or hostile.
        Interrupted: The user asked to stop.
    """
    if Path(source).exists() or not is_link(source):
        return Path(source)
    link = parse_link(source)
    found = _fetched(link, _ARCHIVE, progress, None)
    if not link.sha256:
        progress.message(_unpinned(found, link))
    return found.path if found.path.is_dir() else _unpacked(found, link, progress)


def _unpacked(found: Download, link: Link, progress: Progress) -> Path:
    """The archive's content, unpacked once."""
    entry = Entry(found.path.parents[1])
    folder = entry.folder / f"unpacked-{found.sha256[:12]}"
    with entry.alone(link.shown, progress):
        if not folder.is_dir():
            unpack(found.path, folder, progress=progress)
    return folder


def _fetched(link: Link, expected: Expected, progress: Progress, cache: Path | None) -> Download:
    is_folder = link.kind is LinkKind.DRIVE_FOLDER
    found = download(
        link, expected=Expected() if is_folder else expected, cache=cache, progress=progress
    )
    if not (found.cached or link.sha256 or is_folder):
        progress.message(
            f"Fetched {found.path.name} ({found.size >> 20} MB, SHA-256 {found.sha256}); it stays in "
            f"{found.path.parent} for the next time."
        )
    return found


def _unpinned(found: Download, link: Link) -> str:
    """That nothing tells whether this is the model that its author made, and what to do."""
    if not found.sha256:
        return (
            f"{link.shown} is a folder, which has no hash: whoever may write there can exchange the "
            "model. Take it from an archive with #sha256=… behind the link where there is one."
        )
    return (
        f"No hash stands behind {link.shown}, so nothing tells whether this is the model that its "
        f"author made. What came has the SHA-256 {found.sha256}: compare it with what the author "
        f"says, and put #sha256={found.sha256} behind the link to take this very file or none."
    )


def _as_pack(path: Path) -> Path:
    """The same file under a name by which packs are known."""
    pack = path.with_name(path.name + ".pak")
    if not pack.exists():
        pack.hardlink_to(path)
    return pack


def _faces_in(folder: Path, link: Link) -> Path:
    """The pack in a folder, or the folder with the most pictures."""
    packs = sorted(folder.rglob(PAK_NAME)) or sorted(folder.rglob("*.pak"))
    if packs:
        return packs[0]
    counts: dict[Path, int] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            counts[path.parent] = counts.get(path.parent, 0) + 1
    if not counts:
        raise FacesetError(
            f"{link.shown} holds neither a faceset.pak nor face files; check the link."
        )
    return max(counts, key=lambda path: counts[path])
