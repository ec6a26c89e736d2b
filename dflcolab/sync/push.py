# pyright: strict
"""Copy a workspace to a remote as a new generation.

Bytes first, each part read back and compared; then the manifest, which makes the generation exist.
What an earlier generation holds with the same hash is referred to, not copied again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dflcolab.errors import SyncError
from dflcolab.progress import Progress
from dflcolab.sync.generations import usable_manifests
from dflcolab.sync.manifest import Entry, Manifest, Part
from dflcolab.sync.pieces import SHARD_BYTES, Piece, SourceChangedError, pieces_of
from dflcolab.sync.proof import Proof, meaning, proof_of
from dflcolab.sync.remote import Remote, generation_name
from dflcolab.workspace.workspace import Workspace

_ATTEMPTS = 5


@dataclass(frozen=True)
class PushReport:
    """What `push` did.

    Attributes:
        remote: Where to.
        generation: Number of the copy that now holds the workspace.
        new_copy: False if the newest copy had everything already.
        parts_copied: Number of files and packs that were written.
        bytes_copied: Their bytes.
        bytes_unchanged: Bytes that were there already.
        proof: How far the copy is proven.
        dry_run: Nothing was written; the numbers say what would be.
        notes: Broken copies that were passed over, and the like.
    """

    remote: str
    generation: int
    new_copy: bool
    parts_copied: int
    bytes_copied: int
    bytes_unchanged: int
    proof: Proof
    dry_run: bool
    notes: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        size = f"{self.bytes_copied / 1e6:.1f} MB"
        if self.dry_run:
            return f"{self.parts_copied} parts ({size}) would be copied to {self.remote}."
        if not self.new_copy:
            text = f"{self.remote} has everything already ({generation_name(self.generation)})"
        else:
            text = (
                f"{self.remote}/{generation_name(self.generation)}: {self.parts_copied} parts "
                f"({size}) copied, {self.bytes_unchanged / 1e6:.1f} MB were there already"
            )
        return "\n".join([f"{text}; {self.proof}. {meaning(self.proof)}", *self.notes])


def push(
    workspace: Workspace,
    remote: Remote | str | Path,
    progress: Progress | None = None,
    *,
    merged: bool = False,
    keep: Callable[[str], bool] | None = None,
    dry_run: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> PushReport:
    """Copy everything that travels (see `pieces`) to the remote. Safe to run again at any time.

    Args:
        workspace: What to copy; it is only read.
        remote: Folder, fsspec address or open remote.
        progress: Shows the bytes and carries the wish to stop.
        merged: Copy merged frames too.
        keep: Which files of `model/` to copy (see `pieces_of`).
        dry_run: Only say what would be copied.
        shard_bytes: Size of a pack's shards.

    Raises:
        SyncError: The remote is offline, full, read-only, or gave back other bytes. Nothing here is
            lost, and the next call uses what has arrived.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    remote = remote if isinstance(remote, Remote) else Remote.open(remote)
    for attempt in range(_ATTEMPTS):
        try:
            pieces = pieces_of(workspace, merged=merged, keep=keep, shard_bytes=shard_bytes)
            return _Push(workspace, remote, progress).run(pieces, dry_run=dry_run)
        except SourceChangedError as error:
            if attempt == _ATTEMPTS - 1:
                raise SyncError(
                    f"{error} keeps changing while it is copied; push again when it is at rest."
                ) from error
    raise AssertionError


