# pyright: strict
"""Fetch a file over https into a part file that a later call goes on with.

Beside the part lies what the server said about the file (length, ETag, date). Bytes are only added to
a part if the server confirms that the file is still the same one; otherwise it starts anew.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from dflcolab import __version__
from dflcolab.errors import DownloadError
from dflcolab.files import check_space, storage_errors, write_text
from dflcolab.progress import Progress, Task
from dflcolab.transfer.content import QUOTA, Expected, says_quota
from dflcolab.transfer.links import Link

_PIECE = 256 << 10
_ENOUGH = 1 << 20
"""Bytes after which a connection counts as useful, and the number of tries starts anew."""
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 60.0
STOPPED = "Stopped as asked; what was fetched is kept, run the same command again to go on."


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to try.

    Attributes:
        timeout_s: Seconds without a byte after which a connection is given up.
        tries: Connections without any use after which the download fails.
        pause_s: Wait before the second try; doubled for each further one.
    """

    timeout_s: float = 30.0
    tries: int = 6
    pause_s: float = 1.0


@dataclass(frozen=True)
class Remote:
    """What a server says about a file.

    Attributes:
        name: File name, "" if it says none.
        size: Bytes, None if it does not say.
        etag: Its mark for this very content.
        last_modified: Its date of this content, as it writes it.
    """

    name: str = ""
    size: int | None = None
    etag: str = ""
    last_modified: str = ""

    @property
    def validator(self) -> str:
        """What `If-Range` may carry; weak marks do not vouch for every byte."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified

    def is_same(self, other: Remote) -> bool:
        """Whether both speak of the same content, as far as they say anything."""
        pairs = (
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
            (self.size, other.size),
        )
        return all(one == two for one, two in pairs if one and two)


class Unreachable(DownloadError):
    """The server does not answer: whoever has an older copy may use it."""


class _Lost(Exception):
    """A connection ended early; what came is in the part."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def fetch(
    link: Link, part: Path, *, expected: Expected, progress: Progress, patience: Patience
) -> Remote:
    """Download into `part`, going on with what is there.

    Args:
        link: A link of the web.
        part: File that grows; its folder must exist. Facts about it are kept beside it (`.json`).
        expected: Sizes that are allowed; the content is the caller's to check.
        progress: Shows rate and time left; its stop request ends the work and keeps the part.
        patience: Time-outs and tries.

    Returns:
        What the server said. `part` is as long as it said, if it said so.

    Raises:
        Unreachable: No connection in all tries; the part is kept.
        DownloadError: The server refuses, or sends something of a wrong size.
        StorageError: The disk is too full.
        Interrupted: The user asked to stop; the part is kept.
    """
    failures = 0
    bar = _Bar(progress, link.shown)
    try:
        while True:
            progress.raise_if_stopped(STOPPED)
            before = _size(part)
            try:
                return _once(link, part, expected, bar, patience.timeout_s)
            except _Lost as lost:
                failures = 1 if _size(part) >= before + _ENOUGH else failures + 1
                if failures >= patience.tries:
                    raise Unreachable(
                        f"{link.shown} cannot be fetched ({lost}); check the network and run "
                        "again, it goes on where it stopped."
                    ) from lost
                wait_s = lost.wait_s or patience.pause_s * 2 ** (failures - 1)
                _wait(min(wait_s, _LONGEST_WAIT_S), progress)
    finally:
        bar.close()


def still_current(link: Link, known: Remote, patience: Patience) -> bool:
    """Whether the file behind a link is still the one that was fetched.

    Raises:
        Unreachable: The server cannot be asked.
    """
    headers: dict[str, str] = {}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    if not headers:
        return False
    try:
        with _open(link, headers, patience.timeout_s) as response:
            return response.status == 200 and known.is_same(_remote(response, response.length))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 304:
            return True
        if error.code in _TRANSIENT:
            raise Unreachable(f"{link.shown} answers {error.code}; try again later.") from error
        return False
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{link.shown} cannot be reached ({error}).") from error


def _once(link: Link, part: Path, expected: Expected, bar: _Bar, timeout_s: float) -> Remote:
    """One connection, from what is there to the end.

    Raises:
        _Lost: Try again.
    """
    known = _read_facts(part)
    offset = _size(part) if known is not None and known.validator else 0
    if known is not None and offset and offset == known.size:
        return known
    headers = {"Range": f"bytes={offset}-", "If-Range": known.validator} if known and offset else {}
    try:
        response = _open(link, headers, timeout_s)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(link, error, part) from error
    except (OSError, http.client.HTTPException) as error:
        raise _no_connection(link, error) from error
    with response:
        if response.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise DownloadError(
                f"{link.shown} comes in a packed form that was not asked for; give another address."
            )
        if response.status == 206:
            start, total = _content_range(response.headers)
            remote = _remote(response, total)
            if start != offset or known is None or not known.is_same(remote):
                part.unlink(missing_ok=True)
                raise _Lost("the file changed meanwhile", wait_s=0.01)
            remote = replace(remote, name=remote.name or known.name)
        else:
            offset, remote = 0, _remote(response, response.length)
        if remote.size is not None:
            expected.check_size(remote.size, link.shown)
            check_space(part.parent, remote.size - offset, link.shown)
        with storage_errors(part), part.open("r+b" if offset else "wb") as stream:
            if not offset:
                _write_facts(part, remote)
            stream.seek(offset)
            bar.start(offset, remote.size)
            try:
                _receive(response, stream, offset, expected, bar)
            finally:
                stream.flush()
                os.fsync(stream.fileno())
    size = _size(part)
    if remote.size is not None and size != remote.size:
        raise _Lost(f"the connection ended after {size} of {remote.size} bytes")
    return remote


