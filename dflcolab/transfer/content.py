# pyright: strict
"""What kind of file something is, judged by its content: names and servers may say anything."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import DownloadError, FormatError

QUOTA = (
    "Google limits this file for now; add a copy to your own Drive and pick it there, or try again "
    "in 24 hours."
)
"""What to do when too many people fetched a file of Drive."""

_QUOTA_WORDS = (b"quota exceeded", b"too many users have viewed", b"download quota")
_HEAD = 64 << 10


class Kind(enum.StrEnum):
    """Kinds of files that matter here; the value is what they are called in sentences."""

    ZIP = "a zip archive"
    TAR = "a tar archive"
    GZIP = "a gzip file"
    XZ = "an xz file"
    BZIP2 = "a bzip2 file"
    RAR = "a RAR archive"
    SEVEN_ZIP = "a 7z archive"
    PICTURE = "a picture"
    VIDEO = "a video"
    HTML = "a web page"
    EMPTY = "empty"
    TEXT = "a text"
    OTHER = "data of another kind"


ARCHIVES = frozenset({Kind.ZIP, Kind.TAR, Kind.GZIP, Kind.XZ, Kind.BZIP2})
"""Kinds that `archive.unpack` takes."""

_STARTS = (
    (b"PK\x03\x04", Kind.ZIP), (b"PK\x05\x06", Kind.ZIP), (b"\x1f\x8b\x08", Kind.GZIP),
    (b"\xfd7zXZ\x00", Kind.XZ), (b"BZh", Kind.BZIP2), (b"Rar!\x1a\x07", Kind.RAR),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP), (b"\xff\xd8\xff", Kind.PICTURE),
    (b"\x89PNG\r\n\x1a\n", Kind.PICTURE), (b"\x1a\x45\xdf\xa3", Kind.VIDEO),
)  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What a download has to be.

    Attributes:
        kinds: Allowed kinds; None: anything but a web page or nothing.
        what: The wish in words ("an archive or a faceset.pak").
        smallest: Least number of bytes.
        largest: Greatest number of bytes; None: what fits on the disk.
    """

    kinds: frozenset[Kind] | None = None
    what: str = "a file"
    smallest: int = 1
    largest: int | None = None

    def check_size(self, size: int, shown: str) -> None:
        """Refuse what is too small or too large.

        Raises:
            DownloadError: One sentence with `shown`, the name of the source.
        """
        if size < self.smallest:
            raise DownloadError(
                f"{shown} has only {size} bytes and cannot be {self.what}; check the address."
            )
        if self.largest is not None and size > self.largest:
            raise DownloadError(
                f"{shown} has {size >> 20} MB, more than {self.what} can have "
                f"({self.largest >> 20} MB); check the address."
            )

    def check(self, path: Path, shown: str) -> Kind:
        """Refuse a file that is something else, such as a page that explains why there is none.

        Raises:
            DownloadError: One sentence with `shown`, the name of the source.
        """
        self.check_size(path.stat().st_size, shown)
        kind = kind_of(path)
        if kind is Kind.HTML:
            with path.open("rb") as stream:
                page = stream.read(_HEAD)
            if says_quota(page):
                raise DownloadError(f"{shown}: {QUOTA}")
            raise DownloadError(
                f"{shown} is a web page and not {self.what}; give the address that starts the "
                "download, and share the file with 'Anyone with the link'."
            )
        if self.kinds is not None and kind not in self.kinds:
            raise DownloadError(f"{shown} is {kind.value} and not {self.what}; check the address.")
        return kind


def says_quota(page: bytes) -> bool:
    """Whether a page of Google says that too many people fetched the file."""
    text = page.lower()
    return any(words in text for words in _QUOTA_WORDS)


def kind_of(path: Path) -> Kind:
    """Look at the first bytes of a file.

    Raises:
        FormatError: It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error}); check the path.") from error
    return kind_of_bytes(head)


def kind_of_bytes(head: bytes) -> Kind:
    """Look at the first bytes of a file, 4096 of them or all."""
    if not head:
        return Kind.EMPTY
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return Kind.TAR
    if head[4:8] == b"ftyp" or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return Kind.VIDEO
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")) or (
        text.startswith((b"<?xml", b"<!--")) and b"<html" in text
    ):
        return Kind.HTML
    if b"\x00" not in head and all(sign >= 32 or sign in b"\t\r\n\f" for sign in head):
        return Kind.TEXT
    return Kind.OTHER


def _is_old_tar(head: bytes) -> bool:
    """A tar header without the word `ustar`: its own checksum tells."""
    if len(head) < 512 or not head[0]:
        return False
    try:
        stated = int(head[148:156].split(b"\0")[0].strip() or b"x", 8)
    except ValueError:
        return False
    return stated == sum(head[:148]) + 8 * 32 + sum(head[156:512])
