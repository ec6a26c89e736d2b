"""Archives that nobody should unpack, and ordinary ones, made in memory."""

from __future__ import annotations

import io
import stat
import tarfile
import warnings
import zipfile
from dataclasses import dataclass

DEVICE, LINK, HARD, FIFO, FILE, FOLDER = "device", "link", "hard", "fifo", "file", "folder"

_TAR_TYPES = {
    FILE: tarfile.REGTYPE, FOLDER: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE, HARD: tarfile.LNKTYPE,
    FIFO: tarfile.FIFOTYPE, DEVICE: tarfile.CHRTYPE,
}  # fmt: skip
_MODES = {
    FILE: stat.S_IFREG, FOLDER: stat.S_IFDIR, LINK: stat.S_IFLNK, HARD: stat.S_IFREG,
    FIFO: stat.S_IFIFO, DEVICE: stat.S_IFCHR,
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One entry; `data` is where links lead."""

    name: str
    data: bytes = b"x"
    kind: str = FILE


def zip_of(*items: Item, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w", compression) as archive:
        warnings.simplefilter("ignore")  # names that are there twice are meant
        for item in items:
            info = zipfile.ZipInfo("placeholder")
            # zipfile itself would tidy some names up
            info.filename = item.name + ("/" if item.kind == FOLDER else "")
            info.external_attr = (_MODES[item.kind] | 0o777) << 16
            info.compress_type = compression
            archive.writestr(info, b"" if item.kind == FOLDER else item.data)
    return made.getvalue()


def tar_of(*items: Item, mode: str = "w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for item in items:
            info = tarfile.TarInfo(item.name)
            info.type, info.mode = _TAR_TYPES[item.kind], 0o4777
            if item.kind in (LINK, HARD):
                info.linkname = item.data.decode(errors="replace")
                archive.addfile(info)
            elif item.kind == FILE:
                info.size = len(item.data)
                archive.addfile(info, io.BytesIO(item.data))
            else:
                archive.addfile(info)
    return made.getvalue()


def overlapping_zip() -> bytes:
    """Fifty names for the same bytes: their sizes add up, the archive stays small."""
    plain = zip_of(Item("a", bytes(100_000)))
    end = plain.index(b"PK\x05\x06")
    start = plain.index(b"PK\x01\x02")
    record = plain[start:end]
    records = b"".join(record[:-1] + bytes([65 + i]) for i in range(50))
    tail = bytearray(plain[end:])
    tail[8:12] = (50).to_bytes(2, "little") * 2
    tail[12:16] = len(records).to_bytes(4, "little")
    return plain[:start] + records + bytes(tail)
