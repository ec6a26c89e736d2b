# pyright: strict
"""What copies a remote holds: in short (`status`), and one by one (`log`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dflcolab.errors import FormatError
from dflcolab.sync.generations import (
    FOLDER,
    apart,
    first_missing,
    list_generations,
    proof_of_generation,
    read_manifest,
)
from dflcolab.sync.manifest import GenerationName, Manifest, ModelFacts
from dflcolab.sync.memory import Base
from dflcolab.sync.proof import Proof, meaning
from dflcolab.sync.remote import MANY_ENTRIES, Remote
from dflcolab.sync.writing import shows_late
from dflcolab.words import counted, megabytes

OBJECT_FOLDERS = ("packs", "objects", "files")


@dataclass(frozen=True)
class GenerationInfo:
    """One copy on the remote.

    Attributes:
        name: Its name.
        generation: Its number.
        client: Who wrote it.
        created: When, ISO 8601 in UTC by the writer's clock; "" if its list cannot be read.
        files: Number of files in it.
        size_bytes: Their bytes.
        own_bytes: Bytes of objects that no older copy uses.
        models: Its models.
        complete: Its list is whole and every object is there with the right size.
        apart: The newest copy did not grow out of it.
        note: What is wrong with it.
    """

    name: str
    generation: int
    client: str
    created: str
    files: int
    size_bytes: int
    own_bytes: int
    models: tuple[ModelFacts, ...]
    complete: bool
    apart: bool
    note: str = ""

    def line(self) -> str:
        """Everything in one line."""
        if not self.complete:
            return f"  {self.name}: {self.note}"
        models = "".join(f", {_model(model)}" for model in self.models)
        return (
            f"{'* ' if self.apart else '  '}{self.name}: {self.created[:16].replace('T', ' ')}, "
            f"{counted(self.files, 'file')}, {megabytes(self.size_bytes)} ({megabytes(self.own_bytes)} new)"
            f"{models}"
        )


def _model(facts: ModelFacts) -> str:
    loss = "" if facts.held_out_loss is None else f" (held-out {facts.held_out_loss:.4f})"
    phase = " pretraining" if facts.pretraining else ""
    return f"{facts.name}{phase} at {facts.iteration}{loss}"


@dataclass(frozen=True)
class RemoteStatus:
    """What a remote holds and how this workspace stands to it.

    Attributes:
        remote: Where.
        generations: The copies, newest first.
        stored_bytes: Bytes of all objects that copies use, each counted once.
        objects: Their number.
        proof: How far the newest whole copy is proven; None if there is none.
        here: Name of the copy that this workspace holds or grew out of; "" if unknown.
        notes: What deserves attention.
    """

    remote: str
    generations: tuple[GenerationInfo, ...]
    stored_bytes: int
    objects: int
    proof: Proof | None
    here: str
    notes: tuple[str, ...]

    def summary(self) -> str:
        """A few lines."""
        if not self.generations:
            return f"{self.remote} holds no copy yet."
        whole = [info for info in self.generations if info.complete]
        size = f"{counted(self.objects, 'object')}, {megabytes(self.stored_bytes)}"
        copies = counted(len(whole), "whole copy", "whole copies")
        lines = [f"{self.remote} holds {copies} in {size}."]
        if whole and self.proof is not None:
            lines.append(f"Newest: {whole[0].line().strip('* ')}.")
            lines.append(f"It is {self.proof}. {meaning(self.proof)}")
        return "\n".join([*lines, *self.notes])


@dataclass(frozen=True)
class LogReport:
    """The copies on a remote, newest first."""

    remote: str
    generations: tuple[GenerationInfo, ...]

    def summary(self) -> str:
        """One line per copy."""
        if not self.generations:
            return f"{self.remote} holds no copy yet."
        lines = [f"{self.remote} holds:", *(info.line() for info in self.generations)]
        if any(info.apart and info.complete for info in self.generations):
            lines.append(
                "* The newest copy did not grow out of these: another machine made them, or an older "
                "copy was restored. `dflcolab sync restore --generation NAME` brings one back."
            )
        return "\n".join(lines)


def log(remote: Remote) -> LogReport:
    """List all copies; sizes are compared, contents are not read.

    Raises:
        SyncError: The remote does not answer.
    """
    infos, _ = _look(remote)
    return LogReport(remote.name, infos)


def status(
    remote: Remote, base: Base | None = None, confirmed: Collection[str] = ()
) -> RemoteStatus:
    """What the remote holds, in short; sizes are compared, contents are not read.

    Args:
        remote: Where to look.
        base: What this workspace holds or grew out of.
        confirmed: Names of copies that this machine has confirmed.

    Raises:
        SyncError: The remote does not answer.
    """
    infos, manifests = _look(remote)
    objects = {stored.path: stored.size for m in manifests for stored in m.objects}
    newest = _newest(infos, manifests)
    notes = _notes(remote, infos, newest, base)
    proof = proof_of_generation(remote, newest, confirmed) if newest is not None else None
    if newest is not None and shows_late(remote) and proof is not Proof.CONFIRMED:
        notes.append(
            "Until it has been confirmed, older copies stay as well: the last cell of the notebook "
            "confirms it, as does `sync verify` there."
        )
    return RemoteStatus(
        remote=remote.name,
        generations=infos,
        stored_bytes=sum(objects.values()),
        objects=len(objects),
        proof=proof,
        here=base.name if base else "",
        notes=tuple(notes),
    )


def _newest(infos: tuple[GenerationInfo, ...], manifests: list[Manifest]) -> Manifest | None:
    """The newest whole one."""
    whole = {info.name for info in infos if info.complete}
    return next((manifest for manifest in manifests if str(manifest.name) in whole), None)


def _notes(
    remote: Remote,
    infos: tuple[GenerationInfo, ...],
    newest: Manifest | None,
    base: Base | None,
) -> list[str]:
    notes = [f"{info.name}: {info.note}" for info in infos if not info.complete]
    others = [info.name for info in infos if info.apart and info.complete]
    if others:
        notes.append(
            f"Kept beside it, since it did not grow out of them: {', '.join(others)}. Another machine "
            "made them, or an older copy was restored; `dflcolab sync restore --generation NAME` "
            "brings one back."
        )
    if base is not None and base.name and newest is not None and base.name != str(newest.name):
        behind = base.name in newest.ancestors
        notes.append(
            f"This workspace holds {base.name}, which is "
            f"{'older' if behind else 'not in the line of the newest'}; "
            "`dflcolab sync pull` brings the newest (what differs here is set aside)."
        )
    for folder in (FOLDER, *OBJECT_FOLDERS):
        n_entries = len(remote.names(folder))
        if n_entries > MANY_ENTRIES:
            notes.append(
                f"{remote.name}/{folder} has {n_entries} entries, which makes a mounted Drive slow; "
                "`dflcolab sync prune` removes what no copy uses."
            )
    return notes


def _look(remote: Remote) -> tuple[tuple[GenerationInfo, ...], list[Manifest]]:
    """All copies, and the manifests that can be read; newest first."""
    names = list_generations(remote)
    manifests: dict[GenerationName, Manifest] = {}
    problems: dict[GenerationName, str] = {}
    for name in names:
        try:
            manifests[name] = read_manifest(remote, name)
        except FormatError as error:
            problems[name] = str(error)
            continue
        missing = first_missing(remote, manifests[name])
        if missing is not None:
            problems[name] = f"{missing} is missing or has another size."
    newest = next((m for name, m in manifests.items() if name not in problems), None)
    others = set(apart(names, newest)) if newest else set[GenerationName]()
    own = _own_bytes(list(manifests.values()))
    infos = tuple(
        _info(name, manifests.get(name), own.get(name, 0), problems.get(name, ""), name in others)
        for name in names
    )
    return infos, list(manifests.values())


def _info(
    name: GenerationName, manifest: Manifest | None, own_bytes: int, problem: str, is_apart: bool
) -> GenerationInfo:
    return GenerationInfo(
        name=str(name),
        generation=name.number,
        client=name.client,
        created=manifest.created if manifest else "",
        files=len(manifest.files) if manifest else 0,
        size_bytes=manifest.size if manifest else 0,
        own_bytes=own_bytes,
        models=manifest.models if manifest else (),
        complete=not problem,
        apart=is_apart,
        note=problem,
    )


def _own_bytes(manifests: list[Manifest]) -> dict[GenerationName, int]:
    """Bytes that each one added."""
    seen: set[str] = set()
    found: dict[GenerationName, int] = {}
    for manifest in reversed(manifests):
        new = {stored.path: stored.size for stored in manifest.objects if stored.path not in seen}
        seen |= new.keys()
        found[manifest.name] = sum(new.values())
    return found
