# pyright: strict
"""Remove old copies from a remote.

Lists go first, then the objects that they named and no other list names. An object that no list ever
named and that is young stays: it may belong to a copy that another machine is just making. Nothing
goes unless a newer copy is proven.

On a mounted Drive neither its mark "uploaded" nor a file's size proves anything: a copy can be lost or
altered on its way without this machine seeing it. There, what is older goes only if a newer copy stays
that this machine has confirmed (see `confirmed`). So that a long training does not fill the Drive, a
machine also thins out its own young copies that were never confirmed. Two machines do not work against
each other in this: a copy of another one counts as confirmed only at an age at which its maker does not
thin it out any more.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import FormatError
from dflcolab.progress import Progress
from dflcolab.sync.confirmed import Confirmed
from dflcolab.sync.damage import Damage
from dflcolab.sync.generations import (
    first_missing,
    list_generations,
    proof_of_generation,
    read_manifest,
    stored_path,
)
from dflcolab.sync.lease import Lease
from dflcolab.sync.manifest import GenerationName, Manifest, NewerVersionError, Stored
from dflcolab.sync.overview import OBJECT_FOLDERS
from dflcolab.sync.proof import Proof
from dflcolab.sync.remote import Remote
from dflcolab.sync.retention import Retention, kept_generations
from dflcolab.sync.waiting import Waiting
from dflcolab.sync.writing import acquire, shows_late
from dflcolab.words import counted, megabytes

GRACE_S = 24 * 3600.0
"""Age below which an object, or a list that cannot be read, may still be in the making."""
LATE_S = 3600.0
"""Time for which objects of removed copies stay on a Drive: no list that is shown later names them."""
THIN_S = 10 * 3600.0
"""Age up to which a machine removes its own unconfirmed copies from a Drive."""
SETTLED_S = 12 * 3600.0
"""Age from which another machine's copy may be relied on: its maker has stopped thinning it out, and
two hours are enough for a Drive to show what it did until then."""


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
    damage: Damage | None = None,
    confirmed: Confirmed | None = None,
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
        damage: Objects that were found altered: copies that use them do not count as whole.
        confirmed: Copies that this machine has confirmed, for a mounted Drive.
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
        seen = _Seen(
            damaged_paths=damage.known() if damage else frozenset(),
            confirmed=confirmed.known() if confirmed else frozenset(),
        )
        seen.look(remote, client, retention or Retention(), grace_s)
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
        damaged_paths: Objects that this machine found altered.
        confirmed: Names of the copies that this machine has confirmed.
        manifests: Those that can be read.
        kept: Why copies stay.
        going: Copies that go, newest first.
        broken: What is wrong with copies whose list or objects are missing.
        damaged: What is wrong with copies that use something altered.
        objects_stay: Some copy cannot be read, so nobody knows which objects it uses.
        relied_on: On a Drive, the newest confirmed copy: older ones may go.
    """

    damaged_paths: frozenset[str]
    confirmed: frozenset[str]
    manifests: dict[GenerationName, Manifest] = field(
        default_factory=dict[GenerationName, Manifest]
    )
    kept: dict[GenerationName, str] = field(default_factory=dict[GenerationName, str])
    going: list[GenerationName] = field(default_factory=list[GenerationName])
    broken: dict[GenerationName, str] = field(default_factory=dict[GenerationName, str])
    damaged: dict[GenerationName, str] = field(default_factory=dict[GenerationName, str])
    objects_stay: bool = False
    relied_on: GenerationName | None = None
    notes: list[str] = field(default_factory=list[str])

    def look(self, remote: Remote, client: str, retention: Retention, grace_s: float) -> None:
        """Read all lists and judge the copies."""
        names = list_generations(remote)
        for name in names:
            self.read(remote, name, grace_s)
        bad = {*self.broken, *self.damaged}
        whole = [manifest for name, manifest in self.manifests.items() if name not in bad]
        if shows_late(remote):
            may_go = self._may_go_from_drive(remote, whole, client)
        else:
            may_go = self._may_go(remote, whole, client, retention)
        safe = [manifest.name for manifest in whole if manifest.name not in may_go]
        self.kept.update(kept_generations(whole, retention, safe=safe))
        for name, problem in self.damaged.items():
            if name not in may_go:
                self.kept[name] = f"not whole ({problem}), but nothing newer is proven"
        self.going = [name for name in names if name not in self.kept]
        if shows_late(remote):
            self._say_what_waits(remote, safe, kept_generations(whole, retention, safe=[]))

    def _say_what_waits(
        self, remote: Remote, safe: Collection[GenerationName], wanted: Collection[GenerationName]
    ) -> None:
        """Say why a Drive holds more copies than the policy wants."""
        if self.relied_on is not None and self.relied_on not in wanted:
            self.kept[self.relied_on] = "the newest that is confirmed"
        if set(safe) - {*wanted, self.relied_on}:
            self.notes.append(
                f"Older copies stay on {remote.name} until a newer one has been confirmed. The last "
                "cell of the notebook does that, as does `sync verify` there."
            )

    def _may_go(
        self, remote: Remote, whole: list[Manifest], client: str, retention: Retention
    ) -> set[GenerationName]:
        """Copies that are older than the newest one that was read back."""
        proven = next((m.name for m in whole if _is_proven(remote, m, client)), None)
        if proven is None and len(whole) > retention.last:
            self.notes.append(
                f"Nothing older goes from {remote.name} before its newest copy is proven to be uploaded."
            )
        return {name for name in self.manifests if proven is not None and name < proven}

    def _may_go_from_drive(
        self, remote: Remote, whole: list[Manifest], client: str
    ) -> set[GenerationName]:
        """Copies older than the newest confirmed one, and what this machine thins out."""
        self.relied_on = confirmed = next(
            (m.name for m in whole if self._is_reliable(remote, m.name, client)), None
        )
        own = [manifest for manifest in whole if manifest.name.client == client]
        marked = next((m.name for m in own if _is_proven(remote, m, client)), None)

        def may_go(name: GenerationName) -> bool:
            if confirmed is not None and name <= confirmed:
                return name < confirmed
            if marked is None or name >= marked or name.client != client:
                return False
            age_s = remote.age_s(stored_path(name))
            return str(name) not in self.confirmed and age_s is not None and age_s < THIN_S

        return {name for name in self.manifests if may_go(name)}

    def _is_reliable(self, remote: Remote, name: GenerationName, client: str) -> bool:
        """True for a confirmed copy that no other machine removes before a newer one is confirmed."""
        return str(name) in self.confirmed and (
            name.client == client or _is_old(remote, stored_path(name), SETTLED_S)
        )

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
            self._look_for_damage(name)
            return
        self.broken[name] = problem
        if not _is_old(remote, stored_path(name), grace_s):
            self.kept[name] = f"not whole ({problem}), but perhaps still arriving"
            self.objects_stay = self.objects_stay or name not in self.manifests

    def _look_for_damage(self, name: GenerationName) -> None:
        """Note what a copy uses that was found altered."""
        altered = [
            stored.path
            for stored in self.manifests[name].objects
            if stored.path in self.damaged_paths
        ]
        if altered:
            self.damaged[name] = f"{altered[0]} is altered"

    def judged(self, name: GenerationName) -> Judged:
        """The verdict on a copy in words."""
        manifest = self.manifests.get(name)
        bad = self.broken.get(name) or self.damaged.get(name)
        reason = self.kept.get(name) or bad or "not kept by the policy"
        return Judged(str(name), manifest.created if manifest else "", reason)


def _is_proven(remote: Remote, manifest: Manifest, client: str) -> bool:
    """True if it has left the machine that wrote it, as far as that can be seen without reading it."""
    if manifest.name.client != client:
        return True
    return proof_of_generation(remote, manifest) in (
        Proof.UPLOADED,
        Proof.READ_BACK,
        Proof.CONFIRMED,
    )


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
