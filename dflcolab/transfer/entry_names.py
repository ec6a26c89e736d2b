# pyright: strict
"""Names of files inside archives and shared folders: where they may lead, and what they say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from dflcolab.errors import UnsafeFileError

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_PART = 255
_DEEPEST = 40
_JUNK = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})


def checked_name(name: str, shown: str) -> PurePosixPath:
    r"""The path that an entry names, if it stays inside of the folder it is unpacked to.

    Windows' `\` separates as `/` does; `.` and doubled separators go.

    Args:
        name: As it stands in the archive.
        shown: The archive, for sentences.

    Raises:
        UnsafeFileError: It is absolute, climbs out with `..`, or no file system could hold it.
    """
    path = name.replace("\\", "/")
    refused = f"{shown} holds the entry {printable(name)}, which"
    remedy = "it is not safe to unpack; get the archive from another source."
    if path.startswith("/") or _DRIVE.match(path):
        raise UnsafeFileError(f"{refused} names an absolute path: {remedy}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnsafeFileError(f"{refused} leads out of its folder: {remedy}")
    if not parts or _CONTROL.search(path):
        raise UnsafeFileError(f"{refused} has no usable name: {remedy}")
    if len(parts) > _DEEPEST or any(_n_bytes(part) > _LONGEST_PART for part in parts):
        raise UnsafeFileError(f"{refused} has too long a name: {remedy}")
    return PurePosixPath(*parts)


def is_junk(path: PurePosixPath) -> bool:
    """Whether a file was put there by a file browser and means nothing."""
    return any(part in _JUNK or part.startswith("._") for part in path.parts)


class Names:
    """Sees to it that no two entries take the same place, on any file system.

    Args:
        shown: The archive, for sentences.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._files: set[str] = set()
        self._folders: dict[str, str] = {}

    def add(self, path: PurePosixPath, *, is_folder: bool) -> None:
        """Take a place.

        Raises:
            UnsafeFileError: Another entry has it, or has a name that differs in case only.
        """
        folders = [path, *path.parents] if is_folder else list(path.parents)
        for folder in folders[: -1 if folders[-1] == PurePosixPath() else None]:
            spelled, key = folder.as_posix(), _key(folder)
            if key in self._files or self._folders.setdefault(key, spelled) != spelled:
                self._refuse(path)
        if not is_folder:
            key = _key(path)
            if key in self._files or key in self._folders:
                self._refuse(path)
            self._files.add(key)

    def _refuse(self, path: PurePosixPath) -> None:
        raise UnsafeFileError(
            f"{self._shown} holds {printable(path.as_posix())} twice, or in two spellings, and one "
            "would overwrite the other; pack it anew."
        )


def decoded_names(raw: Sequence[bytes]) -> list[str]:
    """Names without a stated encoding: UTF-8, else Japanese Windows' (cp932), else DOS' (cp437).

    One encoding is found for all together, as one program wrote them.
    """
    for encoding in ("utf-8", "cp932"):
        try:
            return [_decoded(name, encoding) for name in raw]
        except UnicodeDecodeError:
            continue
    return [name.decode("cp437") for name in raw]


def _decoded(name: bytes, encoding: str) -> str:
    text = name.decode(encoding)
    # Half-width katakana in a row are what another encoding looks like in cp932, hardly a name.
    if encoding == "cp932" and not _is_plausible(text):
        raise UnicodeDecodeError(encoding, name, 0, 1, "not a Japanese name")
    return text


def _is_plausible(text: str) -> bool:
    foreign = [sign for sign in text if ord(sign) > 127]
    half_width = sum("\uff61" <= sign <= "\uff9f" for sign in foreign)
    return not foreign or half_width < len(foreign) / 2


def printable(name: str) -> str:
    """A name for a sentence: at most 80 characters, none that breaks the line."""
    shown = repr(name)
    return shown if len(shown) <= 80 else f"{shown[:60]}…{shown[-16:]}"


def _key(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", path.as_posix()).casefold()


def _n_bytes(part: str) -> int:
    return len(part.encode(errors="surrogateescape"))
