"""One training step: a batch of faces in, two losses out, everything between compiled."""

from __future__ import annotations

from collections.abc import Mapping

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.engine.precision import LossScale, Precision, compute_dtype
from dflcolab.losses.reconstruction import blur_out_mask, reconstruction_loss
from dflcolab.models.autoencoder import Face
from dflcolab.models.layers import Weights
from dflcolab.models.options import LearningRateDropout
from dflcolab.models.saehd.network import Saehd
from dflcolab.models.saehd.options import SaehdOptions
from dflcolab.optimizers.optimizer import (
    COSINE_PERIOD,
    DROPOUT_KEEP,
    Optimizer,
    OptimizerSettings,
)
from dflcolab.training.augment import Sampled, plain_batch, sample_batch


def optimizer_settings(options: SaehdOptions) -> OptimizerSettings:
    """What the options mean for the optimizer (pretraining knows no learning-rate dropout)."""
    dropout = options.lr_dropout is not LearningRateDropout.NO and not options.pretrain
    return OptimizerSettings(
        kind="adabelief" if options.adabelief else "rmsprop",
        learning_rate=options.learning_rate,
        clip_norm=1.0 if options.clipgrad else 0.0,
        dropout_keep=DROPOUT_KEEP if dropout else 1.0,
        cosine_period=COSINE_PERIOD if dropout else 0,
    )


def trainable_names(model: Saehd, options: SaehdOptions) -> list[str]:
    """Variables that a step changes: all, but liae's `inter_AB` only with random warp."""
    frozen = () if options.trains_inter_ab else ("inter_AB/",)
    return [name for name in model.shapes() if not name.startswith(frozen)]


class TrainingStep:
    """The compiled step of one model under one set of options.

    Args:
        model: Wiring.
        variables: Full name to float32 variable; the step changes them.
        optimizer: Slots of all variables.
        options: Losses, augmentation and optimizer settings are taken from here.
        precision: Type the networks compute in.
        seed: Root of all random numbers of the run.
    """

    def __init__(
        self,
        model: Saehd,
        variables: Mapping[str, tf.Variable],
        optimizer: Optimizer,
        options: SaehdOptions,
        *,
        precision: Precision = "float32",
        seed: int = 0,
    ) -> None:
        self._model = model
        self._variables = dict(variables)
        self._optimizer = optimizer
        self._options = options
        self._settings = optimizer_settings(options)
        self._trainable = trainable_names(model, options)
        self._dtype = compute_dtype(precision)
        self._seed = seed & 0x7FFFFFFF
        self.loss_scale = LossScale(precision)
        self.step = tf.function(self._step, autograph=False)
        self.fixed_step = tf.function(self._fixed_step, autograph=False)
        self.evaluate = tf.function(self._evaluate, autograph=False)

    def _step(self, src_faces: Tensor, dst_faces: Tensor, iteration: Tensor) -> Tensor:
        """Augment, train; `[2]` mean losses of src and dst before the update.

        Args:
            src_faces: `[B, R + 6, R + 6, 5]` uint8 (see `sample_batch`).
            dst_faces: The same for dst.
            iteration: Scalar int64, the number of this step; seeds its random numbers.
        """
        options = self._options
        root = tf.stack([tf.constant(self._seed, tf.int64), iteration])
        seeds = tf.unstack(tf.random.split(root, 3))
        warp = options.random_warp and not options.pretrain
        src = sample_batch(
            src_faces,
            seeds[0],
            random_warp=warp,
            flip=options.random_src_flip or options.pretrain,
            hsv_power=0.0 if options.pretrain else options.random_hsv_power,
        )
        dst = sample_batch(
            dst_faces,
            seeds[1],
            random_warp=warp,
            flip=options.random_dst_flip or options.pretrain,
        )
        src_loss, dst_loss = self._train(src, dst, seeds[2])
        return tf.stack([tf.reduce_mean(src_loss), tf.reduce_mean(dst_loss)])

    def _fixed_step(self, src: Sampled, dst: Sampled) -> tuple[Tensor, Tensor]:
        """Train on a ready batch; one loss per face. For measurements and comparisons."""
        return self._train(src, dst, tf.zeros([2], tf.int64))

    def _evaluate(self, src_faces: Tensor, dst_faces: Tensor) -> tuple[Tensor, Tensor]:
        """Mean losses of src and dst on faces as they are; nothing is learned."""
        src, dst = plain_batch(src_faces), plain_batch(dst_faces)
        weights = Weights(self._variables, self._dtype)
        face_src, face_dst = self._model.reconstruct(weights, src.warped, dst.warped)
        return (
            tf.reduce_mean(self._loss(src, face_src)),
            tf.reduce_mean(self._loss(dst, face_dst)),
        )

    def _train(self, src: Sampled, dst: Sampled, seed: Tensor) -> tuple[Tensor, Tensor]:
        src_loss, dst_loss, gradients = self.losses_and_gradients(src, dst)
        if not self.loss_scale.active:
            self._optimizer.apply(gradients, self._settings, seed=seed)
            return src_loss, dst_loss
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients.values()])

        def apply() -> Tensor:
            self._optimizer.apply(gradients, self._settings, seed=seed)
            return tf.constant(True)

        tf.cond(finite, apply, lambda: tf.constant(False))
        self.loss_scale.update(finite)
        return src_loss, dst_loss

    def losses_and_gradients(
        self, src: Sampled, dst: Sampled
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Losses per face, and the gradient of their **sum** for each trainable variable."""
        weights = Weights(self._variables, self._dtype)
        # Gradients of the weights as the networks saw them: in half precision they are half as
        # large, and the optimizer widens them while it reads.
        trained = [weights[name] for name in self._trainable]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            face_src, face_dst = self._model.reconstruct(weights, src.warped, dst.warped)
            src_loss = self._loss(src, face_src)
            dst_loss = self._loss(dst, face_dst)
            total = tf.reduce_sum(src_loss) + tf.reduce_sum(dst_loss)
            scaled = total * self.loss_scale.scale if self.loss_scale.active else total
        gradients: list[Tensor] = tape.gradient(scaled, trained)  # pyright: ignore[reportAssignmentType]
        if self.loss_scale.active:
            scale = self.loss_scale.scale
            gradients = [tf.cast(gradient, tf.float32) / scale for gradient in gradients]
        return src_loss, dst_loss, dict(zip(self._trainable, gradients, strict=True))

    def _loss(self, batch: Sampled, face: Face) -> Tensor:
        options = self._options
        target = batch.target
        if options.blur_out_mask:
            target = blur_out_mask(target, batch.mask)
        return reconstruction_loss(
            target,
            batch.mask,
            batch.eyes_mouth,
            face.picture,
            face.mask,
            masked_training=options.masked_training,
            eyes_mouth_prio=options.eyes_mouth_prio,
        )
