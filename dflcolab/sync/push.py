# pyright: strict
"""Copy a workspace to a remote as a new generation.

Bytes first, each object read back and compared; then the manifest, which makes the generation exist.
What the newest generation holds with the same hash is referred to, not copied again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dflcolab.errors import SyncError
from dflcolab.progress import Progress
from dflcolab.sync.confirmed import Confirmed
from dflcolab.sync.damage import Damage
from dflcolab.sync.generations import (
    list_generations,
    newest_usable,
    proof_of_generation,
    usable,
    write_manifest,
)
from dflcolab.sync.lease import Lease
from dflcolab.sync.manifest import GenerationName, Manifest, ModelFacts, Stored
from dflcolab.sync.memory import Base, Hashes, Memory
from dflcolab.sync.plan import Known, Plan, Row
from dflcolab.sync.proof import Proof, meaning
from dflcolab.sync.remote import Remote
from dflcolab.sync.streams import PACK_BYTES, Stream
from dflcolab.sync.travelling import LocalFile, SourceChangedError, travelling_files
from dflcolab.sync.upload import Meter, Uploads, in_parallel, write_stream
from dflcolab.sync.writing import acquire
from dflcolab.words import counted, megabytes
from dflcolab.workspace.workspace import Workspace

_ATTEMPTS = 5
_ROOM_BYTES = 100 << 20  # copies below this need no word about the room for the next ones


@dataclass(frozen=True)
class PushReport:
    """What `push` did.

    Attributes:
        remote: Where to.
        name: Name of the copy that now holds the workspace; "" before the first one.
        generation: Its number.
        new_copy: False if there was nothing new to copy.
        files_copied: Number of files that were written.
        objects_copied: Number of objects that they were written as.
        bytes_copied: Their bytes.
        bytes_unchanged: Bytes that were there already.
        proof: How far the copy is proven.
        dry_run: Nothing was written; the numbers say what would be.
        table: The parts of the workspace.
        free_bytes: Room on the remote before; None if it does not tell.
        notes: Broken copies that were passed over, copies of other machines, and the like.
    """

    remote: str
    name: str
    generation: int
    new_copy: bool
    files_copied: int
    objects_copied: int
    bytes_copied: int
    bytes_unchanged: int
    proof: Proof
    dry_run: bool
    table: tuple[Row, ...]
    free_bytes: int | None
    notes: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines; for a dry run, a table."""
        new = f"{counted(self.files_copied, 'file')} ({megabytes(self.bytes_copied)})"
        if self.dry_run:
            objects = counted(self.objects_copied, "object")
            text = f"{new} would be copied to {self.remote} as {objects}"
            room = (
                ""
                if self.free_bytes is None
                else f"; {self.free_bytes / 1e9:.1f} GB are free there"
            )
            return "\n".join([*_table(self.table), f"{text}{room}.", *self.notes])
        if self.new_copy:
            text = (
                f"{self.remote}: {new} copied as {self.name}, "
                f"{megabytes(self.bytes_unchanged)} were there already"
            )
        else:
            text = f"{self.remote} has everything already ({self.name})"
        return "\n".join([f"{text}; {self.proof}. {meaning(self.proof)}", *self.notes])


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [f"{'':24}{'files':>9}{'MB':>11}{'new files':>11}{'new MB':>11}"]
    return lines + [
        f"{row.what:24}{row.files:>9}{row.size_bytes / 1e6:>11.1f}{row.new_files:>11}"
        f"{row.new_bytes / 1e6:>11.1f}"
        for row in rows
    ]


def push(
    workspace: Workspace,
    remote: Remote | str | Path,
    progress: Progress | None = None,
    *,
    merged: bool = False,
    keep: Callable[[str], bool] | None = None,
    models: Callable[[], Sequence[ModelFacts]] = tuple,
    dry_run: bool = False,
    lease: Lease | None = None,
    take_over: bool = False,
    copies_planned: int = 4,
    pack_bytes: int = PACK_BYTES,
) -> PushReport:
    """Copy everything that travels (see `travelling`) to the remote. Safe to run again at any time.

    Args:
        workspace: What to copy; it is only read, but for its hidden folder `.sync`.
        remote: Folder, fsspec address or open remote.
        progress: Shows the bytes and carries the wish to stop.
        merged: Copy merged frames too.
        keep: Which files of `model/` to copy (see `travelling_files`).
        models: Asked for the state of the models that the copy will hold.
        dry_run: Only say what would be copied.
        lease: The right to write, if the caller holds it; else it is taken for this copy.
        take_over: Take the lease from a machine that may be alive.
        copies_planned: Copies that will be kept, for a word about the room that they need.
        pack_bytes: Size of packs, and of the pieces of large files.

    Raises:
        SyncError: The remote is offline, full, read-only, being written by another machine, or gave
            back other bytes. Nothing here is lost, and the next call uses what has arrived.
        Interrupted: The user asked to stop.
    """
    remote = remote if isinstance(remote, Remote) else Remote.open(remote)
    job = _Push(workspace, remote, progress or Progress(), copies_planned)

    def plan() -> _Planned:
        files = travelling_files(workspace, merged=merged, keep=keep)
        return job.plan(files, tuple(models()), pack_bytes=pack_bytes)

    if dry_run:
        return job.report(plan(), dry_run=True)
    with job.memory.alone(), ExitStack() as stack:
        job.memory.keep_name()
        for attempt in range(_ATTEMPTS):
            try:
                planned = plan()
                if planned.held is not None:
                    return job.finish_unchanged(planned)
                if lease is None:
                    lease = stack.enter_context(job.acquire(planned.names, take_over=take_over))
                if list_generations(remote) != planned.names:
                    continue  # another machine finished a copy meanwhile
                return job.write(planned, lease)
            except SourceChangedError as error:
                job.hashes.forget(error.path)
                if attempt == _ATTEMPTS - 1:
                    raise
    raise SyncError(f"{remote.name} keeps changing; see that no other machine writes there.")


