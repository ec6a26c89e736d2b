# pyright: strict
"""Remove old copies from a remote.

Lists go first, then the objects that they named and no other list names. An object that no list ever
named and that is young stays: it may belong to a copy that another machine is just making. Nothing
goes unless a newer copy is proven.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import FormatError
from dflcolab.progress import Progress
from dflcolab.sync.generations import first_missing, list_generations, read_manifest, stored_path
from dflcolab.sync.lease import Lease
from dflcolab.sync.manifest import GenerationName, Manifest, NewerVersionError, Stored
from dflcolab.sync.overview import OBJECT_FOLDERS
from dflcolab.sync.proof import Proof, proof_of
from dflcolab.sync.remote import Remote
from dflcolab.sync.retention import Retention, kept_generations
from dflcolab.sync.waiting import Waiting
from dflcolab.sync.words import counted, megabytes
from dflcolab.sync.writing import acquire, shows_late

GRACE_S = 24 * 3600.0
"""Age below which an object, or a list that cannot be read, may still be in the making."""
LATE_S = 3600.0
"""Time for which objects of removed copies stay on a Drive: no list that is shown later names them."""


@dataclass(frozen=True)
class Judged:
    """A copy, and why it stays or goes."""

    name: str
    created: str
    reason: str


@dataclass(frozen=True)
class PruneReport:
    """What `prune` did.

    Attributes:
        remote: Where.
        dry_run: Nothing was removed; the lists say what would be.
        kept: Copies that stay.
        removed: Copies that go.
        objects_removed: Number of objects that go.
        bytes_removed: Their bytes.
        notes: Why something that could go stays.
    """

    remote: str
    dry_run: bool
    kept: tuple[Judged, ...]
    removed: tuple[Judged, ...]
    objects_removed: int
    bytes_removed: int
    notes: tuple[str, ...]

    def summary(self) -> str:
        """Copies that go and that stay."""
        would = "would be removed" if self.dry_run else "removed"
        copies = counted(len(self.removed), "copy", "copies")
        what = f"{copies} and {counted(self.objects_removed, 'object')}"
        lines = [f"{self.remote}: {what} ({megabytes(self.bytes_removed)}) {would}."]
        lines += [f"  goes:  {row.name} {row.created[:16]} ({row.reason})" for row in self.removed]
        lines += [f"  stays: {row.name} {row.created[:16]} ({row.reason})" for row in self.kept]
        return "\n".join([*lines, *self.notes])


def prune(
    remote: Remote,
    client: str,
    retention: Retention | None = None,
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    lease: Lease | None = None,
    take_over: bool = False,
    sightings: Path | None = None,
    unused_since: Path | None = None,
    grace_s: float = GRACE_S,
) -> PruneReport:
    """Remove the copies that the policy does not keep, and what no copy uses.

    Args:
        remote: Where the copies are.
        client: Short name of this writer (see `Memory.client`).
        retention: The policy.
        progress: Carries the wish to stop.
        dry_run: Only say what would go.
        lease: The right to write, if the caller holds it.
        take_over: Take the lease from a machine that may be alive.
        sightings: File that remembers since when the lease's holder has been silent.
        unused_since: File that remembers since when objects have been unused, for places that show
            files of other machines late (see `waiting`).
        grace_s: Age that something which no list names must have to go.

    Raises:
        SyncError: The remote does not answer, or another machine writes there. What was not removed
            goes with the next call.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    with ExitStack() as stack:
        names = list_generations(remote)
        if lease is None and not dry_run and names:
            lease = stack.enter_context(
                acquire(remote, client, names, take_over=take_over, sightings=sightings)
            )
        seen = _Seen.look(remote, client, retention or Retention(), grace_s)
        if lease is not None and not dry_run:
            for name in reversed(seen.going):  # the oldest first
                progress.raise_if_stopped()
                lease.check()
                remote.delete(stored_path(name))
        waiting = Waiting(unused_since, remote.name) if shows_late(remote) else None
        dropped = waiting.known() if waiting else set[str]()
        unused = _unused_objects(remote, seen, dropped, grace_s, progress)
        if waiting is not None:
            unused = _ripe(waiting, remote, seen, unused, remember=not dry_run)
        if lease is not None and not dry_run:
            for path in unused:
                progress.raise_if_stopped()
                lease.check()
                remote.delete(path)
    return PruneReport(
        remote=remote.name,
        dry_run=dry_run,
        kept=tuple(seen.judged(name) for name in seen.kept),
        removed=tuple(seen.judged(name) for name in seen.going),
        objects_removed=len(unused),
        bytes_removed=sum(unused.values()),
        notes=tuple(seen.notes),
    )


