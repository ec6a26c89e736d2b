"""`sync`: copy the workspace to a remote, or back, and look after the copies there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from dflcolab.engine.model_lock import training_alone
from dflcolab.errors import ConfigError, DFLColabError, Interrupted, SyncError, WorkspaceError
from dflcolab.faceset.folder_lock import using
from dflcolab.faceset.renaming import recover
from dflcolab.pipeline.travelling_checkpoints import TravellingCheckpoints
from dflcolab.progress import Progress
from dflcolab.runtime.drive import ColabDrive
from dflcolab.runtime.where import find_out
from dflcolab.sync.config import SyncConfig
from dflcolab.sync.confirmed import Confirmed
from dflcolab.sync.damage import Damage
from dflcolab.sync.lease import Lease
from dflcolab.sync.memory import Memory
from dflcolab.sync.overview import LogReport, RemoteStatus, log, status
from dflcolab.sync.prune import PruneReport, prune
from dflcolab.sync.pull import PullReport, pull
from dflcolab.sync.push import PushReport, push
from dflcolab.sync.remote import Remote
from dflcolab.sync.retention import Retention
from dflcolab.sync.travelling import SourceChangedError
from dflcolab.sync.verify import VerifyReport, verify
from dflcolab.sync.writing import shows_late
from dflcolab.workspace.placing import finish_placing
from dflcolab.workspace.settings import FILE_NAME
from dflcolab.workspace.workspace import Side, Workspace

_ONLY_FOR = {
    "generation": ("pull", "restore", "verify"),
    "every": ("verify",),
    "merged": ("push",),
    "take_over": ("push", "prune"),
    "dry_run": ("push", "pull", "restore", "prune"),
    "keep_last": ("push", "prune"),
    "keep_best": ("push", "prune"),
    "keep_days": ("push", "prune"),
    "budget_gb": ("push", "prune"),
    "prune": ("push",),
}

_CHOICES = 3

SyncReport = PushReport | PullReport | RemoteStatus | LogReport | VerifyReport | PruneReport


def sync(root: Path, config: SyncConfig, *, progress: Progress | None = None) -> SyncReport:
    """Push, pull, list, verify or prune copies of the workspace `root`.

    Raises:
        ConfigError: No remote was ever given, `restore` without a generation, or an option that
            the action does not know.
        SyncError: The remote is offline, full, being written by another machine, or holds no whole
            copy.
        WorkspaceError: `root` is no workspace (push), or the remote lies inside it.
        StorageError: This machine's disk is full.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    _refuse_ignored(config)
    finish_placing(root)
    if config.action == "push":
        Workspace.open(root)  # the sentence about a missing workspace comes first
    remote = _remote(root, config)
    memory = Memory(root)
    match config.action:
        case "push":
            return _push(root, remote, config, progress)
        case "pull" | "restore":
            if config.action == "restore" and not config.generation:
                raise ConfigError("Say which copy: --generation NUMBER, as `sync log` lists them.")
            report = pull_workspace(
                root, remote, progress, generation=config.generation, dry_run=config.dry_run
            )
            if not config.dry_run:
                remember(root, remote)
                Memory(root).note_choice(report.name if config.action == "restore" else "")
            return report
        case "status":
            confirmed = Confirmed(memory, remote).known()
            return status(remote, memory.base(remote.name), confirmed)
        case "log":
            return log(remote)
        case "verify":
            fresh = shows_late(remote) and find_out().can_mount_drive
            if fresh:
                ColabDrive().fresh_look()
            report = verify(
                remote,
                generation=config.generation,
                every=config.every,
                fresh=fresh,
                progress=progress,
            )
            report.note(memory, remote)
            return report
        case "prune":
            return _prune(
                memory,
                remote,
                retention_of(config),
                progress,
                dry_run=config.dry_run,
                take_over=config.take_over,
            )


def _prune(
    memory: Memory, remote: Remote, retention: Retention, progress: Progress, **how: Any
) -> PruneReport:
    """Prune with what this workspace remembers."""
    return prune(
        remote,
        memory.client,
        retention,
        progress,
        sightings=memory.sightings,
        unused_since=memory.unused_since,
        damage=Damage(memory, remote),
        confirmed=Confirmed(memory, remote),
        **how,
    )


