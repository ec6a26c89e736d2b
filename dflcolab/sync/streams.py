# pyright: strict
"""The objects that a push writes, as streams of bytes that are the same for the same content.

Small files go into packs: plain tar files of some hundred megabytes with the files' paths in them, so
that one can open them by hand. Large files are objects of their own, the largest in pieces. What
people want to look at stays a plain file under a readable name.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dflcolab.sync.manifest import Span
from dflcolab.sync.travelling import LocalFile, SourceChangedError

PACK_BYTES = 256 << 20
LARGE_BYTES = 8 << 20
MANY_PACKS = 32
_END = 1024  # two empty blocks end a tar file


@dataclass(frozen=True)
class Member:
    """A file, or a piece of a large one, in a stream.

    Attributes:
        file: The file.
        sha256: Hash of the whole file.
        start: Where the piece begins in the file.
        size: Bytes of the piece.
        offset: Where it begins in the stream.
    """

    file: LocalFile
    sha256: str
    start: int
    size: int
    offset: int


@dataclass(frozen=True)
class Stream:
    """The bytes of one object to be written.

    Attributes:
        kind: "pack" (a tar file), "object" (a large file or a piece of one), or "file" (one that
            people open).
        members: What is in it, in order.
        size: Number of bytes.
    """

    kind: Literal["pack", "object", "file"]
    members: tuple[Member, ...]
    size: int

    @property
    def title(self) -> str:
        """What to call it while it is copied."""
        if self.kind == "pack":
            return f"a pack of {len(self.members)} files"
        return self.members[0].file.path

    @property
    def hash_is_known(self) -> bool:
        """True for a whole file: its hash is that of the stream."""
        return self.kind != "pack" and self.members[0].size == self.members[0].file.size

    @property
    def n_bytes_to_move(self) -> int:
        """Bytes that are read or written until it is proven: hashed, written, read back."""
        return self.size * (2 if self.hash_is_known else 3)

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces; those of a whole file are not compared with its hash here.

        Raises:
            SourceChangedError: A file in a pack is not the one that was hashed, one that is copied
                in pieces was changed, or one is shorter than it was, or has gone.
            StorageError: The disk does not answer.
        """
        if self.kind == "pack":
            for member in self.members:
                yield _header(member.file)
                digest = hashlib.sha256()
                for piece in member.file.chunks():
                    digest.update(piece)
                    yield piece
                if digest.hexdigest() != member.sha256:
                    raise SourceChangedError(member.file.path)
                yield bytes(-member.size % 512)
            yield bytes(_END)
            return
        (member,) = self.members
        yield from member.file.chunks(offset=member.start, size=member.size)
        if not self.hash_is_known and member.file.has_changed():
            raise SourceChangedError(member.file.path)

    def sha256(self, *, on_bytes: Callable[[int], None] | None = None) -> str:
        """Hash of the stream."""
        if self.hash_is_known:
            return self.members[0].sha256
        digest = hashlib.sha256()
        for piece in self.chunks():
            digest.update(piece)
            if on_bytes is not None:
                on_bytes(len(piece))
        return digest.hexdigest()

    def names(self, digest: str, number: int) -> list[str]:
        """Paths on the remote, the best first; later ones are for when something is in the way."""
        if self.kind == "pack":
            stem, suffix = f"packs/{digest}", ".tar"
        else:
            path = self.members[0].file.path
            suffix = os.path.splitext(path)[1].lower()
            stem = f"objects/{digest}"
        readable = self.members[0].file.readable_name if self.kind == "file" else None
        if readable is None:
            return [f"{stem}{suffix}", *(f"{stem}-{n}{suffix}" for n in range(2, 10))]
        stem, suffix = os.path.splitext(f"files/{readable}")
        numbered = f"{stem}.{number:06d}"
        return [
            f"{stem}{suffix}",
            f"{numbered}{suffix}",
            *(f"{numbered}-{n}{suffix}" for n in range(2, 10)),
        ]


def streams_of(
    files: Sequence[tuple[LocalFile, str]], *, pack_bytes: int = PACK_BYTES
) -> list[Stream]:
    """Sort new files into objects, large ones first.

    Args:
        files: Files with their hashes, no hash twice.
        pack_bytes: Size from which a new pack, or a new piece of a large file, begins.
    """
    packs: list[Stream] = []
    others: list[Stream] = []
    members: list[Member] = []
    end = 0

    def close() -> None:
        nonlocal members, end
        if members:
            packs.append(Stream("pack", tuple(members), end + _END))
        members, end = [], 0

    for file, digest in files:
        if file.readable_name is not None:
            member = Member(file, digest, 0, file.size, 0)
            others.append(Stream("file", (member,), file.size))
        elif file.size >= min(LARGE_BYTES, pack_bytes):
            others += [
                Stream("object", (Member(file, digest, start, size, 0),), size)
                for start in range(0, file.size, pack_bytes)
                for size in [min(pack_bytes, file.size - start)]
            ]
        elif file.size:
            if end + file.size > pack_bytes:
                close()
            begin = end + len(_header(file))
            members.append(Member(file, digest, 0, file.size, begin))
            end = begin + file.size + -file.size % 512
    close()
    return sorted(others, key=lambda stream: -stream.size) + packs


def spans_of(written: Sequence[tuple[Stream, str]]) -> dict[str, tuple[Span, ...]]:
    """Where each content is, by its hash, once the streams are at these paths."""
    found: dict[str, list[tuple[int, Span]]] = {}
    for stream, path in written:
        for member in stream.members:
            span = Span(path, member.offset, member.size)
            found.setdefault(member.sha256, []).append((member.start, span))
    return {digest: tuple(span for _, span in sorted(rows)) for digest, rows in found.items()}


def packed_size(size: int) -> int:
    """Bytes that a file takes in a pack: a block for its name, and whole blocks for itself."""
    return 512 + size + -size % 512


def packs_to_renew(used: Mapping[str, int], sizes: Mapping[str, int]) -> set[str]:
    """Packs whose files should be copied anew, so that the others can be deleted some day.

    The emptiest, until more than half of what the rest holds is in use, and until few are left.

    Args:
        used: Bytes that the workspace uses, by the pack's path.
        sizes: Bytes of the packs.
    """
    left = sorted(used, key=lambda path: used[path] / max(1, sizes[path]))
    renewed: set[str] = set()
    while left and 2 * sum(used[path] for path in left) < sum(sizes[path] for path in left):
        renewed.add(left.pop(0))
    if len(left) > MANY_PACKS:
        by_size = sorted(left, key=lambda path: sizes[path])
        renewed |= set(by_size[: len(left) - MANY_PACKS // 2])
    return renewed


def _header(file: LocalFile) -> bytes:
    info = tarfile.TarInfo(file.path)
    info.size = file.size
    info.mode = 0o644
    return info.tobuf(tarfile.PAX_FORMAT)
