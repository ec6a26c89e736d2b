# pyright: strict
"""What a push has to write: the files whose content no usable generation holds yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dflcolab.sync.manifest import FileEntry, Manifest, Span, Stored
from dflcolab.sync.streams import (
    PACK_BYTES,
    Stream,
    packed_size,
    packs_to_renew,
    spans_of,
    streams_of,
)
from dflcolab.sync.travelling import LocalFile


@dataclass
class Known:
    """Contents that are on the remote.

    Attributes:
        objects: Objects by path.
        spans: Where each content is, by its hash.
    """

    objects: dict[str, Stored] = field(default_factory=dict[str, Stored])
    spans: dict[str, tuple[Span, ...]] = field(default_factory=dict[str, tuple[Span, ...]])

    @classmethod
    def of(cls, manifests: Iterable[Manifest], *, damaged: Collection[str] = ()) -> Known:
        """Everything that generations hold; of the same content in two, the first counts.

        Args:
            manifests: Of the generations.
            damaged: Objects that are not referred to.
        """
        known = cls()
        for manifest in manifests:
            known.add(
                {stored.path: stored for stored in manifest.objects},
                {
                    file.sha256: file.spans
                    for file in manifest.files
                    if not any(span.path in damaged for span in file.spans)
                },
            )
        return known

    def add(self, objects: Mapping[str, Stored], spans: Mapping[str, tuple[Span, ...]]) -> None:
        """Add what is not known yet."""
        self.objects = {**objects, **self.objects}
        self.spans = {**spans, **self.spans}


@dataclass(frozen=True)
class Row:
    """A line of the table that a dry run shows.

    Attributes:
        what: Part of the workspace ("data_src/aligned").
        files: Its files.
        size_bytes: Their bytes.
        new_files: Those that are copied.
        new_bytes: Their bytes.
    """

    what: str
    files: int
    size_bytes: int
    new_files: int
    new_bytes: int


@dataclass(frozen=True)
class Plan:
    """What is written, and what is there already.

    Attributes:
        files: All files with their hashes, by path.
        known: What the remote holds of them.
        streams: Objects to be written.
    """

    files: tuple[tuple[LocalFile, str], ...]
    known: Known
    streams: tuple[Stream, ...]

    @classmethod
    def make(
        cls,
        files: Sequence[tuple[LocalFile, str]],
        known: Known,
        *,
        pack_bytes: int = PACK_BYTES,
    ) -> Plan:
        """Compare files with what the remote holds.

        Args:
            files: All files with their hashes.
            known: What may be referred to.
            pack_bytes: Size of packs and pieces.
        """
        in_packs: dict[str, int] = {}
        by_hash = {digest: file for file, digest in files if file.size}
        for digest in by_hash:
            for span in known.spans.get(digest, ()):
                if span.path.startswith("packs/"):
                    in_packs[span.path] = in_packs.get(span.path, 0) + packed_size(span.size)
        sizes = {path: known.objects[path].size for path in in_packs}
        renewed = packs_to_renew(in_packs, sizes)
        new = [
            (file, digest)
            for digest, file in by_hash.items()
            if digest not in known.spans
            or any(span.path in renewed for span in known.spans[digest])
        ]
        return cls(tuple(files), known, tuple(streams_of(new, pack_bytes=pack_bytes)))

    @property
    def n_bytes(self) -> int:
        """Bytes that are written."""
        return sum(stream.size for stream in self.streams)

    @property
    def new_contents(self) -> set[str]:
        """Hashes of the files that are written."""
        return {member.sha256 for stream in self.streams for member in stream.members}

    @property
    def contents(self) -> dict[str, str]:
        """Hash of each file by its path."""
        return {file.path: digest for file, digest in self.files}

    def table(self) -> tuple[Row, ...]:
        """Files and bytes of each part of the workspace."""
        new = self.new_contents
        rows: dict[str, Row] = {}
        for file, digest in self.files:
            what = _part_of(file.path)
            row = rows.get(what, Row(what, 0, 0, 0, 0))
            is_new = digest in new
            rows[what] = Row(
                what,
                row.files + 1,
                row.size_bytes + file.size,
                row.new_files + is_new,
                row.new_bytes + (file.size if is_new else 0),
            )
        return tuple(rows[what] for what in sorted(rows))

    def entries(
        self, written: Sequence[tuple[Stream, Stored]]
    ) -> tuple[tuple[Stored, ...], tuple[FileEntry, ...]]:
        """Objects and files of the manifest once the streams are written."""
        objects = {**self.known.objects, **{stored.path: stored for _, stored in written}}
        spans = {
            **self.known.spans,
            **spans_of([(stream, stored.path) for stream, stored in written]),
        }
        files = tuple(
            FileEntry(
                file.path, file.size, digest, file.mtime_ns, spans[digest] if file.size else ()
            )
            for file, digest in self.files
        )
        used = {span.path for file in files for span in file.spans}
        return tuple(objects[path] for path in sorted(used)), files


def _part_of(path: str) -> str:
    """`videos and settings`, `data_src/aligned`, `model/first`, `history`."""
    parts = path.split("/")
    if len(parts) == 1:
        return "videos and settings"
    if parts[0] == "history":
        return "history"
    return "/".join(parts[: min(2, len(parts) - 1)])
