# pyright: strict
"""Bring files of a generation to this machine: into a staging folder, each compared with its hash.

Large files go on where an interrupted fetch ended; small ones are read out of their packs in one pass,
and only those that are wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dflcolab.files import sha256_of, storage_errors
from dflcolab.progress import Progress
from dflcolab.sync.manifest import FileEntry, Span
from dflcolab.sync.remote import DamagedError, Remote
from dflcolab.sync.streams import LARGE_BYTES
from dflcolab.sync.upload import Meter, in_parallel


@dataclass(frozen=True)
class _Job:
    """Files that are fetched by one thread: a large one, or small ones of one object."""

    files: tuple[FileEntry, ...]
    stored: str


def staged_path(staging: Path, file: FileEntry) -> Path:
    """Where the content of a file waits."""
    return staging / file.sha256


def missing_files(files: Sequence[FileEntry], staging: Path) -> list[FileEntry]:
    """Those whose content is not in the staging folder yet, each content once."""
    wanted = {file.sha256: file for file in files}
    return [file for file in wanted.values() if not _is_staged(staging, file)]


def fetch(remote: Remote, files: Sequence[FileEntry], staging: Path, progress: Progress) -> None:
    """Fetch the contents of files (see `missing_files`).

    Args:
        remote: Where they are.
        files: Files of a manifest, no content twice.
        staging: An existing folder; a content's name there is its hash.
        progress: Shows the bytes and carries the wish to stop.

    Raises:
        DamagedError: Something on the remote is missing or altered.
        SyncError: The remote does not answer.
        StorageError: This machine's disk is full.
        Interrupted: The user asked to stop.
    """
    progress.raise_if_stopped()
    total = sum(file.size for file in files)

    def work(job: _Job, meter: Meter) -> None:
        with storage_errors(staging):
            if job.stored:
                _fetch_small(remote, job, staging, meter)
            else:
                _fetch_large(remote, job.files[0], staging, meter)

    with progress.task("Fetching", total=total >> 20, unit="MB") as task:
        in_parallel(_jobs(files), work, n_threads=remote.n_parallel, meter=Meter(task, progress))


def _jobs(files: Sequence[FileEntry]) -> list[_Job]:
    large: list[_Job] = []
    small: dict[str, list[FileEntry]] = {}
    for file in files:
        if len(file.spans) == 1 and file.size < LARGE_BYTES:
            small.setdefault(file.spans[0].path, []).append(file)
        else:
            large.append(_Job((file,), ""))
    for members in small.values():
        members.sort(key=lambda file: file.spans[0].offset)
    return large + [_Job(tuple(members), stored) for stored, members in small.items()]


def _fetch_small(remote: Remote, job: _Job, staging: Path, meter: Meter) -> None:
    ranges = [(file.spans[0].offset, file.size) for file in job.files]
    pieces = remote.read_ranges(job.stored, ranges)
    for file, piece in zip(job.files, pieces, strict=True):
        if hashlib.sha256(piece).hexdigest() != file.sha256:
            raise DamagedError(f"{job.stored} is damaged ({file.path})", [job.stored])
        # Not synced one by one: `place_all` does it for all.
        staged_path(staging, file).write_bytes(piece)
        meter.add(len(piece))


def _fetch_large(remote: Remote, file: FileEntry, staging: Path, meter: Meter) -> None:
    target = staged_path(staging, file)
    part = target.with_suffix(".part")
    digest, have = hashlib.sha256(), 0
    with part.open("ab+") as stream:
        stream.seek(0)
        while piece := stream.read(1 << 20):
            digest.update(piece)
            have += len(piece)
        meter.add(have)
        for span in _rest(file.spans, have):
            for piece in remote.read(span.path, offset=span.offset, size=span.size):
                digest.update(piece)
                have += len(piece)
                stream.write(piece)
                meter.add(len(piece))
    if (have, digest.hexdigest()) != (file.size, file.sha256):
        part.unlink()
        paths = list(dict.fromkeys(span.path for span in file.spans))
        raise DamagedError(f"{', '.join(paths) or file.path} is damaged ({file.path})", paths)
    part.replace(target)


def _rest(spans: Sequence[Span], have: int) -> Iterator[Span]:
    """The spans without their first `have` bytes."""
    for span in spans:
        skipped = min(have, span.size)
        have -= skipped
        if skipped < span.size:
            yield Span(span.path, span.offset + skipped, span.size - skipped)


def _is_staged(staging: Path, file: FileEntry) -> bool:
    path = staged_path(staging, file)
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256
