"""`model`: what models a workspace has, what is in them, and their way from and to DeepFaceLab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dflcolab.engine.checkpoint import Checkpoint, latest_checkpoint, list_checkpoints
from dflcolab.engine.chosen_checkpoint import best_checkpoint
from dflcolab.errors import CheckpointError, DFLColabError, ModelError
from dflcolab.exporting.dfl_folder import dfl_models, dfl_target
from dflcolab.exporting.dfl_origin import read_origin
from dflcolab.models.kinds import options_of
from dflcolab.pipeline.model_restore import RestoreReport, restore_state
from dflcolab.pipeline.training_report import SavedState
from dflcolab.pipeline.undo_switch import UndoReport, undo_switch
from dflcolab.progress import Progress
from dflcolab.training.config import ModelConfig
from dflcolab.workspace.workspace import Workspace

if TYPE_CHECKING:
    from dflcolab.pipeline.model_files import ExportReport, ImportReport


@dataclass(frozen=True)
class ModelInfo:
    """What the latest whole checkpoint of a model holds.

    Attributes:
        name: Name of the model.
        iteration: Finished iterations.
        architecture: Kind of model (`saehd`, `quick96`, `amp`).
        options: Options under DeepFaceLab's names.
        verified: True: every byte of that checkpoint was compared with its hash.
        pretraining: True while the model has only seen a general faceset.
        checkpoint: Name of its folder.
        checkpoints: All complete ones, latest last.
        best: The one with the lowest held-out loss, if that is known.
        states: What is known of each, in the same order.
        held_out_losses: Losses on the faces kept out of training, if there are some.
        size_bytes: Of the checkpoint.
        saved_at: UTC.
        problems: Broken checkpoints that were passed over.
        not_imported: Ids of DeepFaceLab models in the workspace that are no models here yet.
    """

    name: str
    iteration: int
    architecture: str
    options: dict[str, Any]
    verified: bool
    pretraining: bool
    checkpoint: str
    checkpoints: tuple[str, ...]
    best: str | None
    states: tuple[SavedState, ...]
    held_out_losses: dict[str, float] | None
    size_bytes: int
    saved_at: str
    problems: tuple[str, ...]
    not_imported: tuple[str, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        phase = "pretraining, " if self.pretraining else ""
        options = ", ".join(f"{key}={value}" for key, value in self.options.items())
        first = (
            f"{self.name}: {self.architecture}, {phase}iteration {self.iteration}, "
            f"{self.size_bytes / 1e6:.1f} MB, saved {self.saved_at}, every byte verified."
        )
        lines = [
            first,
            "Checkpoints (--checkpoint of merge, mask, model export and model restore takes one):",
            *map(self._state_line, self.states),
            f"Options: {options}",
        ]
        return "\n".join([*lines, *self.problems, *_hint(self.not_imported)])

    def _state_line(self, state: SavedState) -> str:
        score = "not known" if state.held_out_loss is None else f"{state.held_out_loss:.4g}"
        words = {self.checkpoint: "latest", self.best: "best"}
        called = " and ".join(word for name, word in words.items() if name == state.name)
        line = f"  iteration {state.iteration}, held-out score {score}"
        return f"{line}: {called}" if called else line


@dataclass(frozen=True)
class ModelList:
    """The models of a workspace.

    Attributes:
        models: One entry each: `name`, `iteration`, `architecture`, `archi`, `resolution`,
            `pretraining`, or `problem` for a model whose checkpoints cannot be read. Nothing is verified here.
        not_imported: Ids of DeepFaceLab models in the workspace that are none of these.
    """

    models: tuple[dict[str, Any], ...]
    not_imported: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """One line per model."""
        return [_line(entry) for entry in self.models]

    def summary(self) -> str:
        """One line per model, and what could become one."""
        lines = self.lines()
        if not lines:
            lines = ["There is no model yet; `dflcolab train --model NAME` makes one."]
        return "\n".join([*lines, *_hint(self.not_imported)])


def model(
    workspace: Workspace, config: ModelConfig, *, progress: Progress | None = None
) -> ModelInfo | ModelList | UndoReport | RestoreReport | ImportReport | ExportReport:
    """List the models, say what one holds, bring one from or to DeepFaceLab, or back to an earlier state.

    Raises:
        ModelError: There is no such model, it is not said which of several, or its files do not fit.
        CheckpointError: No checkpoint of the model is whole.
        FormatError: A file of DeepFaceLab is damaged or unsafe.
        StorageError: The disk is full.
    """
    progress = progress or Progress()
    if config.action == "list":
        entries = tuple(_entry(workspace, name) for name in model_names(workspace))
        return ModelList(entries, not_imported=not_imported(workspace))
    if config.action == "info":
        return model_info(workspace, config.model or _only_model(workspace))
    if config.action == "undo":
        return undo_switch(workspace, config.model or _only_model(workspace))
    if config.action == "restore":
        return restore_state(workspace, config.model or _only_model(workspace), config.checkpoint)
    # Only here: it loads TensorFlow.
    from dflcolab.pipeline.model_files import export_model, import_model

    if config.action == "import":
        return import_model(workspace, config, progress)
    return export_model(workspace, config.model or _only_model(workspace), config, progress)


def not_imported(workspace: Workspace) -> tuple[str, ...]:
    """Ids of DeepFaceLab's models in `model/` that were neither imported nor exported here."""
    names = model_names(workspace)
    origins = [read_origin(workspace.model_dir(name)) for name in names]
    imported = {origin.id for origin in origins if origin is not None}
    known = {model_id for name in names for model_id in _ids_of(workspace, name)} | imported
    return tuple(sorted({found.id for found in dfl_models(workspace.models_dir)} - known))


