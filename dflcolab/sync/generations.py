# pyright: strict
"""What copies a remote holds, and whether they are whole."""

from __future__ import annotations

from dataclasses import dataclass

from dflcolab.errors import FormatError, SyncError
from dflcolab.progress import Progress
from dflcolab.sync.manifest import Manifest, Part
from dflcolab.sync.remote import Remote, generation_name


@dataclass(frozen=True)
class GenerationInfo:
    """One copy on the remote.

    Attributes:
        generation: Its number.
        created: When it was written, ISO 8601 in UTC; "" if it was never finished.
        files: Number of files in it, those inside packs counted.
        size_bytes: Bytes that pulling it reads.
        complete: Its list is whole and every part is there with the right size.
        note: What is wrong with it.
    """

    generation: int
    created: str
    files: int
    size_bytes: int
    complete: bool
    note: str = ""


@dataclass(frozen=True)
class RemoteStatus:
    """The copies on a remote, newest first."""

    remote: str
    generations: tuple[GenerationInfo, ...]

    def summary(self) -> str:
        """One line per copy."""
        if not self.generations:
            return f"{self.remote} holds no copy yet."
        lines = [f"{self.remote} holds:"]
        for info in self.generations:
            what = f"{info.files} files, {info.size_bytes / 1e6:.1f} MB, {info.created}"
            lines.append(
                f"  {generation_name(info.generation)}: {what if info.complete else info.note}"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class VerifyReport:
    """What reading a copy byte by byte found."""

    remote: str
    generation: int
    parts: int
    size_bytes: int
    damaged: tuple[str, ...]

    def summary(self) -> str:
        """The finding in one line."""
        if self.damaged:
            return f"{generation_name(self.generation)} is damaged: {', '.join(self.damaged)}."
        return (
            f"{generation_name(self.generation)}: all {self.parts} parts "
            f"({self.size_bytes / 1e6:.1f} MB) match their hashes."
        )


def status(remote: Remote) -> RemoteStatus:
    """List all copies, newest first; sizes are compared, contents are not read.

    Raises:
        SyncError: The remote does not answer.
    """
    found: list[GenerationInfo] = []
    for number in reversed(remote.generation_numbers()):
        try:
            manifest = remote.read_manifest(number)
        except FormatError as error:
            found.append(GenerationInfo(number, "", 0, 0, False, str(error)))
            continue
        missing = first_missing(remote, manifest)
        found.append(
            GenerationInfo(
                generation=number,
                created=manifest.created,
                files=sum(entry.n_files for entry in manifest.entries),
                size_bytes=manifest.size,
                complete=missing is None,
                note="" if missing is None else f"{missing} is missing or has another size.",
            )
        )
    return RemoteStatus(remote.name, tuple(found))


def usable_manifests(remote: Remote, notes: list[str]) -> list[Manifest]:
    """Manifests of the copies that look whole, newest first; why others do not goes to `notes`."""
    found: list[Manifest] = []
    for number in reversed(remote.generation_numbers()):
        try:
            manifest = remote.read_manifest(number)
        except FormatError as error:
            notes.append(f"{generation_name(number)} was skipped: {error}")
            continue
        missing = first_missing(remote, manifest)
        if missing is None:
            found.append(manifest)
        else:
            notes.append(f"{generation_name(number)} was skipped: {missing} is missing or cut.")
    return found


def first_missing(remote: Remote, manifest: Manifest) -> str | None:
    """Name of a part that is not there with its size; None if all are."""
    for part in parts_of(manifest):
        if not remote.holds(part):
            return part.stored
    return None


def parts_of(manifest: Manifest) -> list[Part]:
    """All different parts of a copy."""
    return list(dict.fromkeys(part for entry in manifest.entries for part in entry.parts))


def verify(
    remote: Remote, *, generation: int | None = None, progress: Progress | None = None
) -> VerifyReport:
    """Read every byte of a copy and compare the hashes.

    Args:
        remote: Where the copies are.
        generation: Its number; the newest one when None.
        progress: Shows the reading.

    Raises:
        SyncError: There is no such copy, or the remote does not answer.
    """
    progress = progress or Progress()
    numbers = remote.generation_numbers()
    if not numbers or (generation is not None and generation not in numbers):
        raise SyncError(f"{remote.name} holds no such copy; `dflcolab sync status` lists them.")
    number = numbers[-1] if generation is None else generation
    try:
        parts = parts_of(remote.read_manifest(number))
    except FormatError as error:
        return VerifyReport(remote.name, number, 0, 0, (str(error),))
    damaged: list[str] = []
    with progress.task("Reading back", total=len(parts), unit="parts") as task:
        for part in parts:
            progress.raise_if_stopped()
            if not remote.matches(part):
                damaged.append(part.stored)
            task.advance()
    size = sum(part.size for part in parts)
    return VerifyReport(remote.name, number, len(parts), size, tuple(damaged))
