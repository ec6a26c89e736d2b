# pyright: strict
"""What an archive holds, checked to the last entry before anything is unpacked."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol, cast

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.progress import Progress
from dflcolab.transfer.content import Kind, kind_of
from dflcolab.transfer.entry_names import Names, checked_name, decoded_names, is_junk, printable

_PIECE = 1 << 20
_READ_AT_ONCE = 64 << 20
"""No header of an honest archive is larger; a hostile one may claim gigabytes."""
_LOCAL_HEADER = 30
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile,
    NotImplementedError, ValueError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    Attributes:
        files: Number of entries.
        size: Bytes in all; None: what is free on the disk.
        ratio: Times the archive's own size, counted from `honest` bytes on. Pictures, videos and
            models hardly shrink.
        honest: Bytes that any archive may hold.
    """

    files: int = 500_000
    size: int | None = None
    ratio: int = 100
    honest: int = 1 << 30

    def largest(self, archive_size: int) -> int:
        """Bytes that an archive of some size may unpack to."""
        by_ratio = max(self.honest, archive_size * self.ratio)
        return by_ratio if self.size is None else min(by_ratio, self.size)


@dataclass(frozen=True)
class ArchiveEntry:
    """One file or folder in an archive.

    Attributes:
        path: Where it goes, below the folder that is unpacked to.
        is_folder: Whether it is a folder.
        size: Bytes, as the archive says.
        time: When it was changed, seconds since 1970; None if the archive holds no such time.
        member: The library's own object.
    """

    path: PurePosixPath
    is_folder: bool
    size: int
    time: float | None
    member: Any


class Archive(Protocol):
    """An open archive whose entries are checked."""

    entries: list[ArchiveEntry]

    def open(self, entry: ArchiveEntry) -> IO[bytes]:
        """The content of a file."""
        ...


@contextmanager
def open_archive(path: Path, limits: Limits, progress: Progress) -> Generator[Archive]:
    """Open a zip or tar (plain, gzip, xz, bzip2) and check all of its entries.

    Raises:
        UnsafeFileError: An entry leads elsewhere, is a link or device, is there twice, or the
            archive unpacks to far more than it should.
        FormatError: It is none, is damaged, cut off, encrypted, or packed in an unknown way.
        Interrupted: The user asked to stop.
    """
    kind = kind_of(path)
    with broken_as_sentences(path), path.open("rb") as stream:
        if kind is Kind.ZIP:
            with zipfile.ZipFile(stream) as archive:
                yield _Zip(archive, path, limits)
        elif kind in _UNPACKERS:
            with _UNPACKERS[kind](stream) as unpacked:
                guarded = _Guarded(unpacked, limits.largest(path.stat().st_size), path)
                with tarfile.open(fileobj=cast(IO[bytes], guarded), mode="r:") as archive:
                    yield _Tar(archive, path, limits, progress)
        elif kind in (Kind.RAR, Kind.SEVEN_ZIP):
            raise FormatError(
                f"{path} is {kind.value}; unpack it on your computer and pack it as a zip."
            )
        else:
            raise FormatError(f"{path} is {kind.value} and not a zip or tar; check the path.")


@contextmanager
def broken_as_sentences(path: Path) -> Generator[None]:
    """Turn what the libraries say about damaged archives into one sentence."""
    try:
        yield
    except _BROKEN as error:
        raise FormatError(
            f"{path} is damaged or cut off ({_words(error)}); copy or download it again."
        ) from error
    except RuntimeError as error:
        if "encrypted" not in str(error) and "password" not in str(error):
            raise
        raise _encrypted(path) from error


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _encrypted(path: Path) -> FormatError:
    return FormatError(f"{path} is protected with a password; pack it without one.")


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, path: Path, limits: Limits) -> None:
        self._archive = archive
        infos = archive.infolist()
        _check_count(len(infos), limits, path)
        _check_apart(infos, path, archive.start_dir)
        size = path.stat().st_size
        _check_total(sum(info.file_size for info in infos), size, limits, path)
        names = Names(path.name)
        self.entries: list[ArchiveEntry] = []
        for info, name in zip(infos, _zip_names(infos), strict=True):
            if info.flag_bits & 0x1:
                raise _encrypted(path)
            if info.compress_type not in (
                zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA
            ):  # fmt: skip
                raise FormatError(
                    f"{path} is packed in a way that is not known here; pack it as an ordinary zip."
                )
            form = stat.S_IFMT(info.external_attr >> 16)
            if form not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _not_a_file(path, name)
            is_folder = name.replace("\\", "/").endswith("/") or form == stat.S_IFDIR
            if is_folder and info.file_size:
                raise _not_a_file(path, name)
            _take(self.entries, names, path, name, is_folder, info.file_size, None, info)

    def open(self, entry: ArchiveEntry) -> IO[bytes]:
        return self._archive.open(entry.member)


