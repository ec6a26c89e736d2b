# pyright: strict
"""One way to get a file from the network: resumed, checked, kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import DownloadError
from dflcolab.files import sha256_of, storage_errors
from dflcolab.progress import Progress
from dflcolab.transfer import gdown_call, https
from dflcolab.transfer.cache import Entry, Kept, default_cache, safe_name
from dflcolab.transfer.content import Expected
from dflcolab.transfer.entry_names import checked_name
from dflcolab.transfer.links import Link, LinkKind


@dataclass(frozen=True)
class Download:
    """A fetched file or folder.

    Attributes:
        path: Where it lies in the cache: copy it, leave it there.
        sha256: Hash of the file, "" for a folder. Worth keeping: `#sha256=…` behind the address
            makes sure that the same file comes the next time.
        size: Bytes.
        cached: Nothing had to be fetched.
    """

    path: Path
    sha256: str
    size: int
    cached: bool


def download(
    link: Link,
    *,
    expected: Expected | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    patience: https.Patience | None = None,
) -> Download:
    """Fetch a file, or a folder of Google Drive, unless the cache holds it.

    A file without a pinned hash is asked after; if the server has a newer one, that is fetched. Drive
    cannot be asked: there, what was fetched once is used again.

    Args:
        link: From `parse_link`.
        expected: What the file has to be; any kind but a web page when None.
        cache: Folder for downloads; the user's cache when None.
        progress: Shows rate and time left; a stop request keeps what was fetched.
        patience: Time-outs and tries.

    Raises:
        DownloadError: It cannot be fetched, or is not what was expected or pinned.
        StorageError: The disk is full.
        Interrupted: The user asked to stop; the next call goes on.
    """
    expected = expected or Expected()
    progress = progress or Progress()
    patience = patience or https.Patience()
    entry = Entry((cache or default_cache()) / link.key)
    with storage_errors(entry.folder), entry.alone(link.shown, progress):
        if link.kind is LinkKind.DRIVE_FOLDER:
            return _folder(link, entry, progress, patience)
        if link.kind is LinkKind.WEB:
            return _web(link, entry, expected, progress, patience)
        return _drive(link.address, link, entry, expected, progress, patience)


def _web(
    link: Link, entry: Entry, expected: Expected, progress: Progress, patience: https.Patience
) -> Download:
    kept = entry.kept()
    if kept is not None and _usable(link, kept, progress, patience):
        expected.check(entry.path(kept), link.shown)
        return _done(entry, kept, cached=True)
    remote = https.fetch(link, entry.part, expected=expected, progress=progress, patience=patience)
    return _keep(link, entry, entry.part, remote, expected, entry.drop_part)


def _usable(link: Link, kept: Kept, progress: Progress, patience: https.Patience) -> bool:
    if link.sha256:
        return kept.sha256 == link.sha256
    try:
        return https.still_current(link, kept.remote, patience)
    except https.Unreachable:
        progress.message(f"{link.shown} does not answer; the file fetched {_when(kept)} is used.")
        return True


def _drive(
    file_id: str,
    link: Link,
    entry: Entry,
    expected: Expected,
    progress: Progress,
    patience: https.Patience,
) -> Download:
    kept = entry.kept()
    if kept is not None and (not link.sha256 or kept.sha256 == link.sha256):
        if not link.sha256:
            progress.message(
                f"{link.shown[0].upper()}{link.shown[1:]} was fetched {_when(kept)} and is used "
                f"again; delete {entry.folder} to fetch it anew."
            )
        expected.check(entry.path(kept), link.shown)
        return _done(entry, kept, cached=True)
    folder = entry.folder / "gdown"
    fetched = gdown_call.fetch_file(
        folder, file_id=file_id, shown=link.shown, progress=progress, patience=patience
    )
    done = _keep(link, entry, fetched, https.Remote(name=fetched.name), expected, fetched.unlink)
    shutil.rmtree(folder, ignore_errors=True)
    return done


def _folder(link: Link, entry: Entry, progress: Progress, patience: https.Patience) -> Download:
    """Each file of a Drive folder under its path in `<entry>/folder/`."""
    target = entry.folder / "folder"
    if link.sha256:
        raise DownloadError(f"{link.shown} is a folder and has no SHA-256; leave that out.")
    files = gdown_call.list_folder(
        target, folder_id=link.address, shown=link.shown, progress=progress, patience=patience
    )
    size, fetched = 0, 0
    for file in files:
        path = target / checked_name(file.path, link.shown)
        if not path.is_file():
            part = Link(LinkKind.DRIVE_FILE, file.id)
            work = entry.folder / "gdown" / part.key
            new = gdown_call.fetch_file(
                work, file_id=file.id, shown=file.path, progress=progress, patience=patience
            )
            try:
                Expected().check(new, f"{file.path} of {link.shown}")
            except DownloadError:
                new.unlink()
                raise
            path.parent.mkdir(parents=True, exist_ok=True)
            new.replace(path)
            shutil.rmtree(work, ignore_errors=True)
            fetched += 1
        size += path.stat().st_size
    return Download(target, "", size, cached=fetched == 0)


def _keep(
    link: Link,
    entry: Entry,
    part: Path,
    remote: https.Remote,
    expected: Expected,
    drop: Callable[[], None],
) -> Download:
    """Check a whole file and give it its place; a wrong one goes, so that nothing builds on it."""
    try:
        expected.check(part, link.shown)
        digest = sha256_of(part)
        if link.sha256 and digest != link.sha256:
            raise DownloadError(
                f"{link.shown} has the SHA-256 {digest} and not the pinned {link.sha256}; somebody "
                "exchanged or damaged the file, or the hash is of another one: ask its author."
            )
    except DownloadError:
        drop()
        raise
    kept = Kept(safe_name(remote.name), digest, link.shown, time.time(), remote)
    entry.keep(part, kept)
    return _done(entry, kept, cached=False)


def _done(entry: Entry, kept: Kept, *, cached: bool) -> Download:
    path = entry.path(kept)
    return Download(path, kept.sha256, path.stat().st_size, cached)


def _when(kept: Kept) -> str:
    return time.strftime("on %Y-%m-%d at %H:%M", time.localtime(kept.time))
