# pyright: strict
"""Which model a notebook works on: its name and sizes are chosen in one place, for all cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import newest_state
from dflcolab.errors import CheckpointError, ConfigError, FormatError, WorkspaceError
from dflcolab.models.kinds import swap_options_of
from dflcolab.models.presets import PRESETS, Preset
from dflcolab.runtime.machine import Machine
from dflcolab.watch.state import records_of
from dflcolab.workspace.workspace import Workspace

AUTO = "auto"
"""A choice that leaves the sizes of a new model to the machine, and those of an old one as they are."""

_STANDARD_MIB = 14_500  # a T4 tells of 15,360
_HIGH_MIB = 22_500
_KIND = "saehd"


@dataclass(frozen=True)
class ModelChoice:
    """The chosen model.

    Attributes:
        name: Its name.
        arch: Kind that a new model gets; None: it exists already.
        preset: Sizes that a new model gets; None: it exists already.
        sentence: What it is, for the user.
    """

    name: str
    arch: str | None
    preset: str | None
    sentence: str

    @property
    def is_new(self) -> bool:
        """True if the first training is to make it."""
        return self.preset is not None


def fitting_preset(machine: Machine, *, sample: bool) -> Preset:
    """Sizes for a new model on a machine.

    Args:
        machine: What it has; the largest GPU counts.
        sample: The workspace holds the sample clips, which are for trying.
    """
    memory = max((gpu.memory_mib for gpu in machine.gpus), default=0)
    if sample:
        return "demo"
    if memory >= _HIGH_MIB:
        return "high"
    return "standard" if memory >= _STANDARD_MIB else "light"


def choose_model(
    workspace: Workspace, name: str, *, preset: str, arch: str, fitting: Preset
) -> ModelChoice:
    """The model of a name: the one that is there, with its own sizes, or a new one.

    Args:
        workspace: Where it is, or will be.
        name: Its name.
        preset: A preset, or `AUTO`.
        arch: Kind of a new model: saehd, quick96 or amp.
        fitting: What `AUTO` means for a new model.

    Raises:
        WorkspaceError: The name cannot be a model's.
        ConfigError: There is no such preset or kind, or the model that is there has other sizes than
            the preset that was chosen, or is of another kind.
        ModelError: The model makes masks.
        CheckpointError: There is such a model, but none of its checkpoints can be read.
    """
    name = name.strip()
    if preset not in (AUTO, *get_args(Preset)) or arch not in PRESETS:
        raise ConfigError(f"{preset!r} of {arch!r} is no choice; take them from the lists.")
    workspace.model_dir(name)
    state = newest_state(workspace.model_dir(name))
    if state is not None:
        _refuse_other(workspace, name, state, preset=preset, arch=arch)
        return ModelChoice(name, None, None, _present(name, state))
    taken = fitting if preset == AUTO else preset
    options = swap_options_of(arch, PRESETS[arch][taken])  # pyright: ignore[reportArgumentType]
    why = ", which fits this machine and workspace" if preset == AUTO else ""
    return ModelChoice(
        name,
        arch,
        taken,
        f"{name} will be a new model: {arch}, preset {taken}{why} ({options.resolution} pixels).",
    )


def trained_last(workspace: Workspace) -> str:
    """Name of the face-swapping model that was saved last.

    Raises:
        WorkspaceError: There is none.
    """
    saved: list[tuple[str, str]] = []
    for folder in workspace.model_dirs():
        try:
            state = newest_state(folder)
        except CheckpointError:
            continue
        if state is not None and state.get("architecture") in PRESETS:
            saved.append((str(state.get("saved_at", "")), folder.name))
    if not saved:
        raise WorkspaceError(
            f"There is no trained model in {workspace.root}; train one, or open the workspace it is in."
        )
    return max(saved)[1]


def _present(name: str, state: Mapping[str, Any]) -> str:
    """What the model is and how far."""
    options = swap_options_of(str(state["architecture"]), state["options"], source=name)
    phase = " of pretraining" if state.get("pretraining") else ""
    return (
        f"{name} is there already and keeps its sizes: {options.arch}, {options.resolution} pixels, "
        f"iteration {state['iteration']:,}{phase}."
    )


def _refuse_other(
    workspace: Workspace, name: str, state: Mapping[str, Any], *, preset: str, arch: str
) -> None:
    """Refuse a preset or kind that this model was not made with.

    The preset that it was begun with is right, whatever options were given besides.
    """
    have = str(state["architecture"])
    present = swap_options_of(have, state["options"], source=name)
    if preset == AUTO:
        if arch in (have, _KIND):
            return
        differs = f"{have} instead of {arch}"
    elif arch != have:
        differs = f"{have} instead of {arch}"
    elif preset == _begun_with(workspace, name):
        return
    else:
        stored = dict(state["options"])
        asked = swap_options_of(have, {**stored, **PRESETS[have][preset]})  # pyright: ignore[reportArgumentType]
        differs = ", ".join(
            f"{key} {to_plain(present.structure[key])} instead of {to_plain(asked.structure[key])}"
            for key in present.structure_names
            if asked.structure[key] != present.structure[key]
        )
    if differs:
        raise ConfigError(
            f"The model {name} is there already and is not what you chose: {differs}. Give another "
            f"model_name for a new model; to go on with this one, choose {AUTO} as preset and {have} as arch."
        )


def _begun_with(workspace: Workspace, name: str) -> str | None:
    """The preset that the model was begun with, as its history tells; None if it does not."""
    for pretraining in (True, False):
        _, events = records_of(workspace.model_dir(name), pretraining=pretraining)
        try:
            entries = events.read()
        except FormatError:
            continue
        begun = next((entry for entry in entries if entry.get("kind") == "start"), None)
        if begun is not None:
            command: Any = begun.get("command")
            return command.get("preset") if isinstance(command, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return None
