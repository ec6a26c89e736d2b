"""Small models of every kind with weights that anybody can compute, as checkpoints and options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Checkpoint, Contents, write_checkpoint
from dflcolab.engine.optimizer_states import join_states
from dflcolab.exporting.dfl_import import uses_adabelief
from dflcolab.models.build import groups_of
from dflcolab.models.kinds import ModelOptions, options_of
from dflcolab.optimizers.optimizer import slot_key
from tests.parity.model_vectors import formula_weights

SMALL: dict[str, dict[str, Any]] = {
    "df": {"arch": "saehd", "archi": "df"},
    "df-ud": {"arch": "saehd", "archi": "df-ud", "face_type": "wf"},
    "liae-ud": {"arch": "saehd", "archi": "liae-ud", "adabelief": False},
    "liae-udtc": {"arch": "saehd", "archi": "liae-udtc"},
    "gan": {"arch": "saehd", "archi": "df-d", "gan_power": 0.1, "gan_dims": 4,
            "true_face_power": 0.01},
    "amp": {"arch": "amp", "inter_dims": 12},
    "amp_gan": {"arch": "amp", "inter_dims": 10, "gan_power": 0.1, "gan_dims": 4},
    "quick96": {"arch": "quick96"},
    "xseg": {"arch": "xseg", "base": 2},
}  # fmt: skip
"""Kinds of models by a short name, with the options that differ from `_DIMS`."""

_DIMS = {"resolution": 64, "ae_dims": 8, "e_dims": 4, "d_dims": 2, "d_mask_dims": 2}


def small_options(name: str) -> ModelOptions:
    """Options of one of `SMALL`."""
    values = dict(SMALL[name])
    arch = values.pop("arch")
    dims = _DIMS if arch in ("saehd", "amp") else {}
    return options_of(arch, {**dims, **values})


def small_weights(options: ModelOptions, seed: int = 5) -> dict[str, np.ndarray]:
    """Weights of all networks of a model, discriminators included."""
    shapes = {name: shape for group in groups_of(options) for name, shape in group.shapes().items()}
    return formula_weights(shapes, seed)


def small_checkpoint(
    model_dir: Path, options: ModelOptions, *, iteration: int = 7, n_losses: int = 7
) -> Checkpoint:
    """A complete checkpoint, its slots and losses all different numbers."""
    weights = small_weights(options)
    states: dict[str, dict[str, np.ndarray]] = {}
    slots = ("ms", "vs") if uses_adabelief(options) else ("acc",)
    for number, group in enumerate(groups_of(options)):
        states[group.optimizer] = {"iters:0": np.asarray(iteration - number, np.int64)} | {
            slot_key(slot, name): weights[name] * (index + 2)
            for index, slot in enumerate(slots)
            for name in group.slotted
        }
    state = json.loads(
        json.dumps(
            {
                "architecture": options.arch,
                "options": to_plain(options),
                "pretraining": bool(getattr(options, "pretrain", False)),
                "loss_history": {"file": "losses.bin", "count": iteration},
                "saved_at": "2026-01-01T00:00:00Z",
            }
        )
    )
    model_dir.mkdir(parents=True, exist_ok=True)
    losses(iteration=n_losses).astype("<f4").tofile(model_dir / "losses.bin")
    contents = Contents(iteration, weights, join_states(states), state)
    return write_checkpoint(model_dir, contents)


def losses(iteration: int = 7) -> np.ndarray:
    """`[iteration, 2]`, float32."""
    return (np.arange(2 * iteration).reshape(-1, 2) / 10 + 0.05).astype(np.float32)


def some_faces(count: int, size: int, seed: int = 3) -> np.ndarray:
    """`[count, size, size, 3]` float32 in 0..1."""
    return np.random.default_rng(seed).random((count, size, size, 3), dtype=np.float32)
