# pyright: strict
"""The generations of a remote: their names, their manifests, which of them can be used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from dflcolab.errors import FormatError, SyncError
from dflcolab.sync.manifest import (
    MAX_BYTES,
    GenerationName,
    Manifest,
    Stored,
    from_json,
    to_json,
)
from dflcolab.sync.proof import Proof, proof_of
from dflcolab.sync.remote import Remote

FOLDER = "generations"
_OLD_LAYOUT = re.compile(r"gen-\d{6,}")


def list_generations(remote: Remote) -> list[GenerationName]:
    """Names of all generations, newest first, whole or not.

    Raises:
        SyncError: The remote does not answer, or holds copies that this version cannot read.
    """
    names = remote.names(FOLDER)
    if not names and any(_OLD_LAYOUT.fullmatch(name) for name in remote.names()):
        raise SyncError(
            f"{remote.name} holds copies of a test version of dflcolab that are not read any more; "
            "choose an empty folder."
        )
    found = [GenerationName.parse(name.removesuffix(".json")) for name in names]
    return sorted((name for name in found if name is not None), reverse=True)


def stored_path(name: GenerationName) -> str:
    """Where a manifest lies."""
    return f"{FOLDER}/{name}.json"


def read_manifest(remote: Remote, name: GenerationName) -> Manifest:
    """The manifest of a generation.

    Raises:
        FormatError: It is missing, half-written or damaged.
        SyncError: The remote does not answer.
    """
    path = stored_path(name)
    data = b"".join(remote.read(path, size=MAX_BYTES + 1))
    if len(data) > MAX_BYTES:
        raise FormatError(f"The list {path} is too large to be one.")
    manifest = from_json(data, source=f"{remote.name}/{path}")
    if manifest.name != name:
        raise FormatError(f"The list {path} belongs to {manifest.name}; it cannot be used.")
    return manifest


def write_manifest(remote: Remote, manifest: Manifest) -> None:
    """Write the manifest and read it back; the generation exists from then on.

    Raises:
        SyncError: The remote does not answer, or an object went meanwhile (another machine tidied
            up); the generation is withdrawn then.
    """
    data = to_json(manifest)
    path = stored_path(manifest.name)
    remote.write_new(Stored(path, len(data), hashlib.sha256(data).hexdigest()), [data])
    missing = first_missing(remote, manifest)
    if missing is not None:
        remote.delete(path)
        raise SyncError(f"{missing} went from {remote.name} while copying; run push again.")


def usable(remote: Remote, names: Sequence[GenerationName], notes: list[str]) -> Iterator[Manifest]:
    """Manifests of the generations that look whole, in the given order.

    Args:
        remote: Where they are.
        names: Which to look at.
        notes: Gets a sentence for each one that was passed over.
    """
    for name in names:
        try:
            manifest = read_manifest(remote, name)
        except FormatError as error:
            notes.append(f"{name} was skipped: {error}")
            continue
        missing = first_missing(remote, manifest)
        if missing is None:
            yield manifest
        else:
            notes.append(f"{name} was skipped: {missing} is missing or cut.")


def newest_usable(
    remote: Remote, names: Sequence[GenerationName], notes: list[str]
) -> Manifest | None:
    """The first of `names` that looks whole."""
    return next(usable(remote, names, notes), None)


def first_missing(remote: Remote, manifest: Manifest) -> str | None:
    """Path of an object that is not there with its size; None if all are."""
    with ThreadPoolExecutor(remote.n_parallel) as pool:
        held = pool.map(remote.holds, manifest.objects)
        return next(
            (
                stored.path
                for stored, there in zip(manifest.objects, held, strict=True)
                if not there
            ),
            None,
        )


def proof_of_generation(
    remote: Remote, manifest: Manifest, confirmed: Collection[str] = ()
) -> Proof:
    """How far a copy is proven, as far as that can be seen without reading it.

    Args:
        remote: Where it is.
        manifest: Of the copy.
        confirmed: Names of copies that this machine has confirmed.
    """
    if str(manifest.name) in confirmed:
        return Proof.CONFIRMED
    return proof_of(
        remote, [stored_path(manifest.name), *(stored.path for stored in manifest.objects)]
    )


def apart(names: Sequence[GenerationName], newest: Manifest) -> list[GenerationName]:
    """Generations that the newest one did not grow out of: another machine's, or a restored line's."""
    line = {str(newest.name), *newest.ancestors}
    return [name for name in names if str(name) not in line]


def chosen(names: Sequence[GenerationName], wanted: str) -> list[GenerationName]:
    """Those that a user means by a number or a whole name; all if `wanted` is empty."""
    if not wanted:
        return list(names)
    return [
        name
        for name in names
        if str(name) == wanted or (wanted.isdigit() and name.number == int(wanted))
    ]


def no_such(remote: Remote, wanted: str) -> SyncError:
    """The sentence for a generation that is not there."""
    return SyncError(
        f"{remote.name} holds no copy {wanted}; `dflcolab sync log` lists those that it holds."
        if wanted
        else f"{remote.name} holds no copy of a workspace yet; push one first, or check the address."
    )
