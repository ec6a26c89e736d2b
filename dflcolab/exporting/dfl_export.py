"""A checkpoint as the set of files that DeepFaceLab loads, complete or not there at all.

DeepFaceLab finds a model by its `data.dat`. So that file goes first and comes last: the new set is
written to a hidden folder, an older set of the same name is kept in a folder of its own, then its
files go, `data.dat` before the others, and the new ones move in, `data.dat` after the others.
Whenever that is interrupted, DeepFaceLab sees the old set, the new one or none, never parts of both,
and the old one is whole at its place or in its folder.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Array
from dflcolab.engine.checkpoint import Checkpoint
from dflcolab.engine.optimizer_states import split_states
from dflcolab.errors import ModelError
from dflcolab.exporting.dfl_folder import REPLACED, DflModel
from dflcolab.exporting.dfl_options import options_to_dfl, unknown_to_dfl
from dflcolab.exporting.dfl_origin import Origin
from dflcolab.exporting.dfl_summary import summary_text
from dflcolab.exporting.resting import resting_groups
from dflcolab.files import TEMPORARY_SUFFIX, fsync_dir, storage_errors, write_text
from dflcolab.formats.leras_weights import write_weights
from dflcolab.formats.model_state import ModelState, write_model_state
from dflcolab.models.build import Group, groups_of
from dflcolab.models.kinds import ModelOptions
from dflcolab.models.weight_map import checked_weights, write_dfl_weights
from dflcolab.optimizers.optimizer import slot_key
from dflcolab.workspace.moving import copy_file


@dataclass(frozen=True)
class ExportedFiles:
    """What an export wrote.

    Attributes:
        files: All files, at their place.
        replaced: Folder that now holds the set of that name that was there before; None without.
        notes: Sentences about what DeepFaceLab will not know.
    """

    files: tuple[Path, ...]
    replaced: Path | None
    notes: tuple[str, ...]


def write_dfl_model(
    target: DflModel,
    checkpoint: Checkpoint,
    options: ModelOptions,
    losses: npt.NDArray[np.float32],
    origin: Origin | None,
) -> ExportedFiles:
    """Write a complete set of files.

    Args:
        target: Folder, made if missing, and names.
        checkpoint: A verified one.
        options: Its options.
        losses: Loss history, `[N, 2]`.
        origin: What the model brought from DeepFaceLab, if it came from there.

    Raises:
        ModelError: The checkpoint does not fit its options.
        StorageError: Disk full, read-only or gone; an older set is untouched or moved aside whole.
    """
    with storage_errors(target.folder):
        target.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target)
        temporary = target.folder / f".{target.id}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}"
        temporary.mkdir()
        try:
            inside = DflModel(temporary, target.name, target.dfl_class)
            notes = _write_parts(inside, checkpoint, options, losses, origin)
            fsync_dir(temporary)
            replaced = _set_aside(target)
            files = _move_in(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return ExportedFiles(files, replaced, tuple(notes))


def remove_leftovers(target: DflModel) -> None:
    """Delete what a killed export left under a temporary name."""
    for path in target.folder.glob(f".{target.id}.*{TEMPORARY_SUFFIX}"):
        shutil.rmtree(path, ignore_errors=True)


def _write_parts(
    inside: DflModel,
    checkpoint: Checkpoint,
    options: ModelOptions,
    losses: npt.NDArray[np.float32],
    origin: Origin | None,
) -> list[str]:
    source = str(checkpoint.folder)
    stored = checkpoint.weights()
    groups = [
        *groups_of(options),
        *(g for g in resting_groups(options) if _is_whole(g, stored, checkpoint.optimizer())),
    ]
    states = split_states(checkpoint.optimizer(), [group.optimizer for group in groups])
    for group in groups:
        weights = checked_weights(group.shapes(), stored, source=source)
        write_dfl_weights(group.networks, weights, inside.folder, prefix=inside.prefix)
        state = _dfl_state(group, states.get(group.optimizer), source)
        write_weights(inside.part_path(group.optimizer), state)
    dfl_options = options_to_dfl(options, origin.options if origin else {})
    columns = 1 if options.arch == "xseg" else losses.shape[1]
    known = losses[np.isfinite(losses[:, :columns]).all(axis=1), :columns]
    write_text(inside.summary_path, summary_text(inside.id, checkpoint.iteration, dfl_options))
    write_model_state(
        inside.data_path,
        ModelState(
            iteration=checkpoint.iteration,
            options=dfl_options,
            losses=known.astype(np.float64),
            other=origin.other if origin else {"choosed_gpu_indexes": None},
        ),
    )
    return _notes(checkpoint, unknown_to_dfl(options))


def _is_whole(group: Group, weights: Mapping[str, Array], slots: Mapping[str, Array]) -> bool:
    """True if a discriminator that is switched off is in the checkpoint all the same."""
    shapes = group.shapes()
    fits = all(name in weights and weights[name].shape == shapes[name] for name in shapes)
    return fits and f"{group.optimizer}/iters:0" in slots


def _notes(checkpoint: Checkpoint, unknown: Mapping[str, Any]) -> list[str]:
    notes = [f"DeepFaceLab does not know {name} = {value}." for name, value in unknown.items()]
    if checkpoint.iteration == 0:
        notes.append("At iteration 0 DeepFaceLab takes a model for a new one and asks everything.")
    if "base" in unknown:
        notes.append("DeepFaceLab loads XSeg networks with base = 32 only.")
    return notes


def _dfl_state(group: Group, state: Mapping[str, Array] | None, source: str) -> dict[str, Array]:
    """The optimizer's state with the keys of DeepFaceLab's file, in its order."""
    if state is None or "iters:0" not in state:
        raise ModelError(f"{source} lacks the state of {group.optimizer}; use another checkpoint.")
    kind = "acc" if any(key.startswith("acc_") for key in state) else "ms"
    found = {"iters:0": np.asarray(state["iters:0"], np.int64)}
    for slot in {"acc": ("acc",), "ms": ("ms", "vs")}[kind]:
        for name in group.slotted:
            key = slot_key(slot, name)
            if key not in state:
                raise ModelError(
                    f"{source} lacks {key} of {group.optimizer}; use another checkpoint."
                )
            found[key] = state[key]
    return found


def _set_aside(target: DflModel) -> Path | None:
    """Keep an older set of this name in a folder of its own, then take it away from its place."""
    old = sorted(_files_of(target), key=lambda path: path != target.data_path)
    if not old:
        return None
    folder = _free_name(
        target.folder / f"{target.id}{REPLACED}{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    )
    temporary = target.folder / f".{target.id}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}"
    temporary.mkdir()
    for path in old:
        try:
            os.link(path, temporary / path.name)
        except OSError:  # a mounted Drive has no links
            copy_file(path, temporary / path.name)
    fsync_dir(temporary)
    temporary.rename(folder)
    fsync_dir(target.folder)
    for path in old:
        path.unlink()
        if path == target.data_path:
            fsync_dir(target.folder)
    return folder


def _free_name(folder: Path) -> Path:
    candidates = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain([folder], candidates) if not path.exists())


def _files_of(target: DflModel) -> list[Path]:
    """The files that DeepFaceLab would load, whatever networks they are of."""
    known = [target.data_path, target.summary_path]
    pattern = "XSeg_256*.npy" if target.dfl_class == "XSeg" else f"{_escaped(target.prefix)}*.npy"
    return [path for path in [*known, *target.folder.glob(pattern)] if path.is_file()]


def _escaped(text: str) -> str:
    return "".join(f"[{sign}]" if sign in "[]*?" else sign for sign in text)


def _move_in(temporary: Path, target: DflModel) -> tuple[Path, ...]:
    names = sorted(path.name for path in temporary.iterdir())
    names.sort(key=lambda name: name == target.data_path.name)
    for name in names:
        if name == target.data_path.name:
            fsync_dir(target.folder)
        os.replace(temporary / name, target.folder / name)
    fsync_dir(target.folder)
    return tuple(target.folder / name for name in names)