class _Push:
    """One attempt: what is known of the remote, and what was done."""

    def __init__(self, workspace: Workspace, remote: Remote, progress: Progress) -> None:
        self.workspace = workspace
        self.remote = remote
        self.progress = progress
        self.notes: list[str] = []
        self.manifests = usable_manifests(remote, self.notes)
        self.known: dict[str, Part] = {}
        for manifest in self.manifests:
            for entry in manifest.entries:
                for part in entry.parts:
                    self.known.setdefault(part.sha256, part)

    def run(self, pieces: Sequence[Piece], *, dry_run: bool) -> PushReport:
        hashes = self._hashes(pieces)
        new = {
            digest: piece
            for digest, piece in zip(hashes, pieces, strict=True)
            if digest not in self.known
        }
        n_bytes = sum(piece.size for piece in new.values())
        n_unchanged = sum(piece.size for piece in pieces) - n_bytes
        if dry_run:
            return self._report(
                0,
                Proof.SAVED_HERE,
                unchanged=n_unchanged,
                parts_copied=len(new),
                bytes_copied=n_bytes,
                dry_run=True,
            )
        newest = self.manifests[0] if self.manifests else None
        if newest is not None and newest.entries == self._entries(pieces, hashes):
            stored = [part.stored for entry in newest.entries for part in entry.parts]
            proof = proof_of(self.remote, stored)
            return self._report(newest.generation, proof, unchanged=n_unchanged)
        self._check_space(n_bytes)
        number = max(self.remote.generation_numbers(), default=0) + 1
        self.remote.start_generation(number)
        with self.progress.task("Copying", total=n_bytes >> 20, unit="MB") as task:
            for digest, piece in new.items():
                self.progress.raise_if_stopped()
                self.known[digest] = self._write(number, piece, digest)
                task.advance(piece.size >> 20, note=piece.path)
        manifest = Manifest(
            generation=number,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            workspace=self.workspace.settings.name,
            entries=self._entries(pieces, hashes),
        )
        self.remote.write_manifest(manifest)
        stored = [part.stored for entry in manifest.entries for part in entry.parts]
        proof = proof_of(self.remote, stored)
        return self._report(
            number,
            proof,
            unchanged=n_unchanged,
            new_copy=True,
            parts_copied=len(new),
            bytes_copied=n_bytes,
        )

    def _hashes(self, pieces: Sequence[Piece]) -> list[str]:
        total = sum(piece.size for piece in pieces)
        found: list[str] = []
        with self.progress.task("Comparing", total=total >> 20, unit="MB") as task:
            for piece in pieces:
                self.progress.raise_if_stopped()
                found.append(piece.sha256())
                task.advance(piece.size >> 20)
        return found

    def _entries(self, pieces: Sequence[Piece], hashes: Sequence[str]) -> tuple[Entry, ...]:
        """Entries of the new manifest; shards of one folder become parts of one entry."""
        found: dict[str, Entry] = {}
        for piece, digest in zip(pieces, hashes, strict=True):
            part = self.known.get(digest, Part("", piece.size, digest))
            before = found.get(piece.path)
            if before is None:
                found[piece.path] = Entry(piece.path, piece.kind, (part,), len(piece.files))
            else:
                parts = (*before.parts, part)
                n_files = before.n_files + len(piece.files)
                found[piece.path] = Entry(piece.path, piece.kind, parts, n_files)
        return tuple(found.values())

    def _write(self, number: int, piece: Piece, digest: str) -> Part:
        """Write a piece under a fresh name; what an interrupted push left whole is used."""
        if piece.is_readable:
            names = [f"{generation_name(number)}/{piece.path}"]
        else:
            base = f"objects/{digest}"
            names = [base + piece.suffix, *(f"{base}-{n}{piece.suffix}" for n in range(2, 10))]
        for name in names:
            part = Part(name, piece.size, digest)
            if not self.remote.exists(name):
                self.remote.write_new(part, _counted(piece, digest))
                return part
            if self.remote.holds(part) and self.remote.matches(part):
                return part
        raise SyncError(
            f"{self.remote.name} holds too many broken files named {names[0]}; choose another folder."
        )

    def _check_space(self, n_bytes: int) -> None:
        root = self.remote.local_root
        if root is None:
            return
        place = next(folder for folder in (root, *root.parents) if folder.exists())
        with self.remote.errors("measuring its free space"):
            free = shutil.disk_usage(place).free
        if n_bytes > free:
            raise SyncError(
                f"{self.remote.name} has {free >> 20} MB free and {n_bytes >> 20} MB are to be "
                "copied; free some space there, empty its bin too, and push again."
            )

    def _report(self, generation: int, proof: Proof, *, unchanged: int, **done: Any) -> PushReport:
        defaults: dict[str, Any] = {
            "new_copy": False,
            "parts_copied": 0,
            "bytes_copied": 0,
            "dry_run": False,
        }
        return PushReport(
            remote=self.remote.name,
            generation=generation,
            bytes_unchanged=unchanged,
            proof=proof,
            notes=tuple(self.notes),
            **{**defaults, **done},
        )


def _counted(piece: Piece, digest: str) -> Iterator[bytes]:
    """The bytes of a piece; ends with an error if they are not those that were hashed before."""
    found = hashlib.sha256()
    for chunk in piece.chunks():
        found.update(chunk)
        yield chunk
    if found.hexdigest() != digest:
        raise SourceChangedError(piece.path)
