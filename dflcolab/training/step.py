"""One iteration: faces in, two losses out, everything between compiled."""

from __future__ import annotations

from typing import Any

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.engine.precision import LossScale, Precision, compute_dtype
from dflcolab.models.amp.options import AmpOptions
from dflcolab.models.kinds import SwapModelOptions
from dflcolab.models.layers import Weights
from dflcolab.models.quick96 import Quick96Options
from dflcolab.training.amp_objective import AmpObjective
from dflcolab.training.augment import Sampled, sample_batch
from dflcolab.training.color_match import match_colors
from dflcolab.training.devices import Devices
from dflcolab.training.face_measures import face_measures
from dflcolab.training.model_state import ModelState, optimizer_settings
from dflcolab.training.objective import Batch, Losses, Objective, Stage
from dflcolab.training.quick96_objective import Quick96Objective, repeats_batch
from dflcolab.training.saehd_objective import SaehdObjective


def objective_of(options: SwapModelOptions) -> Objective:
    """What a model with these options lowers."""
    if isinstance(options, AmpOptions):
        return AmpObjective(options)
    if isinstance(options, Quick96Options):
        return Quick96Objective(options)
    return SaehdObjective(options)


class TrainingStep:
    """The compiled iteration of one model under one set of options.

    Args:
        options: Losses, augmentation and optimizer settings are taken from here.
        state: Variables and optimizers; an iteration changes them.
        precision: Type the networks compute in.
        seed: Root of all random numbers of the run.
        micro_batches: Equal parts that each device's faces are worked through in, one after the
            other, to save memory. The gradients of all parts are summed before any weight changes.
        jit: Compile networks and update with XLA; on one device only.
        devices: What the state's variables were made on; None: the one there is.

    Attributes:
        objective: What is lowered.
        loss_scales: One per optimizer, by its name.
        begun: Iteration whose first update has begun; the weights before it are gone.
    """

    def __init__(
        self,
        options: SwapModelOptions,
        state: ModelState,
        *,
        precision: Precision = "float32",
        seed: int = 0,
        micro_batches: int = 1,
        jit: bool = False,
        devices: Devices | None = None,
    ) -> None:
        self.objective = objective_of(options)
        self._devices = devices or Devices()
        self._options = options
        self._state = state
        self._settings = optimizer_settings(options)
        self._dtype = compute_dtype(precision)
        self._seed = seed & 0x7FFFFFFF
        self._micro_batches = micro_batches
        self._run = tf.function(self._train, jit_compile=True, autograph=False) if jit else None
        with self._devices.variables():
            self.loss_scales = {
                stage.optimizer: LossScale(precision) for stage in self.objective.stages
            }
            self.begun = tf.Variable(tf.constant(-1, tf.int64), trainable=False)
        self.step = self._devices.everywhere(self._step)
        self.fixed_step = tf.function(self._fixed_step, autograph=False)
        self.evaluate = tf.function(self._evaluate, autograph=False)
        self.paint = tf.function(self._paint, autograph=False)

    def _step(
        self,
        src_faces: Tensor,
        dst_faces: Tensor,
        iteration: Tensor,
        color_change: Tensor | None = None,
    ) -> Tensor:
        """Augment, train; `[2]` mean losses of src and dst before the update.

        Args:
            src_faces: `[B, R + 6, R + 6, 5]` uint8 (see `sample_batch`).
            dst_faces: The same for dst.
            iteration: Scalar int64, the number of this step; seeds its random numbers.
            color_change: How the colors of src change (see `color_match`); None: not at all.
        """
        src_faces, dst_faces = map(self._devices.of_this_device, (src_faces, dst_faces))
        if color_change is not None:
            color_change = self._devices.of_this_device(color_change)
            seed = self._seeds(iteration, 3)[0]
            src_faces = match_colors(self._options.ct_mode, src_faces, color_change, seed)
        train = self._run or self._train
        shown = train(self._sample(src_faces, dst_faces, iteration), iteration)
        return self._devices.mean(tf.stack([tf.reduce_mean(losses) for losses in shown]))

    def _fixed_step(
        self, src: Sampled, dst: Sampled, iteration: Tensor | int = 0
    ) -> tuple[Tensor, ...]:
        """Train on a ready batch; losses of src and dst, `[B]` each. For comparisons."""
        return (self._run or self._train)(Batch(src, dst), tf.cast(iteration, tf.int64))

    def _evaluate(self, src: Sampled, dst: Sampled) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Measures of each face of src and dst (see `face_measures`); nothing is learned."""
        weights = Weights(self._state.variables, self._dtype)
        compared = self.objective.compare(weights, Batch(src, dst))
        return face_measures(src, compared[0]), face_measures(dst, compared[1])

    def _paint(self, src: Tensor, dst: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the networks make of faces as they are, in full precision: see `Objective.views`."""
        return self.objective.views(Weights(self._state.variables), src, dst)

    def _sample(self, src_faces: Tensor, dst_faces: Tensor, iteration: Tensor) -> Batch:
        options = self._options
        drawn = iteration
        if isinstance(options, Quick96Options):
            again = repeats_batch(iteration)
            drawn = iteration - tf.cast(again, tf.int64)
        seeds = self._seeds(drawn, 2)
        warp = options.random_warp and not options.pretrain
        src = sample_batch(
            src_faces,
            seeds[0],
            random_warp=warp,
            flip=options.random_src_flip or options.pretrain,
            hsv_power=0.0 if options.pretrain else options.random_hsv_power,
            scale=options.random_scale,
        )
        dst = sample_batch(
            dst_faces,
            seeds[1],
            random_warp=warp,
            flip=options.random_dst_flip or options.pretrain,
            scale=options.random_scale,
        )
        if isinstance(options, Quick96Options):
            src, dst = (
                side._replace(warped=tf.where(again, side.target, side.warped))
                for side in (src, dst)
            )
        return Batch(src, dst)

    def _seeds(self, iteration: Tensor, stream: int) -> list[Tensor]:
        """Eight seeds of an iteration; streams of one iteration have nothing in common."""
        root = tf.stack([tf.constant(self._seed, tf.int64), 4 * iteration + stream])
        return tf.unstack(tf.random.split(root, 8))

    def _train(self, batch: Batch, iteration: Tensor) -> tuple[Tensor, ...]:
        """All stages, one after the other; the losses that the first one shows."""
        seeds = self._seeds(iteration, 0)
        shown: tuple[Tensor, ...] = ()
        for index, stage in enumerate(self.objective.stages):
            losses, own = self._summed_gradients(stage, batch, seeds[2 * index])
            gradients = self._devices.gradients(own, of_mean=self._options.mean_gradient)
            # No weight moves before all gradients are there: a step that runs out of memory among
            # them can be repeated from where it began.
            with tf.control_dependencies(list(gradients.values())):
                begun = self.begun.assign(iteration)
            with tf.control_dependencies([begun]):
                self._apply(stage, gradients, seeds[2 * index + 1])
            shown = shown or losses
        return shown

    def _apply(self, stage: Stage, gradients: dict[str, Tensor], seed: Tensor) -> None:
        optimizer = self._state.optimizers[stage.optimizer]
        scale = self.loss_scales[stage.optimizer]
        if not scale.active:
            optimizer.apply(gradients, self._settings, seed=seed)
            return
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients.values()])

        def apply() -> Tensor:
            optimizer.apply(gradients, self._settings, seed=seed)
            return tf.constant(True)

        tf.cond(finite, apply, lambda: tf.constant(False))
        scale.update(finite)

    def _summed_gradients(
        self, stage: Stage, batch: Batch, seed: Tensor
    ) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """Losses that a stage shows, and its gradients, from all parts of the batch."""
        parts = self._micro_batches
        if parts == 1:
            losses, gradients = self.gradients(stage, batch, seed)
            return losses.shown, gradients
        names = stage.trainable
        size = batch.src.warped.shape[0] // parts
        n_shown = 2 if stage is self.objective.stages[0] else 0

        def work(index: Tensor, shown: tuple[Tensor, ...], sums: tuple[Tensor, ...]) -> Any:
            part = Batch(*(Sampled(*(x[index * size :][:size] for x in side)) for side in batch))
            for side in part:
                for tensor in side:
                    tensor.set_shape([size, *tensor.shape[1:]])
            losses, gradients = self.gradients(stage, part, tf.random.fold_in(seed, index))
            places = (index * size + tf.range(size))[:, None]
            shown = tuple(
                tf.tensor_scatter_nd_update(whole, places, values)
                for whole, values in zip(shown, losses.shown, strict=True)
            )
            sums = tuple(
                total + tf.cast(gradients[name], tf.float32)
                for total, name in zip(sums, names, strict=True)
            )
            return index + 1, shown, sums

        # A loop, since parts that are written out would run at the same time and save nothing.
        _, shown, sums = tf.while_loop(
            lambda index, *_: index < parts,
            work,
            (
                tf.constant(0),
                (tf.zeros([size * parts]),) * n_shown,
                tuple(tf.zeros(self._state.variables[name].shape) for name in names),
            ),
            parallel_iterations=1,
            maximum_iterations=parts,
        )
        return shown, dict(zip(names, sums, strict=True))

    def gradients(
        self, stage: Stage, batch: Batch, seed: Tensor
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Losses of a stage, and the gradient of their **sum** for each weight that it changes."""
        weights = Weights(self._state.variables, self._dtype)
        scale = self.loss_scales[stage.optimizer]
        # Gradients of the weights as the networks saw them: in half precision they are half as
        # large, and the optimizer widens them while it reads.
        trained = [weights[name] for name in stage.trainable]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            losses = stage.loss(weights, batch, seed)
            total = tf.reduce_sum(losses.total)
            if self._options.mean_gradient:
                total /= tf.cast(tf.size(losses.total) * self._micro_batches, tf.float32)
            scaled = total * scale.scale if scale.active else total
        gradients: list[Tensor] = tape.gradient(scaled, trained)  # pyright: ignore[reportAssignmentType]
        if scale.active:
            gradients = [tf.cast(gradient, tf.float32) / scale.scale for gradient in gradients]
        return losses, dict(zip(stage.trainable, gradients, strict=True))
