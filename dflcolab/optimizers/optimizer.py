"""AdaBelief and RMSprop as DeepFaceLab computes them, with its slots.

No bias correction, epsilon 1e-6 outside of the root, optional clipping of the global norm and
learning-rate dropout with its cosine. Formulas: DFL interoperability notes, section 3.8.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dflcolab.arrays import Array, Tensor
from dflcolab.backend import fused, tf
from dflcolab.errors import CheckpointError

_EPSILON = 1e-6
_ADABELIEF_BETAS = (0.9, 0.999)
_RMSPROP_RHO = 0.9
DROPOUT_KEEP = 0.3
COSINE_PERIOD = 500

_WORTH_FUSING = 50_000  # weights; smaller variables cost more to compile than they save

Kind = Literal["adabelief", "rmsprop"]
_SLOTS: Mapping[str, tuple[str, ...]] = {"adabelief": ("ms", "vs"), "rmsprop": ("acc",)}


@dataclass(frozen=True)
class OptimizerSettings:
    """How a step is computed.

    Attributes:
        kind: `adabelief` or `rmsprop`.
        learning_rate: Size of a step.
        clip_norm: Largest global norm of the gradients; 0 = no limit.
        dropout_keep: Share of the weights that a step changes; 1 = all.
        cosine_period: Steps in which the rate swings to 0 and back; 0 = constant.
    """

    kind: Kind = "adabelief"
    learning_rate: float = 5e-5
    clip_norm: float = 0.0
    dropout_keep: float = 1.0
    cosine_period: int = 0


class Optimizer:
    """Slots and step count of all variables, and the update.

    Args:
        variables: Full variable name to variable. All of them have slots, also those that a run
            leaves frozen.
        kind: `adabelief` or `rmsprop`.
    """

    def __init__(self, variables: Mapping[str, tf.Variable], kind: Kind) -> None:
        self.kind: Kind = kind
        self.iterations = tf.Variable(tf.zeros([], tf.int64), trainable=False, name="iters")
        self._variables = dict(variables)
        self._plain = _RULES[kind]
        self._fused = _FUSED[kind]
        self._slots: dict[str, tuple[tf.Variable, ...]] = {
            name: tuple(
                tf.Variable(tf.zeros(variable.shape, tf.float32), trainable=False)
                for _ in _SLOTS[kind]
            )
            for name, variable in variables.items()
        }

    def apply(
        self,
        gradients: Mapping[str, Tensor],
        settings: OptimizerSettings,
        *,
        seed: Tensor | None = None,
    ) -> None:
        """Change the variables by one step. All gradients must come from the old weights.

        Args:
            gradients: Full variable name to gradient, any float type.
            settings: Rate, clipping, dropout.
            seed: Two integers for the dropout masks; needed when `dropout_keep` is below 1.
        """
        gradients = dict(gradients)
        step = self.iterations.assign_add(1, read_value=True)
        rate = tf.constant(settings.learning_rate, tf.float32)
        if settings.cosine_period:
            turn = 2 * math.pi / settings.cosine_period
            rate *= (tf.cos(tf.cast(step, tf.float32) * turn) + 1) / 2
        if settings.clip_norm:
            gradients = {name: tf.cast(g, tf.float32) for name, g in gradients.items()}
            norm = tf.linalg.global_norm(list(gradients.values()))
            factor = tf.where(norm >= settings.clip_norm, settings.clip_norm / norm, 1.0)
            gradients = {name: gradient * factor for name, gradient in gradients.items()}
        for name, gradient in gradients.items():
            keep = None
            if settings.dropout_keep < 1:
                assert seed is not None
                keep = _keep_mask(name, gradient, settings.dropout_keep, seed)
            variable, slots = self._variables[name], self._slots[name]
            update = self._fused if variable.shape.num_elements() >= _WORTH_FUSING else self._plain
            # Values, not variables: a compiled function takes the per-device variables of several
            # devices for one another where their shapes are alike.
            values = tf.convert_to_tensor(variable), tuple(map(tf.convert_to_tensor, slots))
            changed, *new_slots = update(*values, gradient, rate, keep)
            variable.assign(changed, read_value=False)
            for slot, value in zip(slots, new_slots, strict=True):
                slot.assign(value, read_value=False)

    def forget(self, names: Iterable[str]) -> None:
        """Set the slots of some variables to zero; the step count stays."""
        for name in names:
            for slot in self._slots[name]:
                slot.assign(tf.zeros_like(slot))

    def state(self) -> dict[str, Array]:
        """All slots and the step count under DFL's keys (`ms_encoder/…/weight_0:0`, `iters:0`)."""
        found: dict[str, Array] = {"iters:0": np.asarray(self.iterations.numpy(), np.int64)}
        for position, slot in enumerate(_SLOTS[self.kind]):
            for name, slots in self._slots.items():
                found[slot_key(slot, name)] = slots[position].numpy()
        return found

    def load(self, state: Mapping[str, Array], *, source: str) -> None:
        """Take over slots and step count.

        Slots of the other kind of optimizer are not used: the step count is kept and the slots
        start from zero, as in DFL.

        Raises:
            CheckpointError: A slot is missing or has another shape.
        """
        if "iters:0" not in state:
            raise CheckpointError(f"{source} has no optimizer step count; use another checkpoint.")
        self.iterations.assign(int(state["iters:0"]))
        if not any(key.startswith(f"{_SLOTS[self.kind][0]}_") for key in state):
            return
        for position, slot in enumerate(_SLOTS[self.kind]):
            for name, slots in self._slots.items():
                key = slot_key(slot, name)
                if key not in state:
                    raise CheckpointError(f"{source} lacks {key}; use another checkpoint.")
                if tuple(state[key].shape) != tuple(slots[position].shape):
                    raise CheckpointError(
                        f"{source}: {key} has shape {list(state[key].shape)} instead of "
                        f"{list(slots[position].shape)}; use another checkpoint."
                    )
                slots[position].assign(state[key])


