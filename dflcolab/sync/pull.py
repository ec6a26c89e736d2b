# pyright: strict
"""Bring a generation from a remote into a workspace folder.

Everything that this machine lacks is fetched into a staging folder and compared with its hash first;
only then are files put in place, all or none (see `workspace.placing`). Files that differ here are set
aside under `history/replaced/`, never overwritten.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dflcolab.errors import SyncError, UnsafeFileError
from dflcolab.files import check_space, storage_errors
from dflcolab.progress import Progress
from dflcolab.sync.damage import Damage
from dflcolab.sync.fetch import fetch, missing_files, staged_path
from dflcolab.sync.generations import chosen, list_generations, no_such, usable
from dflcolab.sync.manifest import FileEntry, GenerationName, Manifest
from dflcolab.sync.memory import Base, Hashes, Memory
from dflcolab.sync.remote import DamagedError, Remote
from dflcolab.sync.travelling import LocalFile, files_below
from dflcolab.words import counted, megabytes
from dflcolab.workspace.moving import free_name
from dflcolab.workspace.placing import HIDDEN, Move, finish_placing, place_all

_STAGING = "incoming"
_DEPTHS = {"aligned": 1, "aligned_trash": 0}
"""Folders below a faceset that travel with it; a model's all do."""


@dataclass(frozen=True)
class PullReport:
    """What `pull` did.

    Attributes:
        workspace: The folder.
        name: Name of the copy that was used.
        generation: Its number.
        files: Number of files written.
        files_unchanged: Number of files that were the same here already.
        bytes_read: Bytes fetched from the remote.
        set_aside: Files that differed here, by their new places below the workspace.
        dry_run: Nothing was fetched; the numbers say what would be.
        notes: Broken copies that were passed over.
    """

    workspace: Path
    name: str
    generation: int
    files: int
    files_unchanged: int
    bytes_read: int
    set_aside: tuple[str, ...]
    dry_run: bool
    notes: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        if self.dry_run:
            n_aside = len(self.set_aside)
            aside = f"; {n_aside} that differ here would be set aside" if n_aside else ""
            text = (
                f"{counted(self.files, 'file')} ({megabytes(self.bytes_read)}) of {self.name} would "
                f"be fetched to {self.workspace}{aside}."
            )
            return "\n".join([text, *self.notes])
        written = f"{counted(self.files, 'file')} written, {self.files_unchanged} the same already"
        lines = [f"{self.workspace} holds {self.name} now: {written}; every byte was compared."]
        if self.set_aside:
            what = counted(len(self.set_aside), "file")
            lines.append(f"Set aside in history/replaced/, since the copy has others: {what}.")
        return "\n".join([*lines, *self.notes])


def pull(
    remote: Remote | str | Path,
    workspace_path: Path,
    progress: Progress | None = None,
    *,
    generation: int | str = "",
    dry_run: bool = False,
) -> PullReport:
    """Bring the newest whole copy (or a named one) into `workspace_path`. Safe to run again.

    Args:
        remote: Folder, fsspec address or open remote.
        workspace_path: The workspace folder; made if missing.
        progress: Shows the bytes and carries the wish to stop.
        generation: Number or name of the wanted copy; it must be whole.
        dry_run: Only say what would be fetched.

    Raises:
        SyncError: There is no whole copy, or the remote does not answer.
        StorageError: This machine's disk is full or read-only.
        Interrupted: The user asked to stop; run it again to go on.
    """
    progress = progress or Progress()
    remote = remote if isinstance(remote, Remote) else Remote.open(remote)
    wanted = str(generation)
    names = chosen(list_generations(remote), wanted)
    if not names:
        raise no_such(remote, wanted)
    if dry_run:
        return _try_each(remote, names, workspace_path, progress, dry_run=True)
    finish_placing(workspace_path)
    with Memory(workspace_path).alone():
        return _try_each(remote, names, workspace_path, progress, dry_run=False)


def is_unfinished(workspace_path: Path) -> bool:
    """True if a pull into this folder was killed before its last file was in place."""
    return (workspace_path / HIDDEN / _STAGING).exists()


def _try_each(
    remote: Remote,
    names: Sequence[GenerationName],
    root: Path,
    progress: Progress,
    *,
    dry_run: bool,
) -> PullReport:
    """The first of some generations that arrives whole."""
    notes: list[str] = []
    for manifest in usable(remote, names, notes):
        job = _Pull(remote, manifest, root, progress)
        if dry_run:
            return job.report(notes, dry_run=True)
        try:
            job.run()
        except DamagedError as error:
            Damage(job.memory, remote).add(error.paths)
            notes.append(f"{manifest.name} was skipped: {str(error).rstrip('.')}.")
            continue
        return job.report(notes, dry_run=False)
    raise SyncError(
        f"{remote.name} holds no whole copy that could be used ({' '.join(notes)}); push again from a "
        "machine that has the files."
    )


