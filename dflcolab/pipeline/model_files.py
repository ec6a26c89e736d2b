"""`model import` and `model export`: DeepFaceLab's files both ways, and single-file models."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import dflcolab
from dflcolab.engine.checkpoint import Checkpoint, write_checkpoint
from dflcolab.engine.chosen_checkpoint import better_state, chosen_checkpoint
from dflcolab.engine.loss_history import LossHistory, losses_name, read_losses
from dflcolab.errors import ModelError
from dflcolab.exporting.dfl_export import write_dfl_model
from dflcolab.exporting.dfl_folder import choose_dfl_model, dfl_target
from dflcolab.exporting.dfl_import import ImportedModel, read_dfl_model
from dflcolab.exporting.dfl_origin import read_origin, write_origin
from dflcolab.exporting.single_file import write_single_file
from dflcolab.files import exclusive
from dflcolab.models.kinds import ModelOptions, options_of
from dflcolab.progress import Progress
from dflcolab.training.config import ModelConfig
from dflcolab.workspace.workspace import Rights, Workspace

_NOTE = (
    "Makes synthetic pictures of a real person's face. Use it with that person's consent only, and "
    "say of the results that they are synthetic."
)
_MASK_NOTE = "Makes masks of faces; it makes no pictures."


@dataclass(frozen=True)
class ImportReport:
    """What came over from DeepFaceLab.

    Attributes:
        model: Its name here.
        source: Folder of its files, unchanged.
        id: What its files are called.
        architecture: Kind of model.
        iteration: Finished iterations.
        pretraining: True while it has only seen a general faceset.
        options: As they are here.
        checkpoint: The new checkpoint.
        problems: Sentences about what could not be used as it is.
    """

    model: str
    source: Path
    id: str
    architecture: str
    iteration: int
    pretraining: bool
    options: dict[str, object]
    checkpoint: Path
    problems: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        phase = "pretraining, " if self.pretraining else ""
        verb = "mask train" if self.architecture == "xseg" else "train"
        first = (
            f"{self.id} of {self.source} is the model {self.model} now ({self.architecture}, "
            f"{phase}iteration {self.iteration}); `dflcolab {verb} --model {self.model}` goes on."
        )
        return "\n".join([first, *self.problems])


@dataclass(frozen=True)
class ExportReport:
    """What was written for other programs.

    Attributes:
        model: Its name here.
        format: As asked for.
        iteration: Of the checkpoint that was exported.
        files: All files.
        replaced: Folder that keeps an older set of the same name; None without.
        better: A sentence where another state has the lower held-out score; else empty.
        size_bytes: Of all files.
        problems: Sentences about what the other program will not know.
    """

    model: str
    format: str
    iteration: int
    files: tuple[Path, ...]
    replaced: Path | None
    size_bytes: int
    problems: tuple[str, ...]
    better: str = ""

    def summary(self) -> str:
        """The report in a few lines."""
        where = self.files[0] if len(self.files) == 1 else self.files[0].parent
        first = (
            f"{self.model}, iteration {self.iteration}, written as {self.format} to {where} "
            f"({len(self.files)} files, {self.size_bytes / 1e6:.1f} MB)."
        )
        lines = [first]
        if self.replaced:
            lines.append(f"The older files of that name are in {self.replaced}.")
        return "\n".join([*lines, *filter(None, [self.better]), *self.problems])


def import_model(workspace: Workspace, config: ModelConfig, progress: Progress) -> ImportReport:
    """Make a model of DeepFaceLab's files.

    Raises:
        ModelError: There is no such model, a part is missing or does not fit, or the name is taken.
        FormatError: A file is damaged or unsafe.
        StorageError: The disk is full.
    """
    found = choose_dfl_model(config.from_ or workspace.models_dir, config.model)
    name = config.as_ or found.own_name
    model_dir = workspace.model_dir(name)
    lock = model_dir.with_name(f".{name}.lock")
    busy = ModelError(f"Another process is training {name}; wait until it has ended.")
    with exclusive(lock, busy):
        if any(model_dir.glob("ckpt-*")):
            raise ModelError(
                f"There is a model {name!r} here already; import under another name with --as NAME."
            )
        if found.folder.resolve() == model_dir.resolve():
            raise ModelError(
                f"The files of {found.id} lie in {model_dir}, where its checkpoints would go; "
                "import under another name with --as NAME."
            )
        progress.message(f"Reading {found.id} in {found.folder}.")
        imported = read_dfl_model(found, seed=0, with_optimizer=config.optimizer)
        checkpoint = _write_model(model_dir, imported)
    state = imported.contents.state
    return ImportReport(
        model=name,
        source=found.folder,
        id=found.id,
        architecture=imported.options.arch,
        iteration=checkpoint.iteration,
        pretraining=state["pretraining"],
        options=state["options"],
        checkpoint=checkpoint.folder,
        problems=imported.notes,
    )


def export_model(
    workspace: Workspace, name: str, config: ModelConfig, progress: Progress
) -> ExportReport:
    """Write a checkpoint of a model for another program.

    Raises:
        ModelError: There is no such model, or the format cannot hold it.
        CheckpointError: That checkpoint is not there or not whole.
        StorageError: The disk is full.
    """
    model_dir = workspace.model_dir(name)
    problems: list[str] = []
    checkpoint = chosen_checkpoint(model_dir, config.checkpoint, on_problem=problems.append)
    if checkpoint is None:
        raise ModelError(
            f"There is no model {name!r} in {workspace.root}; see `dflcolab model list`."
        )
    state = checkpoint.state()
    options = options_of(state["architecture"], state["options"], source=str(checkpoint.folder))
    out = config.out or workspace.models_dir
    progress.message(f"Writing {name}, iteration {checkpoint.iteration}, as {config.format}.")
    replaced: Path | None = None
    busy = ModelError(f"Another process is exporting {name}; wait until it has ended.")
    with exclusive(model_dir.with_name(f".{name}.export.lock"), busy):
        if config.format == "dfl":
            target = dfl_target(out, config.as_ or name, options.arch)
            if target.name not in ("", config.as_ or name):
                problems.append(f"DeepFaceLab finds no names with _; the files are of {target.id}.")
            history = _losses(model_dir, checkpoint)
            written = write_dfl_model(target, checkpoint, options, history, read_origin(model_dir))
            files, replaced = written.files, written.replaced
            problems += written.notes
        else:
            path = write_single_file(
                out,
                config.format,
                config.as_ or name,
                checkpoint,
                options,
                provenance=provenance_of(workspace, name, checkpoint, options),
            )
            files = (path,)
    return ExportReport(
        model=name,
        format=config.format,
        iteration=checkpoint.iteration,
        files=files,
        replaced=replaced,
        size_bytes=sum(path.stat().st_size for path in files),
        problems=tuple(problems),
        better=better_state(
            model_dir, config.checkpoint, checkpoint.iteration, field="export_checkpoint"
        ),
    )


def provenance_of(
    workspace: Workspace, name: str, checkpoint: Checkpoint, options: ModelOptions
) -> dict[str, str]:
    """Texts that a file carries so that people can tell where it comes from and what it makes."""
    rights = workspace.settings.rights
    said = {
        side: "not recorded" if found is None else _rights_text(found)
        for side, found in rights.items()
    }
    return {
        "software": "dflcolab",
        "version": dflcolab.__version__,
        "model": name,
        "architecture": options.arch,
        "iteration": str(checkpoint.iteration),
        "resolution": str(options.resolution),
        "face_type": options.face_type.value,
        "rights_src": said["src"],
        "rights_dst": said["dst"],
        "note": _MASK_NOTE if options.arch == "xseg" else _NOTE,
    }


def _rights_text(rights: Rights) -> str:
    return f"{rights.basis.value} ({rights.note})" if rights.note else rights.basis.value


def _write_model(model_dir: Path, imported: ImportedModel) -> Checkpoint:
    """History, origin, then the checkpoint, with which the model begins to exist."""
    state = imported.contents.state
    path = model_dir / losses_name(pretraining=state["pretraining"])
    history = LossHistory(path)
    history.start_at(0)
    history.append(imported.losses)
    history.flush()
    history.force()
    write_origin(model_dir, imported.origin)
    state = {**state, "loss_history": {"file": path.name, "count": imported.contents.iteration}}
    return write_checkpoint(model_dir, dataclasses.replace(imported.contents, state=state))


def _losses(model_dir: Path, checkpoint: Checkpoint) -> npt.NDArray[np.float32]:
    """The entries that belong to the checkpoint; a run that was killed later wrote more."""
    history = checkpoint.state()["loss_history"]
    return read_losses(model_dir / history["file"])[: checkpoint.iteration]
