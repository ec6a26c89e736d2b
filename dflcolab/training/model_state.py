"""The numbers that change while a model trains: variables, and what its optimizers remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dflcolab.arrays import Array
from dflcolab.backend import tf
from dflcolab.engine.optimizer_states import join_states, split_states
from dflcolab.models.build import groups_of
from dflcolab.models.initial import initial_weights
from dflcolab.models.kinds import ModelOptions
from dflcolab.models.layers import Shapes
from dflcolab.models.options import LearningRateDropout, SwapOptions
from dflcolab.models.saehd.options import SaehdOptions
from dflcolab.models.weight_map import checked_weights
from dflcolab.optimizers.optimizer import (
    COSINE_PERIOD,
    DROPOUT_KEEP,
    Kind,
    Optimizer,
    OptimizerSettings,
    slot_key,
)

_DISCRIMINATORS = ("dis/", "D_src/", "GAN/")


def optimizer_kind(options: ModelOptions) -> Kind:
    """AdaBelief where the options say so, and always in AMP."""
    if isinstance(options, SaehdOptions):
        return "adabelief" if options.adabelief else "rmsprop"
    return "adabelief" if options.arch == "amp" else "rmsprop"


def optimizer_settings(options: ModelOptions) -> OptimizerSettings:
    """What the options mean for all optimizers of the model.

    SAEHD and AMP: learning-rate dropout as an option, with the cosine, and never in pretraining.
    Quick96 and XSeg: always, without the cosine.
    """
    kind = optimizer_kind(options)
    if not isinstance(options, SwapOptions):
        return OptimizerSettings(
            kind=kind, learning_rate=options.learning_rate, dropout_keep=DROPOUT_KEEP
        )
    dropout = options.lr_dropout is not LearningRateDropout.NO and not options.pretrain
    return OptimizerSettings(
        kind=kind,
        learning_rate=options.learning_rate,
        clip_norm=1.0 if options.clipgrad else 0.0,
        dropout_keep=DROPOUT_KEEP if dropout else 1.0,
        cosine_period=COSINE_PERIOD if dropout else 0,
    )


class ModelState:
    """Variables and optimizers of a model, with those of discriminators that are switched off.

    A discriminator whose option goes back to 0 is kept beside the model and is taken up again when
    the option returns, as DeepFaceLab does with its files.

    Args:
        options: Which networks there are.
        seed: Root of the numbers for fresh weights.
        weights: Full variable name to array; None = all fresh. The generator's must be complete.
            A discriminator that is missing starts fresh.
        optimizer: Slots of all optimizers, joined as in a checkpoint; None = all from zero. Those
            of the generator must be complete.
        source: What to name in errors.
        note: Gets a sentence where something starts anew.

    Attributes:
        groups: Networks by optimizer.
        variables: Full name to float32 variable.
        optimizers: Name to optimizer, in the order of the steps.

    Raises:
        ModelError: A weight of the generator is missing or does not fit.
        CheckpointError: A slot is missing or does not fit.
        ConfigError: The patch discriminator does not fit the resolution.
    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        seed: int,
        weights: Mapping[str, Array] | None = None,
        optimizer: Mapping[str, Array] | None = None,
        source: str = "",
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.groups = groups_of(options)
        stored = dict(weights or {})
        kind = optimizer_kind(options)
        self.variables: dict[str, tf.Variable] = {}
        self.optimizers: dict[str, Optimizer] = {}
        states = split_states(optimizer or {}, [group.optimizer for group in self.groups])
        main = self.groups[0].optimizer
        for group in self.groups:
            shapes = group.shapes()
            known = weights is not None
            if group.optimizer != main and known and not _fits(shapes, stored):
                known = False
                states.pop(group.optimizer, None)
                file = next(iter(group.networks))
                note(f"{file} starts anew: it was not trained so far, or has another size now.")
            values = (
                checked_weights(shapes, stored, source=source)
                if known
                else initial_weights(shapes, seed=seed)
            )
            self.variables |= {n: tf.Variable(tf.constant(v)) for n, v in values.items()}
            slotted = {name: self.variables[name] for name in group.slotted}
            self.optimizers[group.optimizer] = Optimizer(slotted, kind)
            slots = states.get(group.optimizer, {})
            if slots or (group.optimizer == main and optimizer is not None):
                slots = _with_inters(slots, group.slotted, shapes)
                self.optimizers[group.optimizer].load(slots, source=source)
        self._resting = self._those_at_rest(stored, optimizer or {})

    @property
    def n_bytes(self) -> int:
        """Bytes of a copy, at most: weights, and two slots for each."""
        return 3 * sum(4 * variable.shape.num_elements() for variable in self.variables.values())

    def weights(self) -> dict[str, Array]:
        """Full variable name to array, as a checkpoint holds it."""
        values = {name: variable.numpy() for name, variable in self.variables.items()}
        return values | self._resting[0]

    def optimizer(self) -> dict[str, Array]:
        """Slots of all optimizers, as a checkpoint holds them."""
        states = {name: optimizer.state() for name, optimizer in self.optimizers.items()}
        return join_states(states) | self._resting[1]

    def restart(self, scopes: tuple[str, ...], *, seed: int, slots: bool) -> None:
        """Draw the weights of some networks of the generator anew.

        Args:
            scopes: Beginnings of their variables' names, such as `inter/`.
            seed: Root of the numbers.
            slots: Forget what the optimizer remembers of them as well.
        """
        all_shapes = self.groups[0].shapes()
        shapes = {n: shape for n, shape in all_shapes.items() if n.startswith(scopes)}
        for name, value in initial_weights(shapes, seed=seed).items():
            self.variables[name].assign(value)
        if slots:
            slotted = self.groups[0].slotted
            self.optimizers[self.groups[0].optimizer].forget(n for n in shapes if n in slotted)

    def _those_at_rest(
        self, weights: Mapping[str, Array], optimizer: Mapping[str, Array]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Weights and slots of discriminators that the options leave out at present."""
        active = {name.split("/")[0] + "/" for name in self.variables}
        asleep = tuple(scope for scope in _DISCRIMINATORS if scope not in active)
        kept = {name: value for name, value in weights.items() if name.startswith(asleep)}
        others = {
            key.removesuffix("iters:0")
            for key in optimizer
            if key.endswith("/iters:0") and key.removesuffix("/iters:0") not in self.optimizers
        }
        slots = {key: value for key, value in optimizer.items() if key.startswith(tuple(others))}
        return kept, slots


def _fits(shapes: Shapes, weights: Mapping[str, Array]) -> bool:
    """True if all weights are there and have as many values as they should."""
    return all(
        name in weights and np.size(weights[name]) == int(np.prod(shape))
        for name, shape in shapes.items()
    )


def _with_inters(
    state: Mapping[str, Array], slotted: tuple[str, ...], shapes: Shapes
) -> dict[str, Array]:
    """Slots with zeros for AMP's inters where those have not been trained so far."""
    inters = [name for name in slotted if name.startswith(("inter_src/", "inter_dst/"))]
    zeros = {slot_key(s, n): np.zeros(shapes[n], np.float32) for n in inters for s in ("ms", "vs")}
    return {**zeros, **state}