@dataclass
class _Seen:
    """The copies of a remote and the verdict on each.

    Attributes:
        manifests: Those that can be read.
        kept: Why copies stay.
        going: Copies that go, newest first.
        objects_stay: Some copy cannot be read, so nobody knows which objects it uses.
    """

    manifests: dict[GenerationName, Manifest] = field(
        default_factory=dict[GenerationName, Manifest]
    )
    kept: dict[GenerationName, str] = field(default_factory=dict[GenerationName, str])
    going: list[GenerationName] = field(default_factory=list[GenerationName])
    broken: dict[GenerationName, str] = field(default_factory=dict[GenerationName, str])
    objects_stay: bool = False
    notes: list[str] = field(default_factory=list[str])

    @classmethod
    def look(cls, remote: Remote, client: str, retention: Retention, grace_s: float) -> _Seen:
        """Read all lists and judge the copies."""
        seen = cls()
        names = list_generations(remote)
        for name in names:
            seen.read(remote, name, grace_s)
        whole = [seen.manifests[n] for n in names if n in seen.manifests and n not in seen.broken]
        proven = next((m for m in whole if _is_proven(remote, m, client)), None)
        if proven is None:
            safe = [manifest.name for manifest in whole]
            if len(whole) > retention.last:
                seen.notes.append(
                    f"Nothing older goes from {remote.name} before its newest copy is proven to be "
                    "uploaded."
                )
        else:
            safe = [manifest.name for manifest in whole if manifest.name >= proven.name]
        seen.kept.update(kept_generations(whole, retention, safe=safe))
        seen.going = [name for name in names if name not in seen.kept]
        return seen

    def read(self, remote: Remote, name: GenerationName, grace_s: float) -> None:
        """Read one list; one that is broken may be in the making while it is young."""
        try:
            self.manifests[name] = read_manifest(remote, name)
            missing = first_missing(remote, self.manifests[name])
            problem = f"{missing} is missing" if missing else ""
        except NewerVersionError:
            self.kept[name] = "written by another version of dflcolab"
            self.objects_stay = True
            return
        except FormatError:
            problem = "its list is damaged"
        if not problem:
            return
        self.broken[name] = problem
        if not _is_old(remote, stored_path(name), grace_s):
            self.kept[name] = f"not whole ({problem}), but perhaps still arriving"
            self.objects_stay = self.objects_stay or name not in self.manifests

    def judged(self, name: GenerationName) -> Judged:
        """The verdict on a copy in words."""
        manifest = self.manifests.get(name)
        reason = self.kept.get(name) or self.broken.get(name) or "not kept by the policy"
        return Judged(str(name), manifest.created if manifest else "", reason)


def _is_proven(remote: Remote, manifest: Manifest, client: str) -> bool:
    """True if it certainly left the machine that wrote it.

    A Drive mount shows what other machines wrote only after it was uploaded.
    """
    if manifest.name.client != client:
        return True
    paths = [stored_path(manifest.name), *(stored.path for stored in manifest.objects)]
    return proof_of(remote, paths) in (Proof.UPLOADED, Proof.READ_BACK, Proof.CONFIRMED)


def _unused_objects(
    remote: Remote, seen: _Seen, dropped: Collection[str], grace_s: float, progress: Progress
) -> dict[str, int]:
    """Objects, with their sizes, that no remaining copy names: those of copies that go, and old ones."""
    going = set(seen.going)
    for name in list_generations(remote):
        if name not in seen.manifests and name not in seen.broken and name not in seen.kept:
            seen.read(remote, name, grace_s)  # it arrived meanwhile
    if seen.objects_stay:
        seen.notes.append(
            f"Objects on {remote.name} that may be unused stay, since some list cannot be read yet."
        )
        return {}
    used = {
        stored.path
        for name, manifest in seen.manifests.items()
        if name not in going
        for stored in manifest.objects
    }
    dropped = {*dropped, *(stored.path for name in going for stored in _objects_of(seen, name))}
    unused: dict[str, int] = {}
    for folder in OBJECT_FOLDERS:
        for path, size in sorted(remote.files_below(folder).items()):
            progress.raise_if_stopped()
            if path in used:
                continue
            if path in dropped or _is_old(remote, path, grace_s):
                unused[path] = size
    return unused


def _ripe(
    waiting: Waiting,
    remote: Remote,
    seen: _Seen,
    unused: dict[str, int],
    *,
    remember: bool,
) -> dict[str, int]:
    """Those objects that have been unused long enough, however late other lists are shown."""
    ripe = waiting.ripe(unused, wait_s=LATE_S, remember=remember)
    left = [size for path, size in unused.items() if path not in ripe]
    if left:
        seen.notes.append(
            f"No copy on {remote.name} uses {counted(len(left), 'object')} ({megabytes(sum(left))}) any "
            "more; that goes after an hour, since copies of other machines are shown late there."
        )
    return {path: size for path, size in unused.items() if path in ripe}


def _objects_of(seen: _Seen, name: GenerationName) -> tuple[Stored, ...]:
    manifest = seen.manifests.get(name)
    return manifest.objects if manifest else ()


def _is_old(remote: Remote, path: str, grace_s: float) -> bool:
    age_s = remote.age_s(path)
    return age_s is not None and age_s >= grace_s
