"""A DeepFaceLab model as the content of a checkpoint, from which training goes on.

Nothing is made up: a file, a weight or a slot that is missing or has another number of values is
an error that names it. DeepFaceLab would start it anew in silence.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Array
from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Contents
from dflcolab.engine.loss_history import COLUMNS
from dflcolab.engine.optimizer_states import join_states
from dflcolab.errors import ModelError
from dflcolab.exporting.dfl_folder import DflModel
from dflcolab.exporting.dfl_options import options_from_dfl
from dflcolab.exporting.dfl_origin import Origin
from dflcolab.exporting.resting import resting_groups
from dflcolab.formats.leras_weights import read_weights
from dflcolab.formats.model_state import ModelState, read_model_state
from dflcolab.models.build import Group, groups_of
from dflcolab.models.kinds import ModelOptions
from dflcolab.models.layers import Shapes
from dflcolab.models.weight_map import read_dfl_weights
from dflcolab.optimizers.optimizer import slot_key

_XSEG_FIRST = "conv01/conv/bias:0"
_SLOTS = {True: ("ms", "vs"), False: ("acc",)}
"""Names of the slots: AdaBelief, RMSprop."""


@dataclass(frozen=True)
class ImportedModel:
    """Everything that a DeepFaceLab model brings.

    Attributes:
        contents: For the checkpoint.
        options: The same options as an object.
        losses: Loss history, `[iteration, 2]` float32; NaN where nothing is known.
        origin: What only DeepFaceLab understands, for the way back.
        notes: Sentences about what could not be used as it is.
    """

    contents: Contents
    options: ModelOptions
    losses: npt.NDArray[np.float32]
    origin: Origin
    notes: tuple[str, ...]


def read_dfl_model(found: DflModel, *, seed: int, with_optimizer: bool = True) -> ImportedModel:
    """Read all files of a DeepFaceLab model.

    Args:
        found: Which one.
        seed: Root of the random numbers of the training to come; DeepFaceLab stores none.
        with_optimizer: False starts the optimizers anew, for models whose files lack them.

    Raises:
        ModelError: A part is missing or does not fit.
        FormatError: A file is damaged.
        UnsafeFileError: A file asks for more than data.
        ConfigError: The model's options cannot be.
    """
    state = read_model_state(found.data_path)
    if state.iteration == 0 and not state.options:
        raise ModelError(f"{found.data_path} is of a model that was never trained; train it first.")
    mapped = options_from_dfl(
        found.arch, _stored_options(found, state), source=str(found.data_path)
    )
    options, notes = mapped.options, list(mapped.notes)
    notes += [f"{name} holds no plain data and is left out." for name in state.left_out]

    weights: dict[str, Array] = {}
    optimizers: dict[str, dict[str, Array]] = {}
    for group in groups_of(options):
        weights |= read_dfl_weights(group.networks, found.folder, prefix=found.prefix)
        optimizers[group.optimizer] = (
            _optimizer_state(found, group, uses_adabelief(options), notes)
            if with_optimizer
            else _fresh_state(group, uses_adabelief(options), 0)
        )
    for group in resting_groups(options):
        if not all(found.part_path(name).is_file() for name in [*group.networks, group.optimizer]):
            continue
        try:
            resting = read_dfl_weights(group.networks, found.folder, prefix=found.prefix)
            state_of = _optimizer_state(found, group, uses_adabelief(options), notes)
        except ModelError:
            # Of other settings than the present ones; DeepFaceLab would start it anew as well.
            name = found.part_path(next(iter(group.networks))).name
            notes.append(f"{name} is not brought over: its option is off, and its size is another.")
            continue
        weights |= resting
        optimizers[group.optimizer] = state_of
    losses = _losses(state, notes)
    contents = Contents(
        iteration=state.iteration,
        weights=weights,
        optimizer=join_states(optimizers),
        state=_state(options, state.iteration, seed),
    )
    origin = Origin(found.id, dict(state.options), dict(state.other))
    return ImportedModel(contents, options, losses, origin, tuple(notes))


def uses_adabelief(options: ModelOptions) -> bool:
    """Which of the two optimizers a model has: a choice in SAEHD only."""
    return bool(getattr(options, "adabelief", options.arch == "amp"))


def _stored_options(found: DflModel, state: ModelState) -> Mapping[str, Any]:
    """Stored options; XSeg's width is not among them and stands in its weights."""
    if found.arch != "xseg":
        return state.options
    path = found.part_path("XSeg_256")
    if not path.is_file():
        raise ModelError(f"{path} is missing; copy all files of the DeepFaceLab model there.")
    first = read_weights(path).get(_XSEG_FIRST)
    if first is None:
        raise ModelError(f"{path} lacks the weight XSeg/{_XSEG_FIRST}; it does not fit this model.")
    return {**state.options, "base": first.size}