@dataclass(frozen=True)
class _Planned:
    """A plan, and the state of the remote for which it was made.

    Attributes:
        names: Generations that were there.
        base: What the workspace grew out of; what it holds, if `held` is known.
        plan: What is to be written.
        models: State of the models.
        held: The generation that holds the workspace as it is; None if there is none yet.
        notes: For the user.
    """

    names: list[GenerationName]
    base: Base
    plan: Plan
    models: tuple[ModelFacts, ...]
    held: Manifest | None
    notes: tuple[str, ...]


class _Push:
    """What is known of the workspace and the remote, and the steps of a push."""

    def __init__(
        self, workspace: Workspace, remote: Remote, progress: Progress, copies_planned: int
    ) -> None:
        self.workspace = workspace
        self.remote = remote
        self.progress = progress
        self.copies_planned = copies_planned
        self.memory = Memory(workspace.root)
        self.hashes: Hashes = self.memory.hashes()
        self.uploads = Uploads(self.memory, remote)
        self.damage = Damage(self.memory, remote)
        self.notes: list[str] = []

    def plan(
        self, files: Sequence[LocalFile], models: tuple[ModelFacts, ...], *, pack_bytes: int
    ) -> _Planned:
        """Compare the workspace with the newest generation, and with the one it grew out of."""
        notes: list[str] = []
        names = list_generations(self.remote)
        newest = newest_usable(self.remote, names, notes)
        base, own = self._base(names, newest)
        hashed = self._hash(files)
        damaged = self.damage.known()
        manifests = [manifest for manifest in (newest, own) if manifest is not None]
        known = Known.of(manifests, damaged=damaged)
        known.add(*self.uploads.known(damaged))
        plan = Plan.make(hashed, known, pack_bytes=pack_bytes)
        held = next(
            (m for m in manifests if m.contents == plan.contents and m.is_free_of(damaged)), None
        )
        if newest is not None and held is newest:
            base = Base.of(newest)
        elif newest is not None and str(newest.name) not in base.line:
            notes.append(_other_line(self.remote, newest, pushed=held is None))
        else:
            held = None  # it grew out of the newest, so it has to be newer than that
        return _Planned(names, base, plan, models, held, tuple(notes))

    def _base(
        self, names: Sequence[GenerationName], newest: Manifest | None
    ) -> tuple[Base, Manifest | None]:
        """What the workspace grew out of, and its manifest if it can still be used.

        A program that was killed right after it wrote a manifest could not note that it did.
        """
        base = self.memory.arrived(self.remote.name, [str(name) for name in names])
        base = base or self.memory.base(self.remote.name)
        if newest is not None and str(newest.name) == base.name:
            return base, newest
        own = [name for name in names if str(name) == base.name]
        return base, next(usable(self.remote, own, []), None)

    def _hash(self, files: Sequence[LocalFile]) -> list[tuple[LocalFile, str]]:
        total = sum(file.size for file in files if not self.hashes.is_known(file))
        with self.progress.task("Comparing", total=total >> 20, unit="MB") as task:
            meter = Meter(task, self.progress)
            meter.add(0)
            return [(file, self.hashes.sha256(file, on_bytes=meter.add)) for file in files]

    def acquire(self, names: Sequence[GenerationName], *, take_over: bool) -> Lease:
        """The right to write to the remote."""
        lease = acquire(
            self.remote,
            self.memory.client,
            self._ever(names),
            take_over=take_over,
            sightings=self.memory.sightings,
        )
        if lease.note:
            self.notes.append(lease.note)
        return lease

    def _ever(self, names: Sequence[GenerationName]) -> list[GenerationName]:
        """Those that are there and those that were: no name is given twice."""
        noted = map(GenerationName.parse, self.memory.noted(self.remote.name))
        return [*names, *(name for name in noted if name is not None)]

    def finish_unchanged(self, planned: _Planned) -> PushReport:
        """Nothing to write: only remember what is there."""
        self.memory.set_base(self.remote.name, planned.base)
        self._save_hashes(planned.plan)
        return self.report(planned)

    def write(self, planned: _Planned, lease: Lease) -> PushReport:
        """Write the objects, then the manifest."""
        plan = planned.plan
        free = self._room(plan)
        if free is not None and plan.n_bytes > free:
            raise SyncError(
                f"{self.remote.name} has {free >> 20} MB free and {plan.n_bytes >> 20} MB are to be "
                "copied; free some space there, empty its bin too, and push again."
            )
        number = max((name.number for name in self._ever(planned.names)), default=0) + 1
        total = sum(stream.n_bytes_to_move for stream in plan.streams)
        with self.progress.task("Copying and reading back", total=total >> 20, unit="MB") as task:

            def write(stream: Stream, meter: Meter) -> Stored:
                return write_stream(
                    self.remote, stream, number=number, uploads=self.uploads, meter=meter
                )

            stored = in_parallel(
                plan.streams,
                write,
                n_threads=self.remote.n_parallel,
                meter=Meter(task, self.progress),
            )
        self.damage.discard(one.path for one in stored)  # a damaged one of that name has gone
        objects, files = plan.entries(list(zip(plan.streams, stored, strict=True)))
        manifest = Manifest(
            name=GenerationName(lease.fence, number, self.memory.client),
            ancestors=planned.base.line,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            workspace=self.workspace.settings.name,
            models=planned.models,
            objects=objects,
            files=files,
        )
        self.progress.raise_if_stopped()
        lease.check()
        self.memory.announce(self.remote.name, Base.of(manifest))
        write_manifest(self.remote, manifest)
        self.memory.set_base(self.remote.name, Base.of(manifest))
        self.uploads.clear()
        self._save_hashes(plan)
        return self.report(replace(planned, held=manifest), new_copy=True, free=free)

    def _save_hashes(self, plan: Plan) -> None:
        self.hashes.save(file.path for file, _ in plan.files)

    def _room(self, plan: Plan) -> int | None:
        """Free bytes of a mounted folder; None elsewhere. Says so if the next copies may not fit."""
        root = self.remote.local_root
        if root is None:
            return None
        with self.remote.errors("measuring its free space"):
            place = next(folder for folder in (root, *root.parents) if folder.exists())
            free = shutil.disk_usage(place).free
        needed = plan.n_bytes * self.copies_planned
        if plan.n_bytes > _ROOM_BYTES and needed > free:
            self.notes.append(
                f"{self.remote.name} has {free / 1e9:.1f} GB free; {self.copies_planned} copies like "
                f"this one need {needed / 1e9:.1f} GB, and deleted ones count until its bin is emptied."
            )
        return free

    def report(
        self,
        planned: _Planned,
        *,
        new_copy: bool = False,
        dry_run: bool = False,
        free: int | None = None,
    ) -> PushReport:
        """What is told to the user."""
        plan, held = planned.plan, planned.held
        writes = new_copy or dry_run
        if dry_run and plan.streams:
            free = self._room(plan)
        new_bytes = plan.n_bytes if writes else 0
        new = plan.new_contents if writes else set[str]()
        return PushReport(
            remote=self.remote.name,
            name=str(held.name) if held else "",
            generation=held.name.number if held else 0,
            new_copy=new_copy,
            files_copied=sum(digest in new for _, digest in plan.files),
            objects_copied=len(plan.streams) if writes else 0,
            bytes_copied=new_bytes,
            bytes_unchanged=sum(file.size for file, digest in plan.files if digest not in new),
            proof=Proof.SAVED_HERE
            if dry_run or held is None
            else proof_of_generation(
                self.remote, held, Confirmed(self.memory, self.remote).known()
            ),
            dry_run=dry_run,
            table=plan.table(),
            free_bytes=free,
            notes=tuple(dict.fromkeys((*planned.notes, *self.notes))),
        )


def _other_line(remote: Remote, newest: Manifest, *, pushed: bool) -> str:
    """One sentence on a newest copy that did not come from this workspace."""
    text = (
        f"The newest copy on {remote.name} before, {newest.name} of {newest.created[:16]}, was not "
        "made from this workspace (another machine made it, or an older copy was restored here)"
    )
    if pushed:
        return f"{text}; both are kept, and `dflcolab sync restore --generation` brings it back."
    return f"{text}, which has not changed since; `dflcolab sync pull` brings it here."