class _Pull:
    """One generation on its way into one folder."""

    def __init__(self, remote: Remote, manifest: Manifest, root: Path, progress: Progress) -> None:
        self.remote = remote
        self.manifest = manifest
        self.root = root
        self.progress = progress
        self.memory = Memory(root)
        self.hashes: Hashes = self.memory.hashes()
        self.staging = self.memory.folder / _STAGING
        self.aside = root / "history" / "replaced" / str(manifest.name)
        self.needed = self._different()
        self.to_fetch = missing_files(self.needed, self.staging)
        self._staged = self._name_staged()
        self.moves = [
            Move(path, "", self._free_place(path))
            for path in dict.fromkeys([*self._extras(), *self._in_the_way()])
        ]
        self.moves += [
            Move(file.path, self._staged[file.path], self._free_place(file.path))
            for file in self.needed
        ]

    def _different(self) -> list[FileEntry]:
        """Files that are not here, or differ."""
        found: list[FileEntry] = []
        with self.progress.task("Comparing", total=len(self.manifest.files), unit="files") as task:
            for file in self.manifest.files:
                self.progress.raise_if_stopped()
                self._check_parent(file.path)
                if not self._is_same(file):
                    found.append(file)
                task.advance()
        return found

    def _is_same(self, file: FileEntry) -> bool:
        place = self.root / file.path
        if place.is_symlink() or not place.is_file():
            return False
        present = LocalFile.look(self.root, place)
        return present.size == file.size and self.hashes.sha256(present) == file.sha256

    def _check_parent(self, path: str) -> None:
        """Refuse a link that leads out of the workspace."""
        parent = (self.root / path).parent
        if not parent.resolve().is_relative_to(self.root.resolve()):
            raise UnsafeFileError(
                f"{parent} is a link that leads out of the workspace; remove the link."
            )

    def run(self) -> None:
        """Fetch what is missing, then put everything in place."""
        n_bytes = sum(file.size for file in self.to_fetch)
        with storage_errors(self.root):
            self.staging.mkdir(parents=True, exist_ok=True)
            check_space(self.root, n_bytes, f"the copy {self.manifest.name}")
            fetch(self.remote, self.to_fetch, self.staging, self.progress)
            self.progress.raise_if_stopped()
            self._make_ready()
            place_all(self.root, self.moves, staging=self.staging)
            self.memory.set_base(self.remote.name, Base.of(self.manifest))
            self.hashes.placed(self.root, self.needed)
            self.hashes.save(file.path for file in self.manifest.files)

    def _make_ready(self) -> None:
        """Copies of contents that occur twice, and the files' times as they were."""
        for file in self.needed:
            staged = self.root / self._staged[file.path]
            if staged.name != file.sha256:
                shutil.copyfile(staged_path(self.staging, file), staged)
            os.utime(staged, ns=(file.mtime_ns, file.mtime_ns))

    def _name_staged(self) -> dict[str, str]:
        """Staged file of every target: the content itself for the first, copies for others."""
        n_users: dict[str, int] = {}
        found: dict[str, str] = {}
        for file in self.needed:
            number = n_users[file.sha256] = n_users.get(file.sha256, 0) + 1
            common = staged_path(self.staging, file)
            own = common if number == 1 else common.with_name(f"{file.sha256}-{number}")
            found[file.path] = own.relative_to(self.root).as_posix()
        return found

    def _in_the_way(self) -> list[str]:
        """Files where folders are needed."""
        folders = {
            parent.as_posix() for file in self.needed for parent in PurePosixPath(file.path).parents
        }
        return sorted(
            path
            for path in folders
            if os.path.lexists(self.root / path) and not (self.root / path).is_dir()
        )

    def _extras(self) -> list[str]:
        """Files that this machine has and the copy has not, where both together make no sense.

        That is in facesets (two would mix, or a pack would hide loose faces) and in models.
        """
        present = {file.path for file in self.manifest.files}
        units = {unit for path in present for unit in [_unit_of(path)] if unit}
        found: list[str] = []
        for unit in sorted(units):
            for place in files_below(self.root / unit, depth=_DEPTHS.get(unit.split("/")[1])):
                path = place.relative_to(self.root).as_posix()
                if path not in present:
                    found.append(path)
        for path in found:
            self._check_parent(path)
        return found

    def _free_place(self, path: str) -> str:
        """Where the file that is now at `path` goes; "" if there is none."""
        if not os.path.lexists(self.root / path):
            return ""
        place = self.aside / path
        place = place.parent / free_name(place.parent, place.name)
        return place.relative_to(self.root).as_posix()

    def report(self, notes: Sequence[str], *, dry_run: bool) -> PullReport:
        """What is told to the user."""
        return PullReport(
            workspace=self.root,
            name=str(self.manifest.name),
            generation=self.manifest.name.number,
            files=len(self.needed),
            files_unchanged=len(self.manifest.files) - len(self.needed),
            bytes_read=sum(file.size for file in self.to_fetch),
            set_aside=tuple(move.aside for move in self.moves if move.aside),
            dry_run=dry_run,
            notes=tuple(notes),
        )


def _unit_of(path: str) -> str:
    """The faceset, trash or model to which a file belongs; "" for others."""
    parts = path.split("/")
    is_unit = len(parts) > 2 and (parts[0] == "model" or parts[1] in _DEPTHS)
    return "/".join(parts[:2]) if is_unit else ""
