# pyright: strict
"""Bring a generation from a remote into a workspace folder.

Everything is fetched into a staging folder and compared with its hash first; only then are files
put in place. Files that differ here are set aside under `history/replaced/`, never overwritten. A
kill at any moment leaves nothing half-written, and the next call goes on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import StorageError, SyncError, UnsafeFileError
from dflcolab.files import replacing, sha256_of, storage_errors, write_bytes
from dflcolab.formats.faceset_pak import PAK_NAME
from dflcolab.progress import Progress
from dflcolab.sync.generations import parts_of, usable_manifests
from dflcolab.sync.manifest import Entry, Manifest, Part, safe_path
from dflcolab.sync.remote import Remote, generation_name
from dflcolab.workspace.moving import free_name, move_file

_CHUNK = 4 << 20
_STAGING = ".pull-"


@dataclass(frozen=True)
class PullReport:
    """What `pull` did.

    Attributes:
        workspace: The folder.
        generation: Number of the copy that was used.
        files: Number of files written.
        files_unchanged: Number of files that were the same here already.
        bytes_read: Bytes fetched from the remote.
        set_aside: Files that differed here, by their new places below the workspace.
        notes: Broken copies that were passed over.
    """

    workspace: Path
    generation: int
    files: int
    files_unchanged: int
    bytes_read: int
    set_aside: tuple[str, ...]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        name = generation_name(self.generation)
        same = f"{self.files_unchanged} were the same already; every byte was compared."
        lines = [f"{self.workspace} holds {name} now: {self.files} files written, {same}"]
        if self.set_aside:
            lines.append(
                f"{len(self.set_aside)} files that differed here are in history/replaced/."
            )
        return "\n".join([*lines, *self.notes])


class _DamagedError(Exception):
    """A part does not match its hash; an older copy may."""


def pull(
    remote: Remote | str | Path,
    workspace_path: Path,
    progress: Progress | None = None,
    *,
    generation: int | None = None,
) -> PullReport:
    """Bring the newest whole copy (or a named one) into `workspace_path`.

    Args:
        remote: Folder, fsspec address or open remote.
        workspace_path: The workspace folder; made if missing.
        progress: Shows the bytes and carries the wish to stop.
        generation: Number of the wanted copy; it must be whole.

    Raises:
        SyncError: There is no whole copy, or the remote does not answer.
        StorageError: This machine's disk is full or read-only.
        Interrupted: The user asked to stop; run it again to go on.
    """
    progress = progress or Progress()
    remote = remote if isinstance(remote, Remote) else Remote.open(remote)
    notes: list[str] = []
    manifests = usable_manifests(remote, notes)
    if generation is not None:
        manifests = [manifest for manifest in manifests if manifest.generation == generation]
    for manifest in manifests:
        staging = workspace_path / f"{_STAGING}{manifest.generation:06d}"
        try:
            with storage_errors(workspace_path):
                staging.mkdir(parents=True, exist_ok=True)
                n_read = _fetch(remote, manifest, staging, progress)
                placing = _Placing(workspace_path, manifest)
                for entry in manifest.entries:
                    placing.put(entry, [staging / part.sha256 for part in entry.parts])
                placing.clear_facesets()
                # What an earlier, unfinished pull of another copy left goes too.
                for leftover in workspace_path.glob(f"{_STAGING}*"):
                    shutil.rmtree(leftover)
        except _DamagedError as error:
            notes.append(f"{generation_name(manifest.generation)} was skipped: {error} is damaged.")
            shutil.rmtree(staging, ignore_errors=True)
            continue
        return PullReport(
            workspace=workspace_path,
            generation=manifest.generation,
            files=placing.n_written,
            files_unchanged=placing.n_unchanged,
            bytes_read=n_read,
            set_aside=tuple(placing.set_aside),
            notes=tuple(notes),
        )
    wanted = "a whole copy" if generation is None else f"a whole copy {generation}"
    reason = f" ({' '.join(notes)})" if notes else ""
    raise SyncError(
        f"{remote.name} does not hold {wanted} of a workspace{reason}; push one first, "
        "or check the address."
    )


def is_unfinished(workspace_path: Path) -> bool:
    """True if a pull into this folder was killed before its last file was in place."""
    return any(workspace_path.glob(f"{_STAGING}*"))


def _fetch(remote: Remote, manifest: Manifest, staging: Path, progress: Progress) -> int:
    """Bring all parts into the staging folder, named by hash; returns the bytes read."""
    parts = {part.sha256: part for part in parts_of(manifest)}
    missing = {
        digest: part for digest, part in parts.items() if not _is_whole(staging / digest, part)
    }
    n_bytes = sum(part.size for part in missing.values())
    # Parts stay in the staging folder until the last file is in place: room for both is needed.
    needed = n_bytes + manifest.size
    free = shutil.disk_usage(staging).free
    if needed > free:
        raise StorageError(
            f"The disk of {staging.parent} has {free >> 20} MB free and {needed >> 20} MB are "
            "needed; free some space and pull again."
        )
    with progress.task("Fetching", total=n_bytes >> 20, unit="MB") as task:
        for digest, part in missing.items():
            progress.raise_if_stopped()
            _fetch_part(remote, part, staging / digest)
            task.advance(part.size >> 20, note=part.stored)
    return n_bytes


def _fetch_part(remote: Remote, part: Part, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with replacing(target) as temporary:
        with temporary.open("wb") as stream:
            for chunk in remote.chunks(part):
                digest.update(chunk)
                size += len(chunk)
                if size > part.size:
                    break
                stream.write(chunk)
        if size != part.size or digest.hexdigest() != part.sha256:
            raise _DamagedError(part.stored)


def _is_whole(path: Path, part: Part) -> bool:
    return path.is_file() and path.stat().st_size == part.size and sha256_of(path) == part.sha256


class _Placing:
    """Puts fetched files in place and sets differing ones aside."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self.root = root
        self.aside = root / "history" / "replaced" / generation_name(manifest.generation)
        self.files = {entry.path for entry in manifest.entries if entry.kind == "file"}
        self.packs: dict[str, set[str]] = {}
        self.set_aside: list[str] = []
        self.n_written = 0
        self.n_unchanged = 0

    def put(self, entry: Entry, staged: Sequence[Path]) -> None:
        """Put one entry in place."""
        if entry.kind == "file":
            self._put_file(entry.path, staged[0])
        else:
            self._put_pack(entry.path, staged)

    def _put_file(self, path: str, staged: Path) -> None:
        target = self._place(path)
        if target.is_file() and _same(target, staged):
            self.n_unchanged += 1
            return
        self._clear(target, path)

        def copy(temporary: Path) -> None:
            shutil.copyfile(staged, temporary)

        _write(target, copy)
        self.n_written += 1

    def _put_pack(self, path: str, shards: Sequence[Path]) -> None:
        names: set[str] = set()
        for shard in shards:
            try:
                with tarfile.open(shard, "r:") as tar:
                    for member in tar:
                        self._put_member(path, tar, member)
                        names.add(member.name)
            except tarfile.TarError as error:
                raise SyncError(
                    f"The pack of {path} is no tar file ({error}); push the workspace again."
                ) from error
        self.packs[path] = names

    def _put_member(self, path: str, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if not member.isreg():
            raise UnsafeFileError(f"The pack of {path} holds {member.name!r}, which is no file.")
        name = f"{path}/{safe_path(member.name, name=f'The pack of {path}')}"
        stream = tar.extractfile(member)
        assert stream is not None
        data = stream.read()
        target = self._place(name)
        if target.is_file() and target.stat().st_size == len(data) and target.read_bytes() == data:
            self.n_unchanged += 1
            return
        self._clear(target, name)
        # The shard stays until everything is in place: a torn write is found and repaired.
        write_bytes(target, data, durable=False)
        self.n_written += 1

    def clear_facesets(self) -> None:
        """Set faces aside that this machine has and the copy has not: they would mix two facesets.

        The same for a pack beside loose faces, which would hide them, and the other way round.
        """
        for side in ("data_src", "data_dst"):
            aligned = f"{side}/aligned"
            people = [path for path in self.packs if path.startswith(f"{aligned}/")]
            if people or aligned in self.packs or f"{aligned}/{PAK_NAME}" in self.files:
                self._set_extras_aside(aligned, self.packs.get(aligned, set()))
            if people:  # beside loose faces or a pack, other folders do no harm
                for folder in sorted((self.root / aligned).iterdir()):
                    path = f"{aligned}/{folder.name}"
                    if folder.is_dir() and not folder.name.startswith("."):
                        self._set_extras_aside(path, self.packs.get(path, set()))
            trash = f"{side}/aligned_trash"
            if trash in self.packs:
                self._set_extras_aside(trash, self.packs[trash])

    def _set_extras_aside(self, path: str, names: set[str]) -> None:
        for entry in sorted(os.scandir(self.root / path), key=lambda entry: entry.name):
            inside = f"{path}/{entry.name}"
            known = entry.name in names or inside in self.files
            if entry.is_file() and not entry.name.startswith(".") and not known:
                self._clear(Path(entry.path), inside)

    def _place(self, path: str) -> Path:
        """The target of a safe path, its folder made; links out of the workspace are refused."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(self.root.resolve()):
            raise UnsafeFileError(
                f"{target.parent} is a link that leads out of the workspace; remove the link."
            )
        return target

    def _clear(self, target: Path, path: str) -> None:
        """Set a differing file aside."""
        if not os.path.lexists(target):
            return
        place = self.aside / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place = place.parent / free_name(place.parent, place.name)
        move_file(target, place)
        self.set_aside.append(place.relative_to(self.root).as_posix())


def _write(target: Path, fill: Callable[[Path], None]) -> None:
    with replacing(target) as temporary:
        fill(temporary)


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            a, b = first.read(_CHUNK), second.read(_CHUNK)
            if a != b:
                return False
            if not a:
                return True
