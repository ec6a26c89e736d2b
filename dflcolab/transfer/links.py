# pyright: strict
"""What a user may give as the address of a file: https, a link to Google Drive, or its id."""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urldefrag, urlsplit

from dflcolab.errors import DownloadError

_DRIVE_HOSTS = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")
_DRIVE_ID = re.compile(r"[-\w]{20,}", re.ASCII)
_LONE_ID = re.compile(r"[-\w]{25,60}", re.ASCII)
_IN_PATH = re.compile(r"/(?:d|folders)/([-\w]{10,})(?:/|$)", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class LinkKind(enum.StrEnum):
    """By which way a link is fetched."""

    WEB = "web"
    DRIVE_FILE = "Drive file"
    DRIVE_FOLDER = "Drive folder"


@dataclass(frozen=True)
class Link:
    """A parsed address.

    Attributes:
        kind: By which way it is fetched.
        address: The URL, or Drive's id.
        sha256: Hash that the file must have, in hex; "" if the user gave none.
    """

    kind: LinkKind
    address: str
    sha256: str = ""

    @property
    def shown(self) -> str:
        """What it is called in sentences; without what may be secret (query, user, password)."""
        if self.kind is LinkKind.WEB:
            parts = urlsplit(self.address)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return f"the {self.kind.value} {self.address}"

    @property
    def key(self) -> str:
        """Name under which it is cached: by the hash if there is one, else by the address."""
        text = f"sha256:{self.sha256}" if self.sha256 else f"{self.kind.value}:{self.address}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def is_link(text: str) -> bool:
    """Whether `text` means something on the network rather than a path of this machine.

    A text that only looks like an id of Drive counts: look first whether there is such a path.
    """
    return bool(_SCHEME.match(text)) or bool(_LONE_ID.fullmatch(text))


def parse_link(text: str) -> Link:
    """Read an address; `#sha256=…` behind it pins the file's hash.

    Raises:
        DownloadError: It is none that this program fetches.
    """
    address, fragment = urldefrag(text.strip())
    pin = _pin(fragment, text)
    if _LONE_ID.fullmatch(address):
        return Link(LinkKind.DRIVE_FILE, address, pin)
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("https", "http") or not host:
        raise DownloadError(
            f"{text!r} is no address of a file; give an https:// address, or the link that Google "
            "Drive's Share button copies."
        )
    if host in _DRIVE_HOSTS:
        return _drive_link(address, pin)
    if parts.scheme == "http" and not pin and host not in _THIS_MACHINE:
        raise DownloadError(
            f"{address} is not encrypted, so anybody on the way could exchange the file; use its "
            "https:// address or add #sha256=… with the file's hash."
        )
    return Link(LinkKind.WEB, address, pin)


def _pin(fragment: str, text: str) -> str:
    if "sha256=" not in fragment:
        return ""
    digest = fragment.partition("sha256=")[2].partition("&")[0].lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise DownloadError(
            f"{text!r} ends in something that is no SHA-256; give its 64 hexadecimal digits."
        )
    return digest


def _drive_link(address: str, pin: str) -> Link:
    parts = urlsplit(address)
    match = _IN_PATH.search(parts.path)
    ids = [match[1]] if match else parse_qs(parts.query).get("id", [])
    if len(ids) != 1 or not _DRIVE_ID.fullmatch(ids[0]):
        raise DownloadError(
            f"{address} names no file or folder of Google Drive; in Drive, choose Share, Copy link, "
            "and give that."
        )
    is_folder = "/folders/" in parts.path or "folderview" in parts.path.lower()
    return Link(LinkKind.DRIVE_FOLDER if is_folder else LinkKind.DRIVE_FILE, ids[0], pin)
