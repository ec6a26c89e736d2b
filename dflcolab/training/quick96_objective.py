"""What Quick96 lowers: SAEHD's reconstruction inside of a blurred mask, and nothing else.

DFL interoperability notes, sections 3.2, 3.3 and 4.1.
"""

from __future__ import annotations

from typing import TypeVar

from dflcolab.arrays import Tensor
from dflcolab.losses.filters import gaussian_blur
from dflcolab.losses.reconstruction import ReconstructionParts, reconstruction_parts
from dflcolab.models.autoencoder import Face
from dflcolab.models.build import GENERATOR_OPTIMIZER
from dflcolab.models.layers import Weights
from dflcolab.models.quick96 import Quick96Options
from dflcolab.models.saehd.network import Saehd, SaehdSize
from dflcolab.training.augment import Sampled
from dflcolab.training.objective import Batch, Compared, Losses, Stage
from dflcolab.training.saehd_objective import saehd_views

_MASK_SIGMA = 3.0
_PERIOD = 3

N = TypeVar("N", int, Tensor)


def repeats_batch(iteration: N) -> N:
    """True for the iterations that take the batch before once more, without its warp.

    Args:
        iteration: Number of the iteration, the first is 1.
    """
    return (iteration > 1) & (iteration % _PERIOD == 1)  # pyright: ignore[reportReturnType]


class Quick96Objective:
    """The one stage of a Quick96 model; attributes as in `Objective`."""

    def __init__(self, options: Quick96Options) -> None:
        self.model = Saehd(SaehdSize.of(options))
        names = tuple(self.model.shapes())
        self.stages = [Stage(GENERATOR_OPTIMIZER, names, self._loss)]

    def compare(self, weights: Weights, batch: Batch) -> tuple[Compared, Compared]:
        """See `Objective`."""
        faces = self.model.reconstruct(weights, batch.src.warped, batch.dst.warped)
        src, dst = (
            Compared(face, _reconstruction(side, face))
            for side, face in zip(batch, faces, strict=True)
        )
        return src, dst

    def views(self, weights: Weights, src: Tensor, dst: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Objective`."""
        return saehd_views(self.model, weights, src, dst)

    def _loss(self, weights: Weights, batch: Batch, seed: Tensor) -> Losses:
        src, dst = (compared.parts.total for compared in self.compare(weights, batch))
        return Losses(src + dst, (src, dst))


def _reconstruction(side: Sampled, face: Face) -> ReconstructionParts:
    return reconstruction_parts(
        side.target,
        side.mask,
        side.eyes_mouth,
        face.picture,
        face.mask,
        masked_training=True,
        eyes_mouth_prio=False,
        soft=gaussian_blur(side.mask, _MASK_SIGMA),
    )
