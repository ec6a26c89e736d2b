"""What SAEHD lowers: reconstruction, styles, true face and GAN.

DFL interoperability notes, sections 3.2 to 3.7. Only the passes that the options ask for are part
of a step.
"""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.losses.adversarial import (
    binary_cross_entropy,
    fooling_loss,
    telling_loss,
)
from dflcolab.losses.reconstruction import (
    ReconstructionParts,
    mean_square,
    one_scale_dssim,
    reconstruction_parts,
    soft_mask,
)
from dflcolab.losses.style import style_loss
from dflcolab.models.autoencoder import Face
from dflcolab.models.build import (
    CODE_OPTIMIZER,
    GAN_OPTIMIZER,
    GENERATOR_OPTIMIZER,
    code_discriminator,
    patch_discriminator,
)
from dflcolab.models.layers import Weights
from dflcolab.models.saehd.network import Codes, Saehd, SaehdSize
from dflcolab.models.saehd.options import SaehdOptions
from dflcolab.training.augment import Sampled
from dflcolab.training.goal import Goal, calm_loss, goal_of
from dflcolab.training.objective import Batch, Compared, Losses, Stage

_STYLE_WEIGHT = 10_000.0


class SaehdObjective:
    """Stages of a SAEHD model.

    Args:
        options: Which terms there are, and how strong.

    Attributes:
        model: The wiring.
        stages: See `Objective`.
    """

    def __init__(self, options: SaehdOptions) -> None:
        self.options = options
        self.model = Saehd(SaehdSize.of(options))
        self._code = code_discriminator(self.model) if options.uses_code_discriminator else None
        self._patch = patch_discriminator(options) if options.uses_gan else None
        frozen = () if options.trains_inter_ab else ("inter_AB/",)
        trained = tuple(n for n in self.model.shapes() if not n.startswith(frozen))
        self.stages = [Stage(GENERATOR_OPTIMIZER, trained, self._generator_loss)]
        if self._code and not options.pretrain:
            names = tuple(self._code.shapes())
            self.stages.append(Stage(CODE_OPTIMIZER, names, self._code_loss))
        if self._patch:
            names = tuple(self._patch.shapes())
            self.stages.append(Stage(GAN_OPTIMIZER, names, self._patch_loss))

    def compare(self, weights: Weights, batch: Batch) -> tuple[Compared, Compared]:
        """See `Objective`."""
        faces = self.model.reconstruct(weights, batch.src.warped, batch.dst.warped)
        src, dst = (
            Compared(face, self._reconstruction(side, self._goal(side), face))
            for side, face in zip(batch, faces, strict=True)
        )
        return src, dst

    def views(self, weights: Weights, src: Tensor, dst: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Objective`."""
        return saehd_views(self.model, weights, src, dst)

    def _generator_loss(self, weights: Weights, batch: Batch, seed: Tensor) -> Losses:
        src_goal, dst_goal = self._goal(batch.src), self._goal(batch.dst)
        codes = self.model.codes(weights, batch.src.warped, batch.dst.warped)
        src, dst, swaps = self.model.paint(weights, codes, self._style_codes(codes))
        src_loss = self._reconstruction(batch.src, src_goal, src).total
        dst_loss = self._reconstruction(batch.dst, dst_goal, dst).total
        if swaps:
            src_loss += self._style(swaps, dst, src_goal, dst_goal)
        total = src_loss + dst_loss
        if self._code:
            logits = self._code(weights, codes.src)
            total += self.options.code_power * binary_cross_entropy(1.0, logits)
        if self._patch:
            made = self._patch(weights, self._compared(src.picture, src_goal))
            total += self.options.gan_power * fooling_loss(made)
            if self.options.masked_training:
                total += calm_loss(
                    src.picture, src_goal, tv_axes_of_gpu=self.options.tv_axes_of_gpu
                )
        return Losses(total, (src_loss, dst_loss))

    def _code_loss(self, weights: Weights, batch: Batch, seed: Tensor) -> Losses:
        """The code discriminator calls dst real and src made, so src learns to look like dst."""
        assert self._code is not None
        codes = self.model.codes(weights, batch.src.warped, batch.dst.warped)
        both = self._code(weights, tf.concat([codes.dst, codes.src], axis=0))
        dst, src = tf.split(both, 2, axis=0)
        return Losses(telling_loss([dst], [src]))

    def _patch_loss(self, weights: Weights, batch: Batch, seed: Tensor) -> Losses:
        """The patch discriminator tells src's targets from what the model painted."""
        assert self._patch is not None
        goal = self._goal(batch.src)
        painted = self.model.reconstruct_src(weights, batch.src.warped).picture
        pair = [self._compared(goal.target, goal), self._compared(painted, goal)]
        patches, pixels = self._patch(weights, tf.concat(pair, axis=0))
        real, made = zip(tf.split(patches, 2), tf.split(pixels, 2), strict=True)
        return Losses(telling_loss(real, made))

    def _goal(self, side: Sampled) -> Goal:
        return goal_of(side, blurred_outside=self.options.blur_out_mask)

    def _compared(self, picture: Tensor, goal: Goal) -> Tensor:
        """The part of a picture that is compared."""
        return picture * goal.soft if self.options.masked_training else picture

    def _reconstruction(self, side: Sampled, goal: Goal, face: Face) -> ReconstructionParts:
        return reconstruction_parts(
            goal.target,
            goal.mask,
            side.eyes_mouth,
            face.picture,
            face.mask,
            masked_training=self.options.masked_training,
            eyes_mouth_prio=self.options.eyes_mouth_prio,
            soft=goal.soft,
        )

    def _style_codes(self, codes: Codes) -> list[Tensor]:
        """Codes of the swaps that the styles need: face style teaches the decoder alone."""
        options = self.options
        if options.pretrain:
            return []
        wanted = [tf.stop_gradient(codes.swap)] if options.face_style_power else []
        return [*wanted, codes.swap] if options.bg_style_power else wanted

    def _style(self, swaps: list[Face], dst: Face, src_goal: Goal, dst_goal: Goal) -> Tensor:
        """Face style of the first swap, background style of the last."""
        options = self.options
        loss = tf.zeros_like(dst.picture[:, 0, 0, 0])
        if options.face_style_power:
            swap = swaps[0]
            loss += style_loss(
                swap.picture * tf.stop_gradient(swap.mask),
                tf.stop_gradient(dst.picture * dst.mask),
                sigma=options.resolution // 8,
                weight=_STYLE_WEIGHT * options.face_style_power / 100,
            )
        if options.bg_style_power:
            swap = swaps[-1]
            inside = src_goal.soft
            if options.bg_style_predicted_mask:
                inside = soft_mask(tf.stop_gradient(swap.mask * dst.mask))
            made, wanted = swap.picture * (1 - inside), dst_goal.target * (1 - inside)
            distance = one_scale_dssim(made, wanted) + mean_square(made, wanted)
            loss += 10 * options.bg_style_power / 100 * distance
        return loss


def saehd_views(
    model: Saehd, weights: Weights, src: Tensor, dst: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures of src -> src, dst -> dst and the swap, each network run once."""
    codes = model.codes(weights, src, dst)
    src_face, dst_face, (swap,) = model.paint(weights, codes, [codes.swap])
    return src_face.picture, dst_face.picture, swap.picture
