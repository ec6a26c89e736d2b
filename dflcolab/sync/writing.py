# pyright: strict
"""The right to write to a remote, as pushing and pruning take it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dflcolab.runtime.where import find_out
from dflcolab.sync.lease import Lease
from dflcolab.sync.manifest import GenerationName
from dflcolab.sync.proof import is_drive
from dflcolab.sync.remote import Remote

SETTLE_S = 5.0
"""What a Drive takes to show files of other machines, at best."""


def shows_late(remote: Remote) -> bool:
    """True for a mounted Drive: what other machines wrote is seen after a while only."""
    root = remote.local_root
    return root is not None and is_drive(root)


def acquire(
    remote: Remote,
    client: str,
    names: Sequence[GenerationName],
    *,
    take_over: bool = False,
    sightings: Path | None = None,
) -> Lease:
    """The lease of a remote; use it as a context manager.

    Args:
        remote: Where the copies are.
        client: Short name of this writer.
        names: Generations that are there: the lease's number is higher than theirs.
        take_over: Take it from a machine that may be alive.
        sightings: File that remembers since when its holder has been silent.

    Raises:
        SyncError: Another machine holds it, or the remote does not answer.
    """
    return Lease.acquire(
        remote,
        client,
        above=max((name.fence for name in names), default=0),
        take_over=take_over,
        sightings=sightings,
        place=find_out().place.value,
        settle_s=SETTLE_S if shows_late(remote) else 0.0,
    )