def _refuse_ignored(config: SyncConfig) -> None:
    """Refuse what the action would not look at: whoever wrote it expects something of it."""
    defaults = SyncConfig(action=config.action)
    for name, actions in _ONLY_FOR.items():
        if config.action not in actions and getattr(config, name) != getattr(defaults, name):
            option = name.replace("_", "-")
            raise ConfigError(
                f"--{option} says nothing to `sync {config.action}`, only to {' and '.join(actions)}; "
                "leave it out."
            )


def _remote(root: Path, config: SyncConfig) -> Remote:
    """The remote that was given, now or before."""
    if config.remote:
        return open_remote(root, config.remote)
    address = Workspace.open(root).settings.remote if (root / FILE_NAME).is_file() else ""
    if not address:
        raise ConfigError(
            "Say once where the copies are: --remote FOLDER, or an address such as gs://bucket/folder."
        )
    remote = open_remote(root, address)
    if is_away(remote):
        raise SyncError(
            f"The folder {address}, where this workspace has its copies, is not on this machine; "
            "connect it, or name another with --remote."
        )
    return remote


def is_away(remote: Remote) -> bool:
    """True for a folder that is not there: a Drive that is not connected, say.

    Made anew it would be an empty place on this machine's own disk.
    """
    shelf = remote.local_root
    return shelf is not None and not shelf.is_dir()


def open_remote(root: Path, address: str) -> Remote:
    """The remote at an address, for copies of the workspace at `root`.

    Raises:
        WorkspaceError: It lies inside the workspace.
        SyncError: The address is not understood.
    """
    remote = Remote.open(address)
    shelf = remote.local_root
    if shelf is not None and _overlap(shelf, root):
        raise WorkspaceError(
            f"{address} lies inside the workspace {root}; choose a remote "
            "folder outside of the workspace."
        )
    return remote


def remember(root: Path, remote: Remote) -> None:
    """Note in `workspace.toml` where the copies are, so that nobody has to say it again."""
    workspace = Workspace.open(root)
    if workspace.settings.remote != remote.name:
        workspace.update(remote=remote.name)


def retention_of(config: SyncConfig) -> Retention:
    """Which copies stay, as the options say."""
    return Retention(
        last=config.keep_last,
        best=config.keep_best,
        days=config.keep_days,
        budget_bytes=round(config.budget_gb * 1e9),
    )


def _push(root: Path, remote: Remote, config: SyncConfig, progress: Progress) -> PushReport:
    workspace = Workspace.open(root)
    before = workspace.settings.remote
    if not config.dry_run:
        remember(root, remote)  # before the push, so that the copy knows where it is
    try:
        return push_workspace(
            Workspace.open(root),
            remote,
            progress,
            merged=config.merged,
            dry_run=config.dry_run,
            take_over=config.take_over,
            retention=retention_of(config) if config.prune else None,
        )
    except SyncError:
        if before and not config.dry_run:
            Workspace.open(root).update(remote=before)
        raise


def push_workspace(
    workspace: Workspace,
    remote: Remote | Path,
    progress: Progress,
    *,
    merged: bool = False,
    dry_run: bool = False,
    lease: Lease | None = None,
    take_over: bool = False,
    retention: Retention | None = None,
    on_chosen: Callable[[TravellingCheckpoints], None] = lambda _: None,
) -> PushReport:
    """Copy a workspace as it should be found again: faces in place, checkpoints complete.

    Args:
        workspace: What to copy.
        remote: Where to.
        progress: Shows the bytes and carries the wish to stop.
        merged: Copy merged frames too.
        dry_run: Only say what would be copied.
        lease: The right to write, if the caller holds it; else it is taken for this copy.
        take_over: Take the lease from a machine that may be alive.
        retention: Remove older copies that this does not keep; None keeps all. Trouble with that is
            a note in the report.
        on_chosen: Told which checkpoints are about to be copied.

    Raises:
        SyncError: The remote is offline or full, or a file has a name that cannot travel.
        Interrupted: The user asked to stop.
    """
    remote = remote if isinstance(remote, Remote) else Remote.open(remote)
    with ExitStack() as stack:
        if not dry_run:
            for side in Side:
                recover(workspace.aligned_dir(side))  # a killed sort hides the faces it was moving
                # Names that a sort changes under the copying would copy one face twice, another never.
                stack.enter_context(using(workspace.aligned_dir(side), progress=progress))
        report = _push_chosen(
            workspace,
            remote,
            progress,
            on_chosen,
            merged=merged,
            dry_run=dry_run,
            lease=lease,
            take_over=take_over,
            copies_planned=(retention or Retention()).last + 1,
        )
    if retention is None or not report.new_copy:
        return report
    notes = _tidied(
        Memory(workspace.root), remote, retention, progress, lease=lease, take_over=take_over
    )
    return replace(report, notes=(*report.notes, *notes))


