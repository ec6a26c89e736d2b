# pyright: strict
"""A shelf: a folder in which every workspace has a remote of its own, and the list of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from dflcolab.errors import DFLColabError, FormatError
from dflcolab.sync.generations import FOLDER, list_generations, read_manifest
from dflcolab.sync.manifest import GenerationName, Manifest, ModelFacts
from dflcolab.sync.remote import Remote
from dflcolab.words import counted, megabytes


@dataclass(frozen=True)
class StoredWorkspace:
    """A workspace on a shelf, as the list of its newest readable copy tells it.

    Attributes:
        name: Name of its folder, and of the workspace.
        created: When that copy was made, ISO 8601 in UTC; "" if no list can be read.
        size_bytes: Bytes of its files.
        copies: Number of copies.
        models: Its models.
        problem: Why nothing more is known; "" otherwise.
    """

    name: str
    created: str = ""
    size_bytes: int = 0
    copies: int = 0
    models: tuple[ModelFacts, ...] = ()
    problem: str = ""

    def line(self) -> str:
        """Everything in one line."""
        if self.problem:
            return f"{self.name}: {self.problem}"
        models = ", ".join(
            f"{model.name} at iteration {model.iteration}{' (pretraining)' * model.pretraining}"
            for model in self.models
        )
        parts = (
            self.created[:16].replace("T", " ") + " UTC",
            megabytes(self.size_bytes),
            counted(self.copies, "copy", "copies"),
            models or "no model yet",
        )
        return f"{self.name}: {', '.join(parts)}"


def stored_workspaces(shelf: Remote) -> tuple[StoredWorkspace, ...]:
    """The workspaces on a shelf, the newest first.

    One list is read for each; objects are not looked at, since a mounted Drive is slow.

    Args:
        shelf: The folder above the workspaces' remotes. It may be missing.

    Raises:
        SyncError: The shelf does not answer.
    """
    names = [name for name in shelf.names() if not name.startswith(".")]
    with ThreadPoolExecutor(shelf.n_parallel) as pool:
        looked = list(pool.map(_look, repeat(shelf), names))
    found = [stored for stored in looked if stored is not None]
    return tuple(sorted(found, key=lambda stored: (stored.created, stored.name), reverse=True))


def _look(shelf: Remote, name: str) -> StoredWorkspace | None:
    """What is known of one; None for a folder (or file) that is no remote of a workspace."""
    remote = Remote(shelf.fs, shelf.path(name), f"{shelf.name}/{name}")
    try:
        names = list_generations(remote) if FOLDER in remote.names() else []
        if not names:
            return None
        manifest = newest_readable(remote, names)
    except DFLColabError as error:
        return StoredWorkspace(name, problem=str(error))
    if manifest is None:
        return StoredWorkspace(name, problem="no list of a copy can be read.")
    return StoredWorkspace(
        name,
        created=manifest.created,
        size_bytes=manifest.size,
        copies=len(names),
        models=manifest.models,
    )


def newest_readable(remote: Remote, names: Sequence[GenerationName]) -> Manifest | None:
    """The first list of `names` that can be read; None without any.

    Raises:
        SyncError: The remote does not answer.
    """
    for name in names:
        try:
            return read_manifest(remote, name)
        except FormatError:
            continue
    return None
