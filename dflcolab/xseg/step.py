"""One iteration of the XSeg network: faces in, a loss out, everything between compiled."""

from __future__ import annotations

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.engine.precision import LossScale, Precision, compute_dtype
from dflcolab.losses.segmentation import grey_loss, mask_loss
from dflcolab.models.build import XSEG_OPTIMIZER
from dflcolab.models.layers import Weights
from dflcolab.models.xseg.network import XSeg
from dflcolab.models.xseg.options import XSegOptions
from dflcolab.training.model_state import ModelState, optimizer_settings
from dflcolab.xseg.augment import sample_faces, sample_masks


class MaskStep:
    """The compiled iteration of one network.

    Args:
        options: Loss and optimizer settings are taken from here.
        state: Variables and optimizer; an iteration changes them.
        precision: Type the network computes in.
        seed: Root of all random numbers of the run.

    Attributes:
        loss_scales: Factor on the loss, under `masks`; 1 but for float16.
        step: Draw views of faces `[B, 262, 262, 4]` uint8 before other faces, train on them; the
            mean loss before the update. Arguments: faces, other faces, iteration (int64).
        compare: Of faces `[B, 256, 256, 4]` uint8 as they are: masks `[B, 256, 256, 1]` in 0..1 and
            losses `[B]`.
    """

    def __init__(
        self, options: XSegOptions, state: ModelState, *, precision: Precision, seed: int
    ) -> None:
        self._network = XSeg(options.base)
        self._options = options
        self._state = state
        self._names = tuple(self._network.shapes())
        self._settings = optimizer_settings(options)
        self._dtype = compute_dtype(precision)
        self._seed = seed & 0x7FFFFFFF
        self._loss_scale = LossScale(precision)
        self.loss_scales = {"masks": self._loss_scale}
        self.step = tf.function(self._step, autograph=False)
        self.compare = tf.function(self._compare, autograph=False)

    def _step(self, faces: Tensor, others: Tensor, iteration: Tensor) -> Tensor:
        root = tf.stack([tf.constant(self._seed, tf.int64), iteration])
        seeds = tf.unstack(tf.random.split(root, 2))
        weights = Weights(self._state.variables, self._dtype)
        if self._options.pretrain:
            pictures, masks = sample_faces(faces, seeds[0]), None
        else:
            pictures, masks = sample_masks(faces, others, seeds[0])
        trained = [weights[name] for name in self._names]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            losses = self._losses(weights, pictures, masks)
            total = tf.reduce_sum(losses)
            if self._options.mean_gradient:
                total /= tf.cast(tf.size(losses), tf.float32)
            scaled = total * self._loss_scale.scale if self._loss_scale.active else total
        gradients = dict(zip(self._names, tape.gradient(scaled, trained), strict=True))  # pyright: ignore[reportArgumentType]
        self._apply(gradients, seeds[1])
        return tf.reduce_mean(losses)

    def _losses(self, weights: Weights, pictures: Tensor, masks: Tensor | None) -> Tensor:
        logits = self._network(weights, pictures, pretrain=self._options.pretrain)
        return grey_loss(pictures, logits) if masks is None else mask_loss(masks, logits)

    def _apply(self, gradients: dict[str, Tensor], seed: Tensor) -> None:
        optimizer, scale = self._state.optimizers[XSEG_OPTIMIZER], self._loss_scale
        if not scale.active:
            optimizer.apply(gradients, self._settings, seed=seed)
            return
        gradients = {n: tf.cast(g, tf.float32) / scale.scale for n, g in gradients.items()}
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients.values()])

        def apply() -> Tensor:
            optimizer.apply(gradients, self._settings, seed=seed)
            return tf.constant(True)

        tf.cond(finite, apply, lambda: tf.constant(False))
        scale.update(finite)

    def _compare(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        weights = Weights(self._state.variables, self._dtype)
        values = tf.cast(faces, tf.float32) / 255
        pictures, masks = values[..., :3], values[..., 3:]
        logits = self._network(weights, pictures, pretrain=self._options.pretrain)
        losses = grey_loss(pictures, logits) if self._options.pretrain else mask_loss(masks, logits)
        return tf.sigmoid(logits), losses
