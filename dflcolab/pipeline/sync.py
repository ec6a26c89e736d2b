"""`sync`: copy the workspace to a remote, or back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from dflcolab.errors import WorkspaceError
from dflcolab.faceset.folder_lock import using
from dflcolab.faceset.renaming import recover
from dflcolab.progress import Progress
from dflcolab.sync.config import SyncConfig
from dflcolab.sync.generations import RemoteStatus, VerifyReport, status, verify
from dflcolab.sync.pull import PullReport, pull
from dflcolab.sync.push import PushReport, push
from dflcolab.sync.remote import Remote
from dflcolab.workspace.workspace import Side, Workspace

SyncReport = PushReport | PullReport | RemoteStatus | VerifyReport


def sync(root: Path, config: SyncConfig, *, progress: Progress | None = None) -> SyncReport:
    """Push, pull, list or verify copies of the workspace `root`.

    Raises:
        SyncError: The remote is offline, full or holds no whole copy.
        WorkspaceError: `root` is no workspace (push), or the remote lies inside it.
        StorageError: This machine's disk is full.
    """
    progress = progress or Progress()
    remote = Remote.open(config.remote)
    shelf = remote.local_root
    if shelf is not None and _overlap(shelf, root):
        raise WorkspaceError(
            f"{config.remote} lies inside the workspace {root}; choose a remote "
            "folder outside of the workspace."
        )
    match config.action:
        case "push":
            return push_workspace(
                Workspace.open(root),
                remote,
                progress,
                merged=config.merged,
                dry_run=config.dry_run,
            )
        case "pull":
            return pull(remote, root, progress, generation=config.generation)
        case "status":
            return status(remote)
        case "verify":
            return verify(remote, generation=config.generation, progress=progress)


def push_workspace(
    workspace: Workspace,
    remote: Remote | Path,
    progress: Progress,
    *,
    merged: bool = False,
    dry_run: bool = False,
) -> PushReport:
    """Copy a workspace as it should be found again: faces in place, checkpoints complete.

    Raises:
        SyncError: The remote is offline or full, or a file has a name that cannot travel.
        Interrupted: The user asked to stop.
    """
    keep = complete_checkpoints(workspace)
    if dry_run:
        return push(workspace, remote, progress, merged=merged, keep=keep, dry_run=True)
    with ExitStack() as stack:
        for side in Side:
            recover(workspace.aligned_dir(side))  # a killed sort hides the faces it was moving
            # Names that a sort changes under the copying would copy one face twice, another never.
            stack.enter_context(using(workspace.aligned_dir(side), progress=progress))
        return push(workspace, remote, progress, merged=merged, keep=keep)


def complete_checkpoints(workspace: Workspace) -> Callable[[str], bool]:
    """Which files of `model/` to copy: of checkpoints only those whose marker is there."""
    from dflcolab.engine.checkpoint import list_checkpoints

    whole: set[str] = set()
    if workspace.models_dir.is_dir():
        for folder in workspace.models_dir.iterdir():
            if folder.is_dir():
                whole |= {f"model/{folder.name}/{c.folder.name}" for c in list_checkpoints(folder)}

    def keep(path: str) -> bool:
        parts = path.split("/")
        if len(parts) > 3 and parts[2].startswith("ckpt-"):
            return "/".join(parts[:3]) in whole
        return True

    return keep


def _overlap(shelf: Path, root: Path) -> bool:
    shelf, root = shelf.resolve(), root.resolve()
    return shelf == root or shelf.is_relative_to(root)
