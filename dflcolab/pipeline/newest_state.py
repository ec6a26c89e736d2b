"""Where training begins: with the newest state that verifies, the one here or the one on the remote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dflcolab.engine.checkpoint import Checkpoint, latest_checkpoint
from dflcolab.engine.model_lock import training_alone
from dflcolab.errors import CheckpointError, SyncError, WorkspaceError
from dflcolab.pipeline.sync import is_away, open_remote, pull_workspace, remember
from dflcolab.progress import Progress
from dflcolab.sync.generations import list_generations, usable
from dflcolab.sync.manifest import Manifest, ModelFacts
from dflcolab.sync.memory import Base, Memory
from dflcolab.sync.pull import is_unfinished
from dflcolab.sync.remote import Remote
from dflcolab.workspace.placing import finish_placing
from dflcolab.workspace.settings import FILE_NAME
from dflcolab.workspace.workspace import Workspace


@dataclass(frozen=True)
class Start:
    """A workspace ready to train in.

    Attributes:
        workspace: It.
        remote: Where its copies are; None if nobody said.
        notes: What was fetched, kept aside, or could not be asked.
    """

    workspace: Workspace
    remote: Remote | None
    notes: tuple[str, ...]


def start_at_newest(place: Workspace | Path, model: str, address: str, progress: Progress) -> Start:
    """Open a workspace; fetch its copy first if that is further, or if nothing is here.

    A copy that grew out of what is here is taken unless the model here is further; one of another
    line only if its model is further. Files here that differ from it are kept in
    `history/replaced/`, and another line on the remote stays there. An older copy that the user
    brought back with `sync restore` is left as it is.

    Args:
        place: The workspace, or its folder, which may be missing.
        model: Name of the model that is to be trained.
        address: Where the copies are; "" = what the workspace remembers.
        progress: Shows the work and gets the notes.

    Raises:
        WorkspaceError: There is no workspace here, and no remote to fetch one from.
        SyncError: There is none here, and the remote does not answer or holds no whole copy.
        ModelError: Another process is training the model.
        StorageError: This machine's disk is full.
    """
    root = place.root if isinstance(place, Workspace) else place
    finish_placing(root)
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        progress.message(text)

    here = (root / FILE_NAME).is_file()
    if not here and not address:
        return Start(Workspace.open(root), None, ())
    remembered = "" if address else Workspace.open(root).settings.remote
    if not address and not remembered:
        return Start(Workspace.open(root), None, ())
    remote = open_remote(root, address or remembered)
    if remembered and is_away(remote):
        note(
            f"The folder {remembered}, where this workspace has its copies, is not on this machine; "
            "training makes no copies until you connect it, or name another with --remote."
        )
        return Start(Workspace.open(root), None, tuple(notes))
    if here:
        try:
            with training_alone(Workspace.open(root).model_dir(model)):
                _fetch_if_further(root, remote, model, progress, note)
        except SyncError as error:
            note(f"{error} Training goes on with what is here.")
    elif list_generations(remote) or is_unfinished(root):
        note(pull_workspace(root, remote, progress).summary())
    else:
        raise WorkspaceError(
            f"There is no workspace at {root}, and {remote.name} holds no copy of one; correct "
            f"--remote, or make a workspace with `dflcolab init -w {root}`."
        )
    remember(root, remote)
    return Start(Workspace.open(root), remote, tuple(notes))


def _fetch_if_further(
    root: Path, remote: Remote, model: str, progress: Progress, note: Callable[[str], None]
) -> None:
    """Compare what is here with the copies, newest first, and fetch one that is further."""
    names = list_generations(remote)
    memory = Memory(root)
    base = memory.arrived(remote.name, [str(name) for name in names]) or memory.base(remote.name)
    if memory.is_choice(base.name):
        return
    here = _Here.look(root, model)
    skipped: list[str] = []
    for manifest in usable(remote, names, skipped):
        facts = next((facts for facts in manifest.models if facts.name == model), None)
        if not here.is_behind(manifest, facts, base):
            if here.checkpoint is not None and facts is not None and _is_apart(manifest, base):
                note(
                    f"{manifest.name} on {remote.name} comes from another line (iteration "
                    f"{facts.iteration}) and stays there; training goes on with iteration "
                    f"{here.checkpoint.iteration} of this machine."
                )
            break
        try:
            report = pull_workspace(
                root, remote, progress, generation=str(manifest.name), held_model=model
            )
        except SyncError as error:
            list_generations(remote)  # a remote that answers has a broken copy; look for another
            note(str(error))
            continue
        note(report.summary())
        break
    for text in skipped:
        note(text)


@dataclass(frozen=True)
class _Here:
    """The state of the model on this machine.

    Attributes:
        checkpoint: The latest one that verifies.
        pretraining: Whether it is in pretraining.
        is_damaged: There were later ones that do not verify.
    """

    checkpoint: Checkpoint | None
    pretraining: bool
    is_damaged: bool

    @classmethod
    def look(cls, root: Path, model: str) -> _Here:
        problems: list[str] = []
        try:
            found = latest_checkpoint(
                Workspace.open(root).model_dir(model), on_problem=problems.append
            )
        except CheckpointError:
            return cls(None, False, True)
        pretraining = found is not None and found.state().get("pretraining") is True
        return cls(found, pretraining, bool(problems))

    def is_behind(self, manifest: Manifest, facts: ModelFacts | None, base: Base) -> bool:
        """True if training should begin with that copy."""
        if facts is None:
            return False
        # A copy that this workspace already held or grew out of: something here got lost since.
        if str(manifest.name) in base.line and not self.is_damaged:
            return False
        if self.checkpoint is None:
            return True
        # Pretraining comes before training, whatever the iterations say.
        there = (not facts.pretraining, facts.iteration)
        own = (not self.pretraining, self.checkpoint.iteration)
        grew = bool(base.name) and base.name in manifest.ancestors
        return there >= own if grew else there > own


def _is_apart(manifest: Manifest, base: Base) -> bool:
    return str(manifest.name) not in base.line