def _tidied(
    memory: Memory, remote: Remote, retention: Retention, progress: Progress, **how: Any
) -> list[str]:
    """Prune, and what there is to say of it; trouble is only told."""
    try:
        pruned = _prune(memory, remote, retention, progress, **how)
    except Interrupted:
        raise
    except DFLColabError as error:
        return [f"Older copies were not removed: {error}"]
    notes = list(pruned.notes)
    if pruned.removed:
        names = ", ".join(row.name for row in pruned.removed)
        notes.insert(0, f"Removed older copies: {names} ({pruned.bytes_removed / 1e6:.1f} MB).")
    return notes


def confirm_newest(
    root: Path,
    remote: Remote,
    progress: Progress,
    *,
    fresh_look: Callable[[], object],
    retention: Retention | None = None,
) -> VerifyReport:
    """Read the newest copy on a mounted Drive back over the network, then remove older ones.

    Args:
        root: The workspace.
        remote: Where the copies are.
        progress: Shows the reading and carries the wish to stop.
        fresh_look: Has everything uploaded, and makes the mount anew.
        retention: Which copies stay; None keeps all.

    Raises:
        SyncError: The Drive could not be connected anew or does not answer, or holds no copy.
        Interrupted: The user asked to stop.
    """
    fresh_look()
    report = verify(remote, fresh=True, progress=progress)
    memory = Memory(root)
    report.note(memory, remote)
    if retention is not None and not report.damaged:
        notes = _tidied(memory, remote, retention, progress)
        report = replace(report, notes=tuple(notes))
    return report


def _push_chosen(
    workspace: Workspace,
    remote: Remote,
    progress: Progress,
    on_chosen: Callable[[TravellingCheckpoints], None],
    **how: Any,
) -> PushReport:
    """Push with the latest checkpoints; those that a training removes meanwhile are chosen anew."""
    for attempt in range(_CHOICES):
        chosen = TravellingCheckpoints.of(workspace)
        on_chosen(chosen)
        try:
            return push(workspace, remote, progress, keep=chosen.keeps, models=chosen.facts, **how)
        except SourceChangedError:
            if chosen.are_there or attempt == _CHOICES - 1:
                raise
    raise AssertionError("unreachable")


def pull_workspace(
    root: Path,
    remote: Remote,
    progress: Progress,
    *,
    generation: int | str = "",
    dry_run: bool = False,
    held_model: str = "",
) -> PullReport:
    """Bring a copy to `root` while nothing else changes the faces or models there.

    Args:
        root: The workspace, or where it is to be.
        remote: Where the copies are.
        progress: Shows the bytes and carries the wish to stop.
        generation: Which copy; the newest whole one where it is left out.
        dry_run: Only say what would be fetched.
        held_model: Name of the model that the caller keeps others from training.

    Raises:
        ModelError: Another process trains a model of the workspace.
        SyncError: The remote is offline or holds no whole copy.
        StorageError: This machine's disk is full.
        Interrupted: The user asked to stop.
    """
    with ExitStack() as stack:
        for folder in [] if dry_run else Workspace(root).model_dirs():
            if folder.name != held_model:
                stack.enter_context(training_alone(folder))
        for side in Side:
            aligned = root / f"data_{side.value}" / "aligned"
            if aligned.is_dir() and not dry_run:
                recover(aligned)
                stack.enter_context(using(aligned, progress=progress))
        return pull(remote, root, progress, generation=generation, dry_run=dry_run)


def _overlap(shelf: Path, root: Path) -> bool:
    shelf, root = shelf.resolve(), root.resolve()
    return shelf == root or shelf.is_relative_to(root)