def _adabelief(
    variable: Tensor,
    slots: tuple[Tensor, ...],
    gradient: Tensor,
    rate: Tensor,
    keep: Tensor | None,
) -> tuple[Tensor, ...]:
    """New variable, mean and variance."""
    m, v = slots
    gradient = tf.cast(gradient, tf.float32)
    beta_1, beta_2 = _ADABELIEF_BETAS
    new_m = beta_1 * m + (1 - beta_1) * gradient
    new_v = beta_2 * v + (1 - beta_2) * tf.square(gradient - new_m)
    change = rate * new_m / (tf.sqrt(new_v) + _EPSILON)
    return variable - (change if keep is None else change * keep), new_m, new_v


def _rmsprop(
    variable: Tensor,
    slots: tuple[Tensor, ...],
    gradient: Tensor,
    rate: Tensor,
    keep: Tensor | None,
) -> tuple[Tensor, ...]:
    """New variable and mean square."""
    (acc,) = slots
    gradient = tf.cast(gradient, tf.float32)
    new_acc = _RMSPROP_RHO * acc + (1 - _RMSPROP_RHO) * tf.square(gradient)
    change = rate * gradient / (tf.sqrt(new_acc) + _EPSILON)
    return variable - (change if keep is None else change * keep), new_acc


_RULES: Mapping[str, Callable[..., tuple[Tensor, ...]]] = {
    "adabelief": _adabelief,
    "rmsprop": _rmsprop,
}


_FUSED = {kind: fused(rule) for kind, rule in _RULES.items()}
"""An update reads and writes gigabytes and computes little: one pass instead of ten."""


def _keep_mask(name: str, gradient: Tensor, share: float, seed: Tensor) -> Tensor:
    """1 for the weights that this step may change, 0 for the others."""
    own_seed: Tensor = tf.random.fold_in(seed, zlib.crc32(name.encode()) & 0x7FFFFFFF)
    return tf.cast(tf.random.stateless_uniform(gradient.shape, own_seed) < share, tf.float32)


def slot_key(slot: str, variable_name: str) -> str:
    """DFL's key of a slot: `ms_encoder/down1/downs_0/conv1/weight_0:0`."""
    return f"{slot}_{variable_name.replace(':', '_')}:0"
