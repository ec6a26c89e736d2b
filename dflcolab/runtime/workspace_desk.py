# pyright: strict
"""What the workspace panel may do: look, copy, and open another workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dflcolab.errors import JobError, SyncError
from dflcolab.progress import Progress
from dflcolab.runtime.job import Job
from dflcolab.runtime.storage import Storage
from dflcolab.runtime.workspace_look import NO_STORAGE, WorkspaceLook, look_at
from dflcolab.workspace.settings import FILE_NAME
from dflcolab.workspace.workspace import Workspace


@dataclass(frozen=True)
class WorkspaceDesk:
    """A session's workspaces.

    Attributes:
        workspace: Tells which one is open.
        storage: Tells where copies are; None without.
        pick: Opens the workspace of a name, fetched if need be, and returns what there is to say.
    """

    workspace: Callable[[], Workspace]
    storage: Callable[[], Storage | None]
    pick: Callable[[str, Progress], str]

    def look(self, progress: Progress) -> WorkspaceLook:
        """The open workspace as it is now."""
        return look_at(self.workspace(), self.storage(), progress)

    def choices(self) -> list[tuple[str, str]]:
        """What could be opened: a line about it, and its name; stored ones first, the newest first.

        Raises:
            SyncError: The storage does not answer.
        """
        storage = self.storage()
        stored = () if storage is None else storage.workspaces()
        found = {entry.name: entry.line() for entry in stored}
        for path in sorted(self.workspace().root.parent.iterdir()):
            if (path / FILE_NAME).is_file() and path.name not in found:
                found[path.name] = f"{path.name}: on this machine only"
        return [(line, name) for name, line in found.items()]

    def open(self, name: str, progress: Progress) -> str:
        """Open another workspace in place of this one.

        Raises:
            JobError: Something runs in this one, and its cell waits for it.
            SyncError: The storage does not answer, or no copy is whole.
        """
        running = Job.running_in(self.workspace().root)
        if running is not None:
            raise JobError(running.busy_sentence())
        return self.pick(name, progress)

    def copy(self, progress: Progress) -> str:
        """Copy what is new.

        Raises:
            SyncError: No storage is connected, or it is offline, full, or written by another machine.
        """
        storage = self.storage()
        if storage is None:
            raise SyncError(f"{NO_STORAGE} Run the cell “Connect storage” with a folder first.")
        return storage.push(self.workspace(), progress).summary()
