"""`model undo`: back to before the latest switch of a model's schedule."""

from __future__ import annotations

from dataclasses import dataclass

from dflcolab.engine.checkpoint import (
    latest_checkpoint,
    list_checkpoints,
)
from dflcolab.engine.chosen_checkpoint import write_again
from dflcolab.engine.model_lock import training_alone
from dflcolab.errors import ModelError
from dflcolab.watch.schedule import ScheduleState
from dflcolab.watch.state import STATE_KEY, add_event
from dflcolab.workspace.workspace import Workspace


@dataclass(frozen=True)
class UndoReport:
    """What was undone.

    Attributes:
        model: Name of the model.
        iteration: Where it is now.
        phase: The phase it is in again.
        text: A sentence.
    """

    model: str
    iteration: int
    phase: str
    text: str

    def summary(self) -> str:
        """The report in two lines."""
        return (
            f"{self.model} is back at iteration {self.iteration}. {self.text}\n"
            "Nothing was deleted: later checkpoints stay until new ones take their place. "
            "`--phase NAME` enters a phase and lets the schedule go on."
        )


def undo_switch(workspace: Workspace, name: str) -> UndoReport:
    """Make the state before the latest switch the newest one; nothing is switched from there by itself.

    Raises:
        ModelError: There is no such model, it was not switched, or that state is gone.
        CheckpointError: No checkpoint is whole, or the one before the switch is damaged.
        StorageError: The disk is full.
    """
    model_dir = workspace.model_dir(name)
    if not list_checkpoints(model_dir):
        raise ModelError(f"There is no model {name!r} in {workspace.root}; train one first.")
    with training_alone(model_dir):
        latest = latest_checkpoint(model_dir)
        assert latest is not None
        now = latest.state()
        watch = now.get(STATE_KEY, {})
        folder = watch.get("before_switch", "")
        if not folder:
            raise ModelError(
                f"{name} has no switch of the schedule to undo; set random_warp, lr_dropout and "
                "gan_power by hand (--set)."
            )
        before = next((c for c in list_checkpoints(model_dir) if c.folder.name == folder), None)
        if before is None:
            raise ModelError(
                f"{folder}, the state of {name} before the switch, is not on this machine; train on, "
                "or enter a phase by hand (--phase)."
            )
        before.verify()
        schedule, switch, _ = ScheduleState.from_plain(watch["schedule"]).undone()
        entry = {"iteration": now["iteration"], "kind": "undo", "text": switch.reason}
        count = add_event(
            model_dir,
            pretraining=bool(now["pretraining"]),
            entry={**entry, "back_to": before.iteration},
        )
        remembered = {
            **before.state().get(STATE_KEY, {}),
            "events": count,
            "schedule": schedule.to_plain(),
            "before_switch": "",
        }
        write_again(model_dir, before, {STATE_KEY: remembered})
    return UndoReport(name, before.iteration, str(schedule.phase), switch.reason)
