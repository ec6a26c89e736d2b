"""`mask train`: teach an XSeg network what the drawn outlines show."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.errors import ConfigError, FacesetError
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import Faceset, load_faceset
from dflcolab.models.options import TRAINABLE_FACE_TYPES
from dflcolab.pipeline.fetch import faceset_path, model_folder
from dflcolab.pipeline.model_files import import_model
from dflcolab.pipeline.places import places_of
from dflcolab.progress import Progress
from dflcolab.runtime.rules import require_choice
from dflcolab.runtime.where import Where
from dflcolab.training.config import ModelConfig, TrainConfig
from dflcolab.training.trainer import Copies
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.run import MaskTrainReport, run_mask_training


def train_masks(
    workspace: Workspace,
    config: MaskConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
    copies: Copies | None = None,
) -> MaskTrainReport:
    """Train an XSeg network, new or resumed, on the labelled faces of the workspace.

    Safe to run again after any interruption: it goes on from the newest whole checkpoint.

    Args:
        workspace: Its `aligned` folders are read, its `model/` and `history/` written.
        config: How to train.
        progress: Shows the work; its stop request ends the run after a save.
        where: Kind of place; found out when None.
        copies: Copies checkpoints elsewhere meanwhile.

    Raises:
        RightsError: The machine's operator has rules, and the user has not chosen yet.
        FacesetError: No face is labelled.
        ConfigError: An option is unknown or out of range.
        ModelError: The options do not fit the model on disk, or training diverged.
        DownloadError: A faceset or model cannot be fetched.
        StorageError: The disk is full.
        Interrupted: The user asked to stop; everything is saved.
    """
    progress = progress or Progress()
    require_choice(workspace, where)
    bring_model(workspace, config, progress)
    parts: dict[str, Faceset] = {}
    missing: list[str] = []
    for side in Side if config.side is None else (config.side,):
        try:
            parts[side.value] = load_faceset(workspace.aligned_dir(side), progress=progress)
        except FacesetError as error:
            missing.append(str(error))
    for number, source in enumerate(config.faceset, start=1):
        path = faceset_path(source, progress)
        parts[f"faceset-{number}"] = load_faceset(path, progress=progress)
    if not parts:
        raise FacesetError(missing[0])
    joined = _joined(parts.items())
    return run_mask_training(
        config,
        places_of(workspace, config.model),
        joined,
        face_type=_trainable(workspace.settings.face_type),
        progress=progress,
        problems=joined.problems,
        copies=copies,
    )


def mask_config_of(config: TrainConfig) -> MaskConfig:
    """What `train --arch xseg` means as `mask train`; options left as they are keep that one's defaults.

    Raises:
        ConfigError: An option is given that XSeg has not.
    """
    usual = TrainConfig(model=config.model)
    given = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != getattr(usual, field.name)
    }
    known = {field.name for field in dataclasses.fields(MaskConfig)}
    strange = given.keys() - known - {"arch", "remote", "push_minutes"}
    if strange or config.batch == "auto":
        name = min(strange, default="batch").replace("_", "-")
        raise ConfigError(
            f"--{name} = {given[name.replace('-', '_')]} means nothing to an XSeg model; leave it out "
            "(options of the network go by --set: face_type, base, learning_rate)."
        )
    return MaskConfig(
        action="train",
        model=config.model,
        **{name: value for name, value in given.items() if name in known},
    )


def bring_model(workspace: Workspace, config: MaskConfig, progress: Progress) -> None:
    """Import the XSeg model of `from_`, a folder or a link, where there is none of that name yet.

    Where its files are passed on without `XSeg_256_opt.npy`, the optimizer starts anew.

    Raises:
        DownloadError: It cannot be fetched.
        ModelError: It holds no XSeg model.
        FormatError: A file is damaged or unsafe.
    """
    if config.from_ is None:
        return
    if list_checkpoints(workspace.model_dir(config.model)):
        progress.message(
            f"The workspace has a model {config.model} already, so nothing is taken from --from; name "
            "another one with --model to begin with that."
        )
        return
    folder = model_folder(config.from_, progress)
    found = next(iter(sorted(folder.rglob("XSeg_data.dat"))), folder / "XSeg_data.dat").parent
    wanted = ModelConfig(
        action="import",
        model="XSeg",
        from_=found,
        as_=config.model,
        optimizer=(found / "XSeg_256_opt.npy").is_file(),
    )
    report = import_model(workspace, wanted, progress)
    progress.message(f"{config.from_} is the model {report.model} now.")


def _joined(parts: Iterable[tuple[str, Faceset]]) -> Faceset:
    """Several facesets as one, with their label before the names."""
    names: list[str] = []
    whole = Faceset((), ())
    for label, part in parts:
        names += [f"{label}/{name}" for name in part.names]
        problems = [*whole.problems, *part.problems]
        whole = Faceset(tuple(names), (*whole.faces, *part.faces), problems)
    return whole


def _trainable(face_type: FaceType) -> FaceType:
    return face_type if face_type in TRAINABLE_FACE_TYPES else FaceType.WHOLE
