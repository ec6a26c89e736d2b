# pyright: strict
"""Read every byte of copies on a remote and compare the hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dflcolab.errors import FormatError
from dflcolab.progress import Progress
from dflcolab.sync.confirmed import Confirmed
from dflcolab.sync.damage import Damage
from dflcolab.sync.generations import chosen, list_generations, no_such, read_manifest
from dflcolab.sync.manifest import Manifest, Stored
from dflcolab.sync.memory import Memory
from dflcolab.sync.proof import Proof, is_drive, meaning
from dflcolab.sync.remote import Remote
from dflcolab.sync.upload import Meter, Uploads, in_parallel
from dflcolab.words import counted, megabytes


@dataclass(frozen=True)
class VerifyReport:
    """What reading copies byte by byte found.

    Attributes:
        remote: Where they are.
        generations: Their names.
        objects: Number of objects read.
        size_bytes: Their bytes.
        damaged: Objects that are missing or altered, and lists that cannot be read.
        damaged_generations: Copies that cannot be brought back whole.
        proof: How far that proves the others; None where the bytes may have come from the cache of
            this machine's Drive mount.
        notes: What came of it.
    """

    remote: str
    generations: tuple[str, ...]
    objects: int
    size_bytes: int
    damaged: tuple[str, ...]
    damaged_generations: tuple[str, ...]
    proof: Proof | None = None
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """The finding in a few lines."""
        what = ", ".join(self.generations)
        if self.damaged:
            return (
                f"Damaged on {self.remote}: {', '.join(self.damaged)}. Not whole any more: "
                f"{', '.join(self.damaged_generations)}; the next push makes a whole copy again."
            )
        read = f"{counted(self.objects, 'object')} ({megabytes(self.size_bytes)})"
        proof = (
            "They may have come from the cache of this machine's Drive mount. The last cell of the "
            "notebook connects it anew and looks again."
            if self.proof is None
            else f"That is {self.proof}. {meaning(self.proof)}"
        )
        text = f"{what}: {read} read, every byte matches its hash. {proof}"
        return "\n".join([text, *self.notes])

    def note(self, memory: Memory, remote: Remote) -> None:
        """Remember what was found, for the next push and prune."""
        Damage(memory, remote).add(self.damaged)
        if self.damaged:
            # What an unfinished push noted as written may be no better; what is, is found by its name.
            Uploads(memory, remote).clear()
        if self.proof is Proof.CONFIRMED:
            Confirmed(memory, remote).add(set(self.generations) - set(self.damaged_generations))


def verify(
    remote: Remote,
    *,
    generation: int | str = "",
    every: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> VerifyReport:
    """Read every byte of one copy, or of all.

    Args:
        remote: Where the copies are.
        generation: Number or name of one; the newest one when empty.
        every: Read all copies; what several share is read once.
        fresh: The Drive's mount was made anew, after everything had been uploaded.
        progress: Shows the reading and carries the wish to stop.

    Raises:
        SyncError: There is no such copy, or the remote does not answer.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    names = chosen(list_generations(remote), str(generation))
    if not names:
        raise no_such(remote, str(generation))
    manifests: list[Manifest] = []
    unreadable: list[str] = []
    for name in names if every else names[:1]:
        try:
            manifests.append(read_manifest(remote, name))
        except FormatError:
            unreadable.append(str(name))
    objects = list({stored.path: stored for m in manifests for stored in m.objects}.values())
    bad = _altered(remote, objects, progress)
    hurt = [str(m.name) for m in manifests if any(stored.path in bad for stored in m.objects)]
    return VerifyReport(
        remote=remote.name,
        generations=tuple(str(name) for name in (names if every else names[:1])),
        objects=len(objects),
        size_bytes=sum(stored.size for stored in objects),
        damaged=(*sorted(bad), *(f"the list of {name}" for name in unreadable)),
        damaged_generations=(*hurt, *unreadable),
        proof=_proof(remote, fresh=fresh),
    )


def _proof(remote: Remote, *, fresh: bool) -> Proof | None:
    """What having read everything proves."""
    if fresh or remote.local_root is None:
        return Proof.CONFIRMED
    return None if is_drive(remote.local_root) else Proof.READ_BACK


def _altered(remote: Remote, objects: Sequence[Stored], progress: Progress) -> set[str]:
    total = sum(stored.size for stored in objects)

    def matches(stored: Stored, meter: Meter) -> bool:
        return remote.matches(stored, on_bytes=meter.add)

    with progress.task("Reading back", total=total >> 20, unit="MB") as task:
        meter = Meter(task, progress)
        meter.add(0)
        good = in_parallel(objects, matches, n_threads=remote.n_parallel, meter=meter)
    return {stored.path for stored, is_good in zip(objects, good, strict=True) if not is_good}
