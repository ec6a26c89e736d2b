"""What an iteration lowers: one stage per optimizer, each with its own loss.

Stages run one after the other, each with a fresh forward pass on the weights that the one before
left, as DeepFaceLab does (interoperability notes, section 4.1): first the generator, then the code
discriminator, then the patch discriminator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from dflcolab.arrays import Tensor
from dflcolab.losses.reconstruction import ReconstructionParts
from dflcolab.models.autoencoder import Face
from dflcolab.models.layers import Weights
from dflcolab.training.augment import Sampled


class Batch(NamedTuple):
    """Faces of both sides, ready for the network."""

    src: Sampled
    dst: Sampled


class Losses(NamedTuple):
    """Losses of one stage.

    Attributes:
        total: What the stage lowers, one value per face `[B]`, float32.
        shown: What people see of it: the losses of src and dst, each `[B]`; nothing of
            discriminators.
    """

    total: Tensor
    shown: tuple[Tensor, ...] = ()


class Compared(NamedTuple):
    """The faces of one side as they were painted, and how far they are from their targets."""

    face: Face
    parts: ReconstructionParts


StageLoss: TypeAlias = Callable[[Weights, Batch, Tensor], Losses]
"""From weights, faces and a seed (two integers) to losses."""


@dataclass(frozen=True)
class Stage:
    """One part of an iteration.

    Attributes:
        optimizer: Name of its optimizer (see `dflcolab.models.build.Group`).
        trainable: Names of the weights that it changes.
        loss: What it lowers.
    """

    optimizer: str
    trainable: tuple[str, ...]
    loss: StageLoss


class Objective(Protocol):
    """What a kind of model lowers, and how it paints."""

    @property
    def stages(self) -> Sequence[Stage]:
        """In the order in which they run; the generator first."""
        ...

    def compare(self, weights: Weights, batch: Batch) -> tuple[Compared, Compared]:
        """How src and dst are painted, and the losses of reconstruction alone; no randomness."""
        ...

    def views(self, weights: Weights, src: Tensor, dst: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures of src -> src, dst -> dst and the swap for a preview."""
        ...