def _optimizer_state(
    found: DflModel, group: Group, adabelief: bool, notes: list[str]
) -> dict[str, Array]:
    path = found.part_path(group.optimizer)
    if not path.is_file():
        raise ModelError(
            f"{path} is missing; copy it there, or add --no-optimizer to start the optimizer anew."
        )
    stored = read_weights(path)
    steps = stored.get("iters:0")
    if steps is None or steps.size != 1 or steps.dtype.kind not in "iu":
        raise ModelError(
            f"{path} holds no count of steps (iters:0); use another copy of it, or add "
            "--no-optimizer to start the optimizer anew."
        )
    fresh = _fresh_state(group, adabelief, int(steps.reshape(-1)[0]))
    wanted, other = _SLOTS[adabelief], _SLOTS[not adabelief]
    if _has(stored, other) and not _has(stored, wanted):
        notes.append(
            f"{path.name} is of the other kind of optimizer than the options say: its count of "
            "steps is kept and its slots start from zero, as in DeepFaceLab."
        )
        return fresh
    for key, zeros in fresh.items():
        if key == "iters:0":
            continue
        value = stored.get(key)
        if value is None:
            raise ModelError(
                f"{path} lacks {key}; use another copy of it, or add --no-optimizer to start the "
                "optimizer anew."
            )
        if value.size != zeros.size:
            raise ModelError(
                f"{path}: {key} has shape {list(value.shape)} instead of {list(zeros.shape)}; use "
                "another copy of it, or add --no-optimizer to start the optimizer anew."
            )
        fresh[key] = np.ascontiguousarray(value.reshape(zeros.shape), np.float32)
    return fresh


def _fresh_state(group: Group, adabelief: bool, steps: int) -> dict[str, Array]:
    shapes: Shapes = group.shapes()
    found: dict[str, Array] = {"iters:0": np.asarray(steps, np.int64)}
    for slot in _SLOTS[adabelief]:
        for name in group.slotted:
            found[slot_key(slot, name)] = np.zeros(shapes[name], np.float32)
    return found


def _has(stored: Mapping[str, Array], slots: tuple[str, ...]) -> bool:
    return any(key.startswith(f"{slots[0]}_") for key in stored)


def _losses(state: ModelState, notes: list[str]) -> npt.NDArray[np.float32]:
    """The history as we keep it: one row per iteration, the last row that of the last iteration."""
    found = np.full((state.iteration, COLUMNS), np.nan, np.float32)
    known = state.losses[-state.iteration :] if state.iteration else state.losses[:0]
    if len(state.losses) != state.iteration:
        notes.append(
            f"The loss history has {len(state.losses)} entries for {state.iteration} iterations; "
            "the last ones are kept."
        )
    if len(known):
        columns = min(COLUMNS, known.shape[1])
        found[state.iteration - len(known) :, :columns] = known[:, :columns]
    return found


def _state(options: ModelOptions, iteration: int, seed: int) -> dict[str, Any]:
    pretraining = bool(getattr(options, "pretrain", False))
    return {
        "architecture": options.arch,
        "options": to_plain(options),
        "pretraining": pretraining,
        "seed": seed,
        "precision": "float32",
        "sampler": {side: {"position": 0} for side in ("src", "dst")},
        "loss_history": {"count": iteration},
        "faces": {side: {"training": 0, "held_out": 0} for side in ("src", "dst")},
        "held_out": None,
        "held_out_loss": None,
        "saved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