class _Tar:
    def __init__(
        self, archive: tarfile.TarFile, path: Path, limits: Limits, progress: Progress
    ) -> None:
        self._archive = archive
        names = Names(path.name)
        self.entries: list[ArchiveEntry] = []
        size, n_bytes = path.stat().st_size, 0
        with progress.task(f"Checking {path.name}", total=None, unit="files") as task:
            for member in archive:
                progress.raise_if_stopped()
                task.advance()
                _check_count(len(self.entries) + 1, limits, path)
                n_bytes += member.size
                _check_total(n_bytes, size, limits, path)
                if not (member.isreg() or member.isdir()) or member.issparse():
                    raise _not_a_file(path, member.name)
                if member.isdir() and PurePosixPath(member.name) == PurePosixPath():
                    continue  # `tar -c .` starts with the folder itself
                name = decoded_names([member.name.encode(errors="surrogateescape")])[0]
                _take(self.entries, names, path, name, member.isdir(), member.size,
                      float(member.mtime), member)  # fmt: skip
        # The library takes a damaged header for the end; the true end is a block of zeros.
        assert archive.fileobj is not None
        archive.fileobj.seek(archive.offset)
        if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise FormatError(f"{path} is damaged or cut off; copy or download it again.")
        while archive.fileobj.read(_PIECE):
            pass  # a packed stream has its checksum at the very end

    def open(self, entry: ArchiveEntry) -> IO[bytes]:
        content = self._archive.extractfile(entry.member)
        assert content is not None, "only regular files are opened"
        return content


def _take(
    entries: list[ArchiveEntry],
    names: Names,
    archive: Path,
    name: str,
    is_folder: bool,
    size: int,
    time: float | None,
    member: object,
) -> None:
    path = checked_name(name, archive.name)
    names.add(path, is_folder=is_folder)
    if not is_junk(path):
        entries.append(ArchiveEntry(path, is_folder, size, time, member))


def _zip_names(infos: list[zipfile.ZipInfo]) -> list[str]:
    """Names as their writer meant them; those without the UTF-8 mark were read as cp437."""
    unmarked = [info for info in infos if not info.flag_bits & 0x800]
    raw = [info.orig_filename.encode("cp437") for info in unmarked]
    found = dict(zip(map(id, unmarked), decoded_names(raw), strict=True))
    return [found.get(id(info), info.orig_filename) for info in infos]


def _check_count(count: int, limits: Limits, path: Path) -> None:
    if count > limits.files:
        raise UnsafeFileError(
            f"{path} holds more than {limits.files:,} files; pack the faces as faceset.pak and try "
            "again."
        )


def _check_total(n_bytes: int, archive_size: int, limits: Limits, path: Path) -> None:
    if n_bytes > limits.largest(archive_size):
        raise _bomb(path)


def _check_apart(infos: list[zipfile.ZipInfo], path: Path, end: int) -> None:
    """Entries that share their bytes are the trick of archives that unpack to petabytes."""
    before = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < before:
            raise _bomb(path)
        before = info.header_offset + _LOCAL_HEADER + info.compress_size
    if before > end:
        raise FormatError(f"{path} is damaged or cut off; copy or download it again.")


def _bomb(path: Path) -> UnsafeFileError:
    return UnsafeFileError(
        f"{path} would unpack to far more than an archive of its size can honestly hold; get it from "
        "another source."
    )


def _not_a_file(path: Path, name: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{path.name} holds the entry {printable(name)}, which is a link or a device and not a file: "
        "it is not safe to unpack; pack the files themselves."
    )


class _Guarded(io.RawIOBase):
    """An unpacked stream that ends the work where a bomb would begin to do harm."""

    def __init__(self, stream: Any, largest: int, path: Path) -> None:
        self._stream = stream
        # Beside the files there are headers and padding.
        self._largest = 2 * largest + (64 << 20)
        self._path = path

    def read(self, size: int = -1, /) -> bytes:
        if size < 0 or size > _READ_AT_ONCE or self._stream.tell() > self._largest:
            raise _bomb(self._path)
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence != io.SEEK_SET or offset > self._largest:
            raise _bomb(self._path)
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@contextmanager
def _as_it_is(stream: IO[bytes]) -> Generator[IO[bytes]]:
    yield stream


_UNPACKERS: dict[Kind, Callable[[IO[bytes]], Any]] = {
    Kind.TAR: _as_it_is,
    Kind.GZIP: lambda stream: gzip.GzipFile(fileobj=stream, mode="rb"),
    Kind.XZ: lzma.LZMAFile,
    Kind.BZIP2: bz2.BZ2File,
}


def pieces(archive: Archive, entry: ArchiveEntry, shown: str) -> Iterator[bytes]:
    """The content of a file, piece by piece, never more than the archive said.

    Raises:
        FormatError: It is shorter or longer.
    """
    left = entry.size
    with archive.open(entry) as stream:
        while piece := stream.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            yield piece
    if left:
        raise FormatError(
            f"{shown} is damaged ({printable(entry.path.as_posix())} has another size than it says); "
            "copy or download it again."
        )