def _ids_of(workspace: Workspace, name: str) -> set[str]:
    """What a model's own exports are called."""
    checkpoints = list_checkpoints(workspace.model_dir(name))
    try:
        arch = checkpoints[-1].state()["architecture"] if checkpoints else "saehd"
    except CheckpointError:
        return set()
    return {dfl_target(workspace.models_dir, name, arch).id}


def _hint(ids: tuple[str, ...]) -> list[str]:
    if not ids:
        return []
    names = ", ".join(ids)
    remedy = f"`dflcolab model import --model {ids[0]}` brings one over."
    return [f"DeepFaceLab models that were not imported: {names}; {remedy}"]


def model_names(workspace: Workspace) -> list[str]:
    """Folders under `model/` that hold at least one checkpoint folder."""
    return [folder.name for folder in workspace.model_dirs() if any(folder.glob("ckpt-*"))]


def model_info(workspace: Workspace, name: str) -> ModelInfo:
    """The latest whole checkpoint of a model, verified.

    Raises:
        ModelError: There is no such model.
        CheckpointError: None of its checkpoints is whole.
    """
    model_dir = workspace.model_dir(name)
    problems: list[str] = []
    checkpoint = latest_checkpoint(model_dir, on_problem=problems.append)
    if checkpoint is None:
        known = ", ".join(model_names(workspace)) or "none yet"
        raise ModelError(f"There is no model {name!r} in {workspace.root}; known are: {known}.")
    state = checkpoint.state()
    checkpoints = list_checkpoints(model_dir)
    best = best_checkpoint(model_dir)
    return ModelInfo(
        name=name,
        iteration=checkpoint.iteration,
        architecture=state["architecture"],
        options=state["options"],
        verified=True,
        pretraining=state["pretraining"],
        checkpoint=checkpoint.folder.name,
        checkpoints=tuple(c.folder.name for c in checkpoints),
        best=None if best is None else best.folder.name,
        states=tuple(map(_saved_state, checkpoints)),
        held_out_losses=state.get("held_out"),
        size_bytes=sum(size for size, _ in checkpoint.parts.values()),
        saved_at=state.get("saved_at", ""),
        problems=tuple(problems),
        not_imported=not_imported(workspace),
    )


def _saved_state(checkpoint: Checkpoint) -> SavedState:
    try:
        state = checkpoint.state()
    except CheckpointError:
        state = {}
    return SavedState(
        checkpoint.folder.name,
        checkpoint.iteration,
        state.get("held_out_loss"),
        str(state.get("saved_at", "")),
    )


def _only_model(workspace: Workspace) -> str:
    names = model_names(workspace)
    if len(names) == 1:
        return names[0]
    if not names:
        others = not_imported(workspace)
        if others:
            raise ModelError(
                f"There is no model in {workspace.root} yet; bring {others[0]} over with "
                f"`dflcolab model import --model {others[0]}`."
            )
        raise ModelError(
            f"There is no model in {workspace.root} yet; train one with `dflcolab train`."
        )
    raise ModelError(f"Say which model with --model NAME; there are {', '.join(names)}.")


def _entry(workspace: Workspace, name: str) -> dict[str, Any]:
    checkpoints = list_checkpoints(workspace.model_dir(name))
    if not checkpoints:
        return {"name": name, "problem": "no complete checkpoint"}
    try:
        state = checkpoints[-1].state()
        options = options_of(state["architecture"], state["options"], source=name)
    except DFLColabError as error:
        return {"name": name, "problem": str(error)}
    return {
        "name": name,
        "iteration": checkpoints[-1].iteration,
        "architecture": state["architecture"],
        "archi": getattr(options, "archi", options.arch),
        "resolution": options.resolution,
        "pretraining": state["pretraining"],
    }


def _line(entry: dict[str, Any]) -> str:
    if "problem" in entry:
        return f"{entry['name']}: {entry['problem']}"
    phase = " (pretraining)" if entry["pretraining"] else ""
    size = f" {entry['resolution']} px" if entry["resolution"] else ""
    kind = entry["archi"] or entry["architecture"]
    return f"{entry['name']}: {kind}{size}, iteration {entry['iteration']}{phase}"
