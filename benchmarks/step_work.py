"""One case of `step_cases`, built in this process on the faces of the demo clips."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.demo_workspace import demo_faces
from benchmarks.step_cases import CASES, counted_operations
from dflcolab.backend import tf
from dflcolab.engine.precision import Precision, prepare_device
from dflcolab.losses.segmentation import mask_loss
from dflcolab.models.build import XSEG_OPTIMIZER
from dflcolab.models.kinds import SwapModelOptions, swap_options_of
from dflcolab.models.layers import Weights
from dflcolab.models.xseg.network import XSeg
from dflcolab.models.xseg.options import xseg_options
from dflcolab.training.augment import plain_batch, sample_batch
from dflcolab.training.model_state import ModelState, optimizer_settings
from dflcolab.training.objective import Batch
from dflcolab.training.sampler import Sampler
from dflcolab.training.step import TrainingStep

PRECISIONS: dict[str, Precision] = {"float32": "float32", "bfloat16": "mixed_bfloat16"}

Work = Callable[[], object]


class SwapWork:
    """Iterations of a model that swaps faces.

    Args:
        case: Its name in `CASES`.
        dtype: `float32` or `bfloat16`.

    Attributes:
        samples: Faces drawn per iteration, both sides.
        gflop: Of the networks per step.
        waited: Seconds on the clock for each drawing of `real`, while the step waited for it.
    """

    def __init__(self, case: str, dtype: str) -> None:
        prepare_device()
        options = _swap_options(case)
        state = ModelState(options, seed=0)
        self._step = TrainingStep(options, state, precision=PRECISIONS[dtype])
        self._faces = demo_faces(options.face_type, options.resolution)
        self._samplers = [Sampler(len(faces), [0, i]) for i, faces in enumerate(self._faces)]
        self._count = options.batch_size
        self._position = 0
        self.samples = 2 * self._count
        self.waited: list[float] = []
        self._batch = Batch(*(plain_batch(tf.constant(faces)) for faces in self._drawn()))
        stage = self._step.objective.stages[0]
        loss = tf.function(stage.loss, autograph=False)
        seed = tf.constant([0, 1], tf.int64)
        with counted_operations() as counts:
            loss.get_concrete_function(Weights(state.variables), self._batch, seed)
        self.gflop = sum(counts) / 1e9

        @tf.function(autograph=False)
        def sample(src: tf.Tensor, dst: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            views = [
                sample_batch(faces, seed, random_warp=True, flip=flip, scale=options.random_scale)
                for faces, flip in (
                    (src, options.random_src_flip),
                    (dst, options.random_dst_flip),
                )
            ]
            return tf.add_n([tf.reduce_sum(part) for side in views for part in side])

        self._sample = sample

    def fixed(self) -> None:
        """A step on a batch that is ready on the device."""
        for losses in self._step.fixed_step(*self._batch):
            losses.numpy()

    def real(self) -> None:
        """An iteration as `train` runs it: faces are fetched, then views drawn, then trained on."""
        began = time.perf_counter()
        batch = self._drawn()
        self.waited.append(time.perf_counter() - began)
        self._step.step(*batch, self._next()).numpy()

    def sampling(self) -> None:
        """What an iteration does for its samples, without a network: fetch, and draw views."""
        seed = tf.stack([tf.constant(1, tf.int64), self._next()])
        self._sample(*self._drawn(), seed).numpy()

    def _next(self) -> tf.Tensor:
        return tf.constant(self._position // self._count, tf.int64)

    def _drawn(self) -> list[np.ndarray]:
        """Faces of both sides, one shuffled round after the other."""
        at, self._position = self._position, self._position + self._count
        return [
            faces.batch(sampler.take(at, self._count))
            for faces, sampler in zip(self._faces, self._samplers, strict=True)
        ]


class MaskWork:
    """Steps of the XSeg network on faces and the hulls of their landmarks; no views are drawn.

    Attributes as in `SwapWork`.
    """

    def __init__(self, case: str, dtype: str) -> None:
        from dflcolab.engine.precision import compute_dtype

        prepare_device()
        options = xseg_options(CASES[case].values)
        network = XSeg(options.base)
        state = ModelState(options, seed=0)
        settings = optimizer_settings(options)
        faces = demo_faces(options.face_type, options.resolution)[0]
        views = plain_batch(tf.constant(faces.batch(np.arange(options.batch_size))))
        names = tuple(network.shapes())
        kind = compute_dtype(PRECISIONS[dtype])

        @tf.function(autograph=False)
        def step(pictures: tf.Tensor, masks: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            weights = Weights(state.variables, kind)
            trained = [weights[name] for name in names]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(trained)
                losses = mask_loss(masks, network(weights, pictures))
                total = tf.reduce_sum(losses)
            gradients = dict(zip(names, tape.gradient(total, trained), strict=True))
            state.optimizers[XSEG_OPTIMIZER].apply(gradients, settings, seed=seed)
            return tf.reduce_mean(losses)

        self._seed = tf.constant([0, 1], tf.int64)
        self._arguments = (views.target, views.mask, self._seed)
        with counted_operations() as counts:
            self._step = step.get_concrete_function(*self._arguments)
        self.gflop = sum(counts) / 1e9

    def fixed(self) -> None:
        """A step on a batch that is ready on the device."""
        self._step(*self._arguments).numpy()


def build(case: str, dtype: str) -> SwapWork | MaskWork:
    """The case, ready to run; the first calls compile it."""
    return (MaskWork if CASES[case].arch == "xseg" else SwapWork)(case, dtype)


def _swap_options(case: str) -> SwapModelOptions:
    return swap_options_of(CASES[case].arch, CASES[case].values)
