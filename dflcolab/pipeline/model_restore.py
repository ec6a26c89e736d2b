"""`model restore`: training goes on from the best state, or another that still stands."""

from __future__ import annotations

from dataclasses import dataclass

from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.engine.checkpoint_choice import CheckpointChoice
from dflcolab.engine.chosen_checkpoint import chosen_checkpoint, write_again
from dflcolab.engine.model_lock import training_alone
from dflcolab.errors import ModelError
from dflcolab.watch.state import STATE_KEY, add_event
from dflcolab.workspace.workspace import Workspace


@dataclass(frozen=True)
class RestoreReport:
    """Which state of a model is the newest one now.

    Attributes:
        model: Name of the model.
        iteration: Where it is now.
        from_iteration: Where it was; the same if there was nothing to do.
        architecture: Kind of model.
        pretraining: True if that state has only seen a general faceset.
    """

    model: str
    iteration: int
    from_iteration: int
    architecture: str
    pretraining: bool

    def summary(self) -> str:
        """The report in two lines."""
        verb = "mask train" if self.architecture == "xseg" else "train"
        goes_on = f"`dflcolab {verb} --model {self.model}` goes on from there"
        if self.pretraining:
            goes_on += ", out of its pretraining"
        if self.iteration == self.from_iteration:
            return f"{self.model} is at iteration {self.iteration:,} already; {goes_on}."
        return (
            f"{self.model} is back at iteration {self.iteration:,} (it was at {self.from_iteration:,}); "
            f"{goes_on}.\n"
            "Nothing was deleted: the other checkpoints stay until new ones take their place."
        )


def restore_state(workspace: Workspace, name: str, choice: CheckpointChoice) -> RestoreReport:
    """Make one of a model's checkpoints the newest one, so that training goes on from it.

    Safe to run again. Optimizer, schedule, held-out faces and random numbers are those of that state.

    Raises:
        ModelError: There is no such model, or another process trains it.
        CheckpointError: That checkpoint is not there or not whole.
        StorageError: The disk is full; nothing has changed.
    """
    model_dir = workspace.model_dir(name)
    if not list_checkpoints(model_dir):
        raise ModelError(f"There is no model {name!r} in {workspace.root}; train one first.")
    with training_alone(model_dir):
        found = chosen_checkpoint(model_dir, choice)
        assert found is not None
        newest = list_checkpoints(model_dir)[-1]
        state = found.state()
        pretraining = bool(state["pretraining"])
        if found.folder != newest.folder:
            text = f"Back from iteration {newest.iteration:,} to {found.iteration:,}, as asked for."
            entry = {"iteration": newest.iteration, "kind": "restore", "text": text}
            entry |= {"back_to": found.iteration}
            count = add_event(model_dir, pretraining=pretraining, entry=entry)
            remembered = {**state.get(STATE_KEY, {}), "events": count}
            write_again(model_dir, found, {STATE_KEY: remembered})
    return RestoreReport(
        name, found.iteration, newest.iteration, str(state["architecture"]), pretraining
    )