def _receive(
    response: http.client.HTTPResponse,
    stream: BinaryIO,
    done: int,
    expected: Expected,
    bar: _Bar,
) -> None:
    largest = expected.largest
    while True:
        bar.progress.raise_if_stopped(STOPPED)
        try:
            piece = response.read1(_PIECE)
        except http.client.IncompleteRead as error:
            raise _Lost("the connection ended early") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _Lost(_in_words(error)) from error
        if not piece:
            return
        stream.write(piece)
        done += len(piece)
        bar.advance(len(piece))
        if largest is not None and done > largest:
            expected.check_size(done, bar.shown)


class _Bar:
    """Megabytes on a task that is opened when the server says how many there are."""

    def __init__(self, progress: Progress, shown: str) -> None:
        self.progress = progress
        self.shown = shown
        self._task: Task | None = None
        self._bytes = 0

    def start(self, done: int, total: int | None) -> None:
        if self._task is None:
            size = None if total is None else total >> 20
            self._task = self.progress.task(
                f"Fetching {self.shown}", total=size, unit="MB", done=done >> 20
            )
        self._bytes = done

    def advance(self, n_bytes: int) -> None:
        assert self._task is not None, "started before"
        self._task.advance(((self._bytes + n_bytes) >> 20) - (self._bytes >> 20))
        self._bytes += n_bytes

    def close(self) -> None:
        if self._task is not None:
            self._task.close()


class _OnlySafely(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http(s) only, and never from https to plain http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme != "https" and not (scheme == "http" and req.type == "http"):
            raise DownloadError(
                f"{urlsplit(req.full_url).hostname} sends the download on to an address that is not "
                "encrypted; give another address."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(link: Link, headers: Mapping[str, str], timeout_s: float) -> http.client.HTTPResponse:
    own = {"User-Agent": f"dflcolab/{__version__}", "Accept-Encoding": "identity", **headers}
    # links.py lets nothing but http and https through.
    request = urllib.request.Request(link.address, headers=own)  # noqa: S310
    opener = urllib.request.build_opener(_OnlySafely)
    return cast(http.client.HTTPResponse, opener.open(request, timeout=timeout_s))


def _refusal(link: Link, error: urllib.error.HTTPError, part: Path) -> Exception:
    """What an answer other than the file means."""
    if error.code == 416:
        part.unlink(missing_ok=True)
        return _Lost("the file changed meanwhile", wait_s=0.01)
    if error.code in _TRANSIENT:
        return _Lost(f"the server answers {error.code}", _retry_after(error.headers))
    if error.code in (401, 403):
        try:
            page = error.read(1 << 16)
        except (OSError, http.client.HTTPException):
            page = b""
        if says_quota(page):
            return DownloadError(f"{link.shown}: {QUOTA}")
        return DownloadError(
            f"{link.shown} may not be fetched by everybody (answer {error.code}); share it, or "
            "download it in the browser and give the file's path."
        )
    if error.code in (404, 410):
        return DownloadError(f"{link.shown} does not exist (any more); check the address.")
    return DownloadError(
        f"{link.shown} cannot be fetched (answer {error.code} {error.reason}); check the address."
    )


def _no_connection(link: Link, error: Exception) -> Exception:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DownloadError(
            f"{link.shown} cannot prove who it is ({reason.verify_message}); check the address and "
            "the date of this machine."
        )
    return _Lost(_in_words(reason))


def _in_words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is not known, or there is no network"
    if isinstance(error, ConnectionRefusedError):
        return "the server refuses the connection"
    return str(error) or type(error).__name__


def _retry_after(headers: Message) -> float | None:
    text = headers.get("Retry-After", "")
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _content_range(headers: Message) -> tuple[int, int | None]:
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
    if match is None:
        return -1, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _remote(response: http.client.HTTPResponse, size: int | None) -> Remote:
    return Remote(
        name=response.headers.get_filename() or unquote(urlsplit(response.url).path.split("/")[-1]),
        size=size,
        etag=response.headers.get("ETag", ""),
        last_modified=response.headers.get("Last-Modified", ""),
    )


def _wait(seconds: float, progress: Progress) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        progress.raise_if_stopped(STOPPED)
        time.sleep(min(left, 0.1))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _facts_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _write_facts(part: Path, remote: Remote) -> None:
    write_text(_facts_path(part), json.dumps(asdict(remote)))


def _read_facts(part: Path) -> Remote | None:
    """What was written beside a part; None if it is missing or not understood."""
    try:
        return Remote(**json.loads(_facts_path(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
