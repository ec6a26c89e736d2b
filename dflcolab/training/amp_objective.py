"""What AMP lowers: reconstruction inside of the mask, a calm background, and GAN on both sides.

DFL interoperability notes, sections 2.5 and 3.9.
"""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.losses.adversarial import fooling_loss, telling_loss
from dflcolab.losses.reconstruction import ReconstructionParts, mean_square, reconstruction_parts
from dflcolab.models.amp.network import Amp, AmpSize
from dflcolab.models.amp.options import AmpOptions
from dflcolab.models.autoencoder import Face
from dflcolab.models.build import GAN_OPTIMIZER, GENERATOR_OPTIMIZER, patch_discriminator
from dflcolab.models.layers import Weights
from dflcolab.training.augment import Sampled
from dflcolab.training.goal import SMOOTHNESS, Goal, calm_loss, goal_of, smoothness
from dflcolab.training.objective import Batch, Compared, Losses, Stage

_DST_OUTSIDE = 0.1
_GAN_SHARE = 0.25


class AmpObjective:
    """Stages of an AMP model.

    Args:
        options: Which terms there are, and how strong.

    Attributes:
        model: The wiring.
        stages: See `Objective`.
    """

    def __init__(self, options: AmpOptions) -> None:
        self.options = options
        self.model = Amp(AmpSize.of(options))
        self._patch = patch_discriminator(options) if options.uses_gan else None
        frozen = () if options.train_inters else ("inter_src/", "inter_dst/")
        trained = tuple(n for n in self.model.shapes() if not n.startswith(frozen))
        self.stages = [Stage(GENERATOR_OPTIMIZER, trained, self._generator_loss)]
        if self._patch:
            names = tuple(self._patch.shapes())
            self.stages.append(Stage(GAN_OPTIMIZER, names, self._patch_loss))

    def compare(self, weights: Weights, batch: Batch) -> tuple[Compared, Compared]:
        """See `Objective`; the channels of src's code are drawn from a fixed seed."""
        faces = self._paint(weights, batch, tf.zeros([2], tf.int64))
        src, dst = (
            Compared(face, self._reconstruction(side, self._goal(side), face))
            for side, face in zip(batch, faces, strict=True)
        )
        return src, dst

    def views(self, weights: Weights, src: Tensor, dst: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Objective`; src is painted as it is trained, the swap is all src."""
        channels = self.model.random_channels(src.shape[0], tf.zeros([2], tf.int64))
        src_face, dst_face = self.model.reconstruct(weights, src, dst, channels)
        return src_face.picture, dst_face.picture, self.model.swap(weights, dst).picture

    def _generator_loss(self, weights: Weights, batch: Batch, seed: Tensor) -> Losses:
        src_goal, dst_goal = self._goal(batch.src), self._goal(batch.dst)
        src, dst = self._paint(weights, batch, seed)
        src_loss = self._reconstruction(batch.src, src_goal, src).total
        dst_loss = self._reconstruction(batch.dst, dst_goal, dst).total
        outside = 1 - dst_goal.soft
        made = dst.picture * outside
        total = src_loss + dst_loss + _DST_OUTSIDE * mean_square(made, dst_goal.target * outside)
        total += SMOOTHNESS * smoothness(made, tv_axes_of_gpu=self.options.tv_axes_of_gpu)
        if self._patch:
            painted = [src.picture * src_goal.soft, dst.picture * dst_goal.soft]
            logits = self._patch(weights, tf.concat(painted, axis=0))
            halves = [half for output in logits for half in tf.split(output, 2)]
            total += self.options.gan_power * fooling_loss(halves)
            total += calm_loss(src.picture, src_goal, tv_axes_of_gpu=self.options.tv_axes_of_gpu)
        return Losses(total, (src_loss, dst_loss))

    def _patch_loss(self, weights: Weights, batch: Batch, seed: Tensor) -> Losses:
        """The patch discriminator tells the targets of both sides from what the model painted."""
        assert self._patch is not None
        goals = [self._goal(batch.src), self._goal(batch.dst)]
        faces = self._paint(weights, batch, seed)
        real = [goal.target * goal.soft for goal in goals]
        made = [face.picture * goal.soft for face, goal in zip(faces, goals, strict=True)]
        parts = [
            tf.split(output, 4) for output in self._patch(weights, tf.concat([*real, *made], 0))
        ]
        real_logits = [half for output in parts for half in output[:2]]
        made_logits = [half for output in parts for half in output[2:]]
        return Losses(_GAN_SHARE * telling_loss(real_logits, made_logits))

    def _paint(self, weights: Weights, batch: Batch, seed: Tensor) -> tuple[Face, Face]:
        channels = self.model.random_channels(batch.src.warped.shape[0], seed)
        return self.model.reconstruct(weights, batch.src.warped, batch.dst.warped, channels)

    def _goal(self, side: Sampled) -> Goal:
        return goal_of(side, blurred_outside=self.options.blur_out_mask)

    def _reconstruction(self, side: Sampled, goal: Goal, face: Face) -> ReconstructionParts:
        return reconstruction_parts(
            goal.target,
            goal.mask,
            side.eyes_mouth,
            face.picture,
            face.mask,
            masked_training=True,
            eyes_mouth_prio=True,
            two_scales=True,
            soft=goal.soft,
        )
