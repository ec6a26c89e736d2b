"""The connected storage of a notebook session: where copies of workspaces go and come from."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from dflcolab.errors import DFLColabError, Interrupted
from dflcolab.pipeline.sync import confirm_newest, push_workspace
from dflcolab.progress import Progress
from dflcolab.runtime.drive import Drive
from dflcolab.runtime.show import show_text
from dflcolab.sync.confirmed import Confirmed
from dflcolab.sync.generations import list_generations, proof_of_generation
from dflcolab.sync.memory import Memory
from dflcolab.sync.proof import meaning
from dflcolab.sync.pull import is_unfinished, pull
from dflcolab.sync.push import PushReport
from dflcolab.sync.remote import Remote
from dflcolab.sync.retention import Retention
from dflcolab.sync.shelf import StoredWorkspace, newest_readable, stored_workspaces
from dflcolab.sync.verify import VerifyReport
from dflcolab.sync.writing import shows_late
from dflcolab.words import as_size, counted
from dflcolab.workspace.workspace import Workspace

_FOLDER = "dflcolab"


class Storage:
    """A mounted drive or folder.

    Args:
        drive: The drive; it is mounted already.
        folder: The user's folder on it.
    """

    def __init__(self, drive: Drive, folder: Path) -> None:
        self._drive = drive
        self.folder = folder

    @property
    def shelf(self) -> Path:
        """Folder with one folder per workspace."""
        return self.folder / _FOLDER

    def fetch_if_new(self, root: Path, progress: Progress) -> str:
        """Bring the newest whole copy to `root` if this machine has none, or half of one.

        Returns:
            What was brought; "" for nothing.

        Raises:
            SyncError: The storage does not answer, or no copy is whole.
        """
        if (root / "workspace.toml").exists() and not is_unfinished(root):
            return ""
        remote = Remote.open(self.shelf / root.name)
        with self._drive.copying():
            return pull(remote, root, progress).summary() if list_generations(remote) else ""

    def push(self, workspace: Workspace, progress: Progress) -> PushReport:
        """Copy what is new, and remove copies that are not worth their room any more.

        Raises:
            SyncError: The storage is offline or full, or another machine writes there.
        """
        with self._drive.copying():
            shelf = self.address(workspace)
            return push_workspace(workspace, shelf, progress, retention=Retention())

    def copy(self, workspace: Workspace, progress: Progress) -> None:
        """Copy what is new; trouble with the storage is told and stops nothing."""
        try:
            report = self.push(workspace, progress)
        except Interrupted:
            raise
        except (DFLColabError, OSError) as failure:
            show_text(str(failure))
        else:
            if report.new_copy:
                show_text(report.summary())

    def copies_of(self, workspace: Workspace, progress: Progress) -> tuple[str, str]:
        """The newest copy of a workspace with its proof, and what of the workspace is not in it.

        Args:
            workspace: It is compared with that copy; nothing is written.
            progress: Shows how far files are compared.

        Returns:
            Two texts; the second is "" where nothing is left.

        Raises:
            SyncError: The storage does not answer.
            Interrupted: The user asked to stop.
        """
        remote = Remote.open(self.address(workspace))
        with self._drive.copying():
            newest = newest_readable(remote, list_generations(remote))
            if newest is None:
                return f"none on {self.shelf} yet", "everything"
            planned = push_workspace(workspace, remote, progress, dry_run=True)
            confirmed = Confirmed(Memory(workspace.root), remote).known()
            proof = proof_of_generation(remote, newest, confirmed)
        copy = f"{newest.created[:16].replace('T', ' ')} UTC on {self.shelf}; {proof}. {meaning(proof)}"
        parts = [row.what for row in planned.table if row.new_files]
        if not planned.files_copied:
            return copy, ""
        new = f"{counted(planned.files_copied, 'file')}, {as_size(planned.bytes_copied)}"
        return copy, f"{new} ({', '.join(parts)})"

    def confirm(self, workspace: Workspace, progress: Progress) -> VerifyReport | None:
        """Read the newest copy back over the network; None where pushing has done so already.

        Raises:
            SyncError: The storage could not be connected anew, or is offline.
            Interrupted: The user asked to stop.
        """
        remote = Remote.open(self.address(workspace))
        if not shows_late(remote):
            return None
        return confirm_newest(
            workspace.root,
            remote,
            progress,
            fresh_look=self._drive.fresh_look,
            retention=Retention(),
        )

    def address(self, workspace: Workspace) -> Path:
        """Where the copies of a workspace are."""
        return self.shelf / workspace.root.name

    def copying(self) -> AbstractContextManager[object]:
        """To have around every copy: the drive is not pulled away below one."""
        return self._drive.copying()

    def workspaces(self) -> tuple[StoredWorkspace, ...]:
        """The workspaces that have a copy here, the newest first.

        Raises:
            SyncError: The storage does not answer.
        """
        with self._drive.copying():
            return stored_workspaces(Remote.open(self.shelf))

    def place_of(self, workspace: Workspace, name: str) -> Path | None:
        """Where the newest copy keeps a file as it is; None if it has none, or does not answer.

        Args:
            workspace: Whose copy.
            name: Path below the workspace, such as `result.mp4`.
        """
        address = self.address(workspace)
        try:
            with self._drive.copying():
                remote = Remote.open(address)
                manifest = newest_readable(remote, list_generations(remote))
        except DFLColabError:
            return None
        spans = [file.spans for file in manifest.files if file.path == name] if manifest else []
        return address / spans[0][0].path if spans and len(spans[0]) == 1 else None

    def disconnect(self) -> None:
        """Wait until everything has left this machine, and disconnect.

        Raises:
            SyncError: The upload could not be finished.
        """
        self._drive.flush()
